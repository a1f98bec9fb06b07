"""Encoder of date columns: days, year, and sine and cosine of month, weekday and time of day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import AfterValidator, model_validator

from nncli.base.errors import Advice, SetKey, sentences
from nncli.base.spec import FiniteFloat, StrictBool, StrictStr
from nncli.data.columns.datetimes import infer_date_formats, parse_any_date, short_year_format
from nncli.data.columns.hashing import Hashes, hash_exact_numbers
from nncli.data.columns.parsing import DATE_TYPES, EMPTY_CELL_HINT, CellErrors, raise_first, read_text
from nncli.data.columns.raw_column import RawColumn, ambiguous_date, are_dates, date_formats_of
from nncli.data.dialect import AUTO, validate_date_format
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.column_encoder import ColumnEncoder, DependenceGrid, check_read_alike
from nncli.data.encoders.encoding_options import DEFAULT_OPTIONS, EncodingOptions
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.number_and_date_forms import (
    FIRST_DAY,
    ISO,
    LAST_DAY,
    LAST_MOMENT,
    MICROSECONDS_PER_DAY,
    MONTH_FORMATS,
    MONTH_FORMATS_OF_NEW_ROWS,
    orders_of,
)
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Mask, Matrix
from nncli.nn.program.inputs import DateInput, ProgramInput
from nncli.nn.program.values import Value, absolute, cos, floor, is_nan, join, maximum, minimum, select, sin

DATE_HINT = sentences(
    EMPTY_CELL_HINT, Advice("To train with another format, such as: ", SetKey("data.date_format", "%d/%m/%Y"), ".")
)
DATE_MODEL_HINT = f"The model also reads dates such as 2024-05-31. {EMPTY_CELL_HINT}"
UNITS_PER_DAY = {"ms": MICROSECONDS_PER_DAY // 1_000, "us": MICROSECONDS_PER_DAY, "ns": MICROSECONDS_PER_DAY * 1_000}
DAYS_PER_YEAR = 365.2425


Cycle: TypeAlias = Literal["month", "weekday", "hour"]


class Calendar(NamedTuple):
    """The year and the month, from 1, of dates (rows, 1)."""

    year: Value
    month: Value


def lower_calendar(days: Value) -> Calendar:
    """The year and the month of days since 1970, in the Gregorian calendar; years begin in March for the arithmetic."""
    z = floor(days) + 719_468.0
    era = floor(z / 146_097.0)
    day_of_era = z - era * 146_097.0
    leap_days = floor(day_of_era / 1_460.0) - floor(day_of_era / 36_524.0) + floor(day_of_era / 146_096.0)
    year_of_era = floor((day_of_era - leap_days) / 365.0)
    day_of_year = day_of_era - (year_of_era * 365.0 + floor(year_of_era / 4.0) - floor(year_of_era / 100.0))
    from_march = floor((day_of_year * 5.0 + 2.0) / 153.0)
    month = from_march + select(from_march >= 10.0, -9.0, 3.0)
    return Calendar(year_of_era + era * 400.0 + (month <= 2.0), month)


def lower_cycle(cycle: Cycle, days: Value) -> Value:
    """The position within the cycle, in [0, 1)."""
    if cycle == "month":
        return (lower_calendar(days).month - 1.0) / 12.0
    if cycle == "weekday":
        from_monday = floor(days) + 3.0
        return (from_monday - floor(from_monday / 7.0) * 7.0) / 7.0
    return days - floor(days)


def lower_shift_into_range(days: Value, low: float, high: float, days_per_year: float) -> Value:
    """The operations of `DateColumn._shift_into_range`."""

    def shift(end: float, sign: float) -> Value:
        years = floor(absolute(days - end) / days_per_year * -1.0) * -1.0
        moved = days + _round_half_even(years * days_per_year) * sign
        is_far = moved < low if sign < 0.0 else moved > high
        return select(is_far, end, minimum(maximum(moved, low), high))

    return select(days > high, shift(high, -1.0), select(days < low, shift(low, 1.0), days))


def _round_half_even(x: Value) -> Value:
    """The nearest whole number, the even one of two."""
    nearest = floor(x + 0.5)
    is_odd = nearest - floor(nearest / 2.0) * 2.0
    return nearest - is_odd * (nearest - x >= 0.5)


CYCLES: dict[Cycle, Callable[[Floats], Floats]] = {
    "month": lambda days: (_whole(days, "M").astype(np.int64) % 12) / 12,
    "weekday": lambda days: (np.floor(days) + 3) % 7 / 7,
    "hour": lambda days: days - np.floor(days),
}
"""The position within its cycle, in [0, 1), of each of the days since 1970-01-01, a Thursday."""


def _whole(days: Floats, unit: Literal["M", "Y"]) -> npt.NDArray[np.datetime64]:
    """The months or years since 1970 of each of the days since 1970."""
    return np.floor(days).astype(np.int64).astype("datetime64[D]").astype(f"datetime64[{unit}]")


def _validate_format(form: str) -> str:
    return form if form == ISO else validate_date_format(form)


class DateColumn(ColumnEncoder):
    """A date column, encoded as the days since `origin`, the year, and a sine and a cosine for each of its `cycles`.

    The year and cycles that are the same in all training rows are left out, such as the hour of dates without times.
    `date_format` is the most common format of dates in text, `other_formats` are further ones of the training rows.
    Dates in any format are read if they are unambiguous; see datetimes.py. A missing date becomes the training median.
    With `nearest_year`, the days and year of dates outside the training range are those of the same day in the nearest
    year of the range: a network extrapolates them erratically, since in the range they stand for the season, too.
    """

    profiles_at_once: ClassVar[bool] = True
    has_direction: ClassVar[bool] = True

    type: Literal["date"] = "date"
    name: StrictStr
    date_format: Annotated[StrictStr, AfterValidator(_validate_format)]
    origin: FiniteFloat
    days: NumericColumn
    year: NumericColumn | None
    cycles: tuple[Cycle, ...]
    other_formats: tuple[Annotated[StrictStr, AfterValidator(_validate_format)], ...] = ()
    nearest_year: StrictBool = False

    @model_validator(mode="after")
    def _parts_fit(self) -> DateColumn:
        if len(set(self.cycles)) < len(self.cycles):
            raise ValueError("a cycle occurs more than once")
        if not FIRST_DAY <= self.origin + self.days.fill_value < LAST_DAY + 1:
            raise ValueError("the fill value of missing dates is not within the years 1 to 9999")
        return self

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """Whether the column has a date type, or is text whose cells are dates in one unambiguous format.

        Raises:
            DataError: most cells are dates, and some are not.
        """
        return column.cells.dtype in DATE_TYPES or (column.is_text and are_dates(column.table, column.name))

    @classmethod
    def read_cells(cls, table: Table, name: str) -> pl.Series:
        """The cells as text, null where one is missing."""
        cells = table.column(name)
        return cells.cast(pl.String) if cells.dtype in DATE_TYPES else read_text(table, name)

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions = DEFAULT_OPTIONS) -> DateColumn:
        """Fit on `table`, the training rows. Days and years are scaled as numeric columns are.

        Raises:
            DataError: a cell is not a date, or the order of day and month is ambiguous.
        """
        formats = _date_formats_of(table, name)
        days = read_days(table, name, formats)
        present = days[~np.isnan(days)]
        first = float(np.floor(present.min(initial=np.inf))) if len(present) else 0.0
        years = _years(days)
        differ = len(np.unique(years[~np.isnan(years)])) > 1
        return cls(
            name=name,
            date_format=formats[0],
            origin=first,
            days=NumericColumn.fit_values(table, name, days - first, options.numeric, options.clip),
            year=NumericColumn.fit_values(table, name, years, options.numeric, options.clip) if differ else None,
            cycles=tuple(
                cycle
                for cycle, share in CYCLES.items()
                if len(np.unique(share(present))) > 1
                and (cycle == "month" or any("%d" in f or f == ISO for f in formats))
            ),
            other_formats=formats[1:],
            nearest_year=options.out_of_range_dates == "nearest_year",
        )

    @property
    def formats(self) -> tuple[str, ...]:
        """The formats of the training rows, the most common first; if one is of months, then all formats of months."""
        trained = (self.date_format, *self.other_formats)
        has_months = not set(MONTH_FORMATS).isdisjoint(trained)
        return tuple(dict.fromkeys((*trained, *MONTH_FORMATS_OF_NEW_ROWS))) if has_months else trained

    @property
    def short_dates(self) -> str | None:
        return short_year_format((self.date_format, *self.other_formats))

    @property
    def n_numeric(self) -> int:
        """Number of columns of the matrix that numeric embeddings may embed: days and year."""
        return 1 + (self.year is not None)

    def in_order(self) -> DateColumn:
        """The days and the year alone; with `nearest_year`, dates outside the training range become its nearest end."""
        update = {"clip_range": True} if self.nearest_year else {}
        days = self.days.in_order().model_copy(update=update)
        year = self.year and self.year.in_order().model_copy(update=update)
        return self.model_copy(update={"days": days, "year": year, "cycles": (), "nearest_year": False})

    def hash_cells(self, table: Table) -> Hashes:
        """A hash of each date and time (rows,)."""
        return hash_exact_numbers(read_days(table, self.name, self.formats))

    def grid(self, table: Table) -> DependenceGrid:
        """Quantiles of the dates, in days since 1970, with the text of each."""
        days = read_days(table, self.name, self.formats)
        return DependenceGrid.of_quantiles(days, table.column(self.name).cast(pl.String))

    @property
    def width(self) -> int:
        """Number of columns of the matrix."""
        return self.n_numeric + 2 * len(self.cycles) + self.days.missing_indicator

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of the matrix."""
        cycles = [f"{self.name}: {cycle}, {wave}" for cycle in self.cycles for wave in ("sine", "cosine")]
        numbers = (f"{self.name}: days", f"{self.name}: year")[: self.n_numeric]
        return (*numbers, *cycles, *[f"{self.name} is missing"] * self.days.missing_indicator)

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width), and count the anomalies among the cells.

        Raises:
            DataError: a cell is not a date.
        """
        days = read_days(table, self.name, self.formats).copy()
        missing = np.isnan(days)
        days[missing] = self.origin + self.days.fill_value
        in_range = self._shift_into_range(days) if self.nearest_year else days
        out[:, 0] = self.days.scale_values(in_range - self.origin)
        if self.year is not None:
            out[:, 1] = self.year.scale_values(_years(in_range))
        for j, cycle in enumerate(self.cycles):
            angle = 2.0 * np.pi * CYCLES[cycle](days)
            out[:, self.n_numeric + 2 * j] = np.sin(angle)
            out[:, self.n_numeric + 2 * j + 1] = np.cos(angle)
        if self.days.missing_indicator:
            out[:, -1] = missing
        anomalies = self.days.count_anomalies(
            days - self.origin, 0 if self.days.missing_indicator else int(missing.sum())
        )
        ends = (anomalies.lowest + self.origin, anomalies.highest + self.origin)
        return replace(anomalies, lowest=ends[0], highest=ends[1], is_date=True)

    def unusual_cells(self, table: Table) -> Mask:
        return self.days.unusual_values(read_days(table, self.name, self.formats) - self.origin)

    @classmethod
    def program_input(cls, columns: Sequence[Self]) -> DateInput:
        check_read_alike(columns, "date_orders")
        ranges = [(column.origin, *column.days.range) for column in columns if column.days.lowest is not None]
        return DateInput(
            columns[0].name,
            tuple(dict.fromkeys(form for column in columns for form in column.formats)),
            min((origin + low for origin, low, _ in ranges), default=None),
            max((origin + high for origin, _, high in ranges), default=None),
            _typical(columns) if ranges else None,
            any(column.days.missing_indicator for column in columns),
            any("hour" in column.cycles for column in columns),
        )

    @property
    def date_orders(self) -> tuple[tuple[str, str], ...]:
        """The order of day and month for each separator that the formats decide."""
        return tuple(sorted(orders_of(self.formats).items()))

    def lower(self, x: Value, column: ProgramInput) -> Value:
        # What does not depend on the member comes first, so that a program computes it once.
        missing, fill = is_nan(x), self.origin + self.days.fill_value
        bounded = x + select(x >= LAST_DAY + 1.0, np.nan, select(x < FIRST_DAY, np.nan, 0.0))
        days = select(missing, fill, bounded)
        low, high = (self.origin + end for end in self.days.range)
        in_range = lower_shift_into_range(days, low, high, DAYS_PER_YEAR) if self.nearest_year else days
        parts = [self.days.lower_scale(in_range - self.origin)]
        if self.year is not None:
            parts.append(self.year.lower_scale(lower_calendar(in_range).year))
        for cycle in self.cycles:
            angle, of_fill = lower_cycle(cycle, bounded) * (2.0 * np.pi), 2.0 * np.pi * CYCLES[cycle](np.array([fill]))
            parts += [select(missing, np.sin(of_fill), sin(angle)), select(missing, np.cos(of_fill), cos(angle))]
        return join([*parts, missing] if self.days.missing_indicator else parts)

    def comparable_cells(self, table: Table) -> Floats:
        """The days since 1970 (rows,)."""
        return read_days(table, self.name, self.formats)

    def cell_errors(self, table: Table, dtype: str) -> list[CellErrors]:
        """Cells that are not dates of the years 1 to 9999."""
        return _days_and_errors(table, self.name, self.formats)[1]

    def _shift_into_range(self, days: Floats) -> Floats:
        """Days since 1970 (rows,), those outside the training range shifted by whole years into it.

        If the range is too short for that, they become its nearest end.
        """
        low, high = (self.origin + end for end in self.days.range)
        shifted = days.copy()
        for outside, end, sign in ((days > high, high, -1.0), (days < low, low, 1.0)):
            if outside.any():
                years = np.ceil(np.abs(days[outside] - end) / DAYS_PER_YEAR)
                moved = days[outside] + sign * np.round(years * DAYS_PER_YEAR)
                is_far = (moved < low) if sign < 0.0 else (moved > high)
                shifted[outside] = np.where(is_far, end, moved.clip(low, high))
        return shifted


def _typical(columns: Sequence[DateColumn]) -> float:
    """The median of the members' median dates; of columns without times of day it is a whole day."""
    median = float(np.median([column.origin + column.days.fill_value for column in columns]))
    return median if any("hour" in column.cycles for column in columns) else float(np.floor(median))


def _years(days: Floats) -> Floats:
    """The year of each of the days since 1970 (rows,), NaN where they are NaN."""
    years = np.full(len(days), np.nan)
    there = ~np.isnan(days)
    years[there] = _whole(days[there], "Y").astype(np.int64) + 1970.0
    return years


def _date_formats_of(table: Table, name: str) -> tuple[str, ...]:
    """The date formats of the training rows; ISO if none fits, so that reading raises an error that names a cell."""
    cells, configured = table.column(name), table.dialect.date_format
    if cells.dtype in DATE_TYPES:
        return (ISO,)
    text = read_text(table, name)
    formats = date_formats_of(table, name) if cells.dtype == pl.String else infer_date_formats(text, configured)
    if formats.is_ambiguous:
        row = int(parse_any_date(text, formats.readings).is_not_null().arg_max() or 0)
        raise ambiguous_date(table, name, row, formats.readings)
    return formats.formats or (ISO if configured == AUTO else configured,)


def read_days(table: Table, name: str, formats: Sequence[str]) -> Floats:
    """Days since 1970 (rows,), with the time of day as a fraction, in UTC if there is a time zone; NaN if missing.

    Raises:
        CellError: a cell is not a date in one of the formats, or not within the years 1 to 9999; names its row.
    """
    days, errors = _days_and_errors(table, name, formats)
    raise_first(table, name, errors)
    return days


def _days_and_errors(table: Table, name: str, formats: Sequence[str]) -> tuple[Floats, list[CellErrors]]:
    """Days since 1970 (rows,), NaN where a cell is missing or not a date, and the errors of the cells."""
    return table.once(("days", name, *formats), lambda: _read_days_and_errors(table, name, formats))


def _read_days_and_errors(table: Table, name: str, formats: Sequence[str]) -> tuple[Floats, list[CellErrors]]:
    cells = table.column(name)
    if isinstance(cells.dtype, pl.Datetime):
        stamps, a_day = cells.to_physical(), UNITS_PER_DAY[cells.dtype.time_unit]
    elif cells.dtype == pl.Date:
        stamps, a_day = cells.to_physical(), 1
    else:
        cells = read_text(table, name)
        stamps, a_day = parse_any_date(cells, formats), MICROSECONDS_PER_DAY
    whole, rest = np.divmod(stamps.fill_null(0).to_numpy(), a_day)
    days: Floats = np.minimum(whole + rest / a_day, LAST_MOMENT)
    unread = stamps.is_null().to_numpy()
    errors = CellErrors.of(unread & cells.is_not_null().to_numpy(), _expected(formats), DATE_HINT, DATE_MODEL_HINT)
    out_of_range = (whole < FIRST_DAY) | (whole > LAST_DAY)
    errors += CellErrors.of(out_of_range, "is not within the years 1 to 9999", EMPTY_CELL_HINT)
    days[unread | out_of_range] = np.nan
    return days, errors


def _expected(formats: Sequence[str]) -> str:
    """The reason why a cell is not a date in the formats."""
    if formats[0] == ISO:
        return "is not a date in ISO 8601, such as 2024-05-31 or 2024-05-31 14:30"
    return f"is not a date in the format {formats[0]}"
