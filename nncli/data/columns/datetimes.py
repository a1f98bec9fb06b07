"""Infer the format of dates in text, and parse them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from math import floor
from typing import Literal, NamedTuple, cast

import numpy as np
import polars as pl

from nncli.base.errors import Advice, SetKey
from nncli.base.text import quote
from nncli.data.dialect import AUTO
from nncli.data.number_and_date_forms import (
    DATE_FORMATS,
    FIRST_DAY,
    ISO,
    LAST_DAY,
    MICROSECONDS_PER_DAY,
    MONTH_FORMATS,
    ORDERS,
    SHORT_NAMED,
    SHORT_ORDERS,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    orders_of,
)

DATE_LIKE = r"^\s*(?:\d{1,4}[-./ ]|[A-Za-z]{3,9} )\w{1,9}(?:[-./ ]|, )\d{1,4}"
MONTH_LIKE = r"^\s*(?:\d{4}[-/]\d{1,2}|\d{1,2}[-/]\d{4}|[A-Za-z]{3,9}[- ]\d{4})\s*$"
SHORT_YEAR_FIRST = r"^\s*\d{2}[-./]\d{1,2}[-./]\d{1,2}(?:[T ]|$)"
SHORT_YEAR_LAST = (
    r"^\s*(?:\d{1,2}[-./]\d{1,2}[-./]|\d{1,2}[- ][A-Za-z]{3,9}[- ]|[A-Za-z]{3,9} \d{1,2}, )\d{2}(?:[T ]|$)"
)
"""24-8-14, and 14.08.24, 8/20/24 10:30, 14-Aug-24: dates that may have years of two digits."""
NO_SHORT_YEAR = r"^\s*(?:\d|\d{3,})[-./]\d{1,2}[-./](?:\d|\d{3}|\d{5,})\s*$"
"""1.4.0 beside 1.4.12: versions, in which no part is a year."""
A_DAY, A_YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:[12]\d{3}|\d{2})"
A_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
NUMBERS_OF_A_DATE = "|".join(
    rf"{A_DAY}\{mark}{A_DAY}\{mark}{A_YEAR}|[12]\d{{3}}\{mark}{A_DAY}\{mark}{A_DAY}|\d{{2}}\{mark}{A_DAY}\{mark}{A_DAY}"
    for mark in "-./"
)
LOOKS_LIKE_A_DATE = (
    rf"(?i)^\s*(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[., ]+)?(?:{NUMBERS_OF_A_DATE}|"
    rf"{A_DAY}(?:st|nd|rd|th)?[-./ ]{{1,2}}{A_MONTH}[-./, ]{{1,2}}{A_YEAR}|"
    rf"{A_DAY}[-./ ]{{1,2}}\p{{L}}{{3,10}}\.?[-./, ]{{1,2}}[12]\d{{3}}|"
    rf"{A_MONTH} {A_DAY}(?:st|nd|rd|th)?,? {A_YEAR}|{A_MONTH}[-' ]{A_YEAR})(?:[T ,]|$)"
)
"""Cells that a person reads as a date, whether or not one of the formats fits."""
SAMPLE_CELLS, MIN_SAMPLE_SHARE = 1000, 0.25
"""Cells from which most columns are told apart, and the share of them that look like dates in a column of dates."""
FIRST_DAYS, LAST_DAYS = 4, 28
"""Numbers that reach from the first of these to the last run through the days of a month."""
ISO_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
EIGHT_DIGITS = r"^\s*[12]\d{7}(?:[T ]|\s*$)"
TIME_OF_DAY = r"[T ]+(\d{1,2}:\d{2}.*)$"
EPOCH, UNITS_OF_A_DAY = datetime(1970, 1, 1), {"minutes": 1_440, "seconds": 86_400}


def date_text(days: float, precision: Literal["days", "minutes", "seconds"] = "days") -> str:
    """Days since 1970 as a date in ISO 8601, with the time of day to the minute or the second."""
    if precision == "days":
        return (EPOCH + timedelta(min(max(floor(days), FIRST_DAY), LAST_DAY))).date().isoformat()
    units = UNITS_OF_A_DAY[precision]
    whole = min(max(round(days * units), FIRST_DAY * units), (LAST_DAY + 1) * units - 1)
    return (EPOCH + timedelta(**{precision: whole})).isoformat(" ", precision)


def parse_dates(cells: pl.Series, date_format: str = ISO) -> pl.Series:
    """Parse text as microseconds since 1970 (Int64), null where it is not a date of the years 1 to 9999 in that format.

    The format is ISO, or one that dialect.py allows. If it has no day, this is the first of the month; if it has no
    time, a time of day may follow the date. A time with a time zone is converted to UTC.
    """
    text = cells.str.strip_chars()
    if "%Y" in date_format:
        text = text.set(~text.str.contains(r"\d{4}"), None)  # 01.02.24 is not of the year 24
    if date_format == ISO:
        moments = _parse_iso(text)
    elif "%M" in date_format:
        moments = _parse_as(date_format)(text)
    else:
        clock = text.str.extract(TIME_OF_DAY)
        days = text.str.replace(TIME_OF_DAY, "")
        if "%d" not in date_format:
            days, date_format = "1 " + days, f"%d {date_format}"
        days = days.str.to_date(date_format, strict=False)
        moments = _parse_iso(days.dt.to_string("%Y-%m-%d") + (" " + clock).fill_null(""))
    return moments.set(
        ~moments.is_between(FIRST_DAY * MICROSECONDS_PER_DAY, (LAST_DAY + 1) * MICROSECONDS_PER_DAY - 1), None
    )


def _parse_iso(text: pl.Series) -> pl.Series:
    """2024-03-01, and 2024-03-01 13:45, with T or a space, seconds and their fraction, Z or an offset."""
    text = text.set(~text.str.contains(ISO_DATE), None).str.replace("T", " ", literal=True)
    moments = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).to_physical()
    for clock in TIME_FORMATS:
        moments = _fill_from(moments, text, _parse_as(f"%Y-%m-%d {clock}"))
    if moments.null_count() == text.null_count():
        return moments
    zoned = text.str.replace("Z$", "+00:00").str.replace(r"^(\S+ \d{1,2}:\d{2}) ?([+-])", "$1:00$2")
    return _fill_from(moments, zoned, _parse_as(f"%Y-%m-%d {TIME_FORMATS[0]}%z"))


def _parse_as(date_format: str) -> Callable[[pl.Series], pl.Series]:
    return lambda text: text.str.to_datetime(date_format, strict=False, time_unit="us").to_physical()


def parse_any_date(cells: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Parse text as `parse_dates` does, in the first of the formats that fits, or in another one without ambiguity.

    Unambiguous are dates with the year first (also 20240531) or the month by name, and others if only one order of day
    and month is possible. If one of the `formats` has the separator of a cell, its order applies.
    """
    moments = parse_dates(cells, formats[0])
    for form in dict.fromkeys((*formats[1:], *YEAR_FIRST_OR_NAMED)):
        moments = _fill_from(moments, cells, lambda rest, form=form: parse_dates(rest, form))  # type: ignore[misc]
    moments = _fill_from(moments, cells, _parse_compact)
    orders = orders_of(formats)
    return _fill_from(moments, cells, lambda rest: _parse_year_last(rest, orders))


def _fill_from(moments: pl.Series, cells: pl.Series, parse: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Fill the null moments of cells that are not missing by `parse`."""
    if moments.null_count() == cells.null_count():
        return moments
    missing = moments.is_null() & cells.is_not_null()
    return moments.scatter(missing.arg_true(), parse(cells.filter(missing)))


def _parse_compact(cells: pl.Series) -> pl.Series:
    """Parse eight digits such as 20240531."""
    return parse_dates(cells.set(~cells.str.contains(EIGHT_DIGITS), None), "%Y%m%d")


def _parse_year_last(cells: pl.Series, orders: Mapping[str, str]) -> pl.Series:
    """Parse dates such as 13/05/2024, null where day and month could be in either order."""
    moments = pl.Series(cells.name, [None] * len(cells), dtype=pl.Int64)
    for separator, forms in ORDERS.items():
        order = orders.get(separator)
        readings = [parse_dates(cells, form) for form in ([order] if order else forms)]
        first, last = readings[0], readings[-1]
        either = first.zip_with(first.is_not_null(), last)
        unambiguous = either.set((first != last).fill_null(False), None)
        moments = moments.zip_with(moments.is_not_null(), unambiguous)
    return moments


class InferredFormats(NamedTuple):
    """The date formats of a column, the most common first; none if it does not hold dates.

    `is_ambiguous` columns hold dates of which no cell decides between `readings`, the formats that are possible. With
    `formats`, which fit more than half of the cells, the `readings` are those of the others.
    """

    formats: tuple[str, ...] = ()
    is_ambiguous: bool = False
    readings: tuple[str, ...] = ()


def infer_date_formats(cells: pl.Series, configured: str = AUTO) -> InferredFormats:
    """The formats in which more than half of the present cells are dates, as few as possible.

    The order of day, month and a year of two digits is the same for all cells with the same separator. If no cell of a
    separator decides it, cells with another separator do. The `configured` format takes precedence.
    """
    present = cells.drop_nulls()
    form = infer_date_format(present, configured)
    if form is not None and _count_parsed(present, form) == len(present):
        return InferredFormats((form,))
    if not _is_shaped(present, DATE_LIKE):
        form = infer_month_format(present) if form is None else form
        return InferredFormats(() if form is None else (form,))
    chosen = [] if configured == AUTO or not _count_parsed(present, configured) else [configured]
    parsed = {f: parse_dates(present, f) for f in chosen}
    parsed |= {f: moments for f, moments in _parse_candidates(present).items() if f not in parsed}
    counts = {f: moments.count() for f, moments in parsed.items()}
    orders, readings = _infer_orders(present, parsed, chosen)
    rejected = {f for forms in (*ORDERS.values(), *SHORT_ORDERS.values()) for f in forms if f != orders.get(forms)}
    forms = [f for f, count in counts.items() if count and (f in chosen or f not in rejected)]
    forms.sort(key=lambda f: (f not in chosen, -counts[f]))
    covered = parse_any_date(present, forms).count() if forms else 0
    if form is None and readings:
        in_any = parse_any_date(present, [*forms, *readings]).count()
        is_ambiguous = 2 * max(in_any, *counts.values()) > len(present)
        return InferredFormats(is_ambiguous=is_ambiguous, readings=readings if is_ambiguous else ())
    if readings or 2 * covered <= len(present) or (form is not None and covered <= counts.get(form, 0)):
        return InferredFormats(() if form is None else (form,), readings=readings)
    return InferredFormats(tuple(forms))


def _infer_orders(
    present: pl.Series, parsed: Mapping[str, pl.Series], chosen: Sequence[str]
) -> tuple[dict[tuple[str, ...], str], tuple[str, ...]]:
    """The format of each group of ORDERS by evidence in the cells, and the possible ones of a group that stays open.

    The cells are `parsed` in each format. A group stays open if no cell decides it, or if cells contradict each other.
    The order in the `chosen` formats counts for years of four digits and of two. A point decides nothing about other
    separators.
    """
    given = {*chosen, *orders_of(chosen).values(), *(form.replace("%Y", "%y") for form in orders_of(chosen).values())}
    orders: dict[tuple[str, ...], str] = {}
    still_open: dict[tuple[str, ...], tuple[str, ...]] = {}
    contradictory: tuple[str, ...] = ()
    for forms in (*ORDERS.values(), *SHORT_ORDERS.values()):
        if of_chosen := [form for form in forms if form in given]:
            orders[forms] = of_chosen[0]
            continue
        readings = {form: parsed[form] for form in forms if form in parsed}
        if not any(reading.count() for reading in readings.values()):
            continue
        is_date = pl.Series(np.any([reading.is_not_null() for reading in readings.values()], axis=0))
        fitting = [form for form, reading in readings.items() if not (is_date & reading.is_null()).any()]
        if not fitting:
            contradictory = contradictory or tuple(form for form in forms if readings[form].count())
        else:
            fitting = _by_place_of_year(present, fitting)
            if all((readings[form] == readings[fitting[0]]).all() for form in fitting):
                orders[forms] = fitting[0]
            else:
                still_open[forms] = tuple(fitting)
    days_first = {
        form.startswith("%d")
        for form in orders.values()
        if not form.startswith("%y") and (form in given or "." not in form)
    }
    for forms, fitting_forms in [*still_open.items()]:
        if len(days_first) == 1 and not any(form.startswith("%y") for form in fitting_forms):
            orders[forms] = fitting_forms[0 if True in days_first else -1]
            del still_open[forms]
    return orders, contradictory or next(iter(still_open.values()), ())


def _parse_candidates(present: pl.Series) -> dict[str, pl.Series]:
    """The cells parsed in each format that is inferred, null where the year has not the two or four digits of it."""
    year_first, year_last = (present.str.contains(shape) for shape in (SHORT_YEAR_FIRST, SHORT_YEAR_LAST))
    is_short = year_first | year_last
    if not is_short.any() or present.str.contains(NO_SHORT_YEAR).any():
        return {form: parse_dates(present, form) for form in (ISO, *DATE_FORMATS)}
    of_full, of_first, of_last = (present.set(~mask, None) for mask in (~is_short, year_first, year_last))
    separators = set(present.str.extract(r"^\s*\w+?([-./ ])").unique())
    return {
        **{form: parse_dates(of_full, form) for form in (ISO, *DATE_FORMATS)},
        **{
            form: parse_dates(of_first if form.startswith("%y") else of_last, form)
            for form in (*SHORT_NAMED, *chain(*SHORT_ORDERS.values()))
            if form[2] in separators
        },
    }


def _by_place_of_year(present: pl.Series, fitting: Sequence[str]) -> list[str]:
    """Those of the fitting formats of one separator with a year of two digits that have the year where it must be.

    The part that runs through a month, with twice as many values as the other, is the day. If neither is, a year
    between points or slashes comes last; one between hyphens may be at either end.
    """
    year_first = [form for form in fitting if form.startswith("%y")]
    year_last = [form for form in fitting if form not in year_first]
    if not year_first or not year_last:
        return list(fitting)
    separator = year_first[0][2]
    ends = present.str.extract_groups(rf"^\s*(\d{{1,2}})\{separator}\d{{1,2}}\{separator}(\d{{1,2}})(?:[T ]|$)")
    first, last = ends.struct.unnest().drop_nulls().cast(pl.Int64).get_columns()
    for day, year, forms in ((first, last, year_last), (last, first, year_first)):
        lowest, highest = cast("int", day.min()), cast("int", day.max())
        if lowest <= FIRST_DAYS and highest >= LAST_DAYS and day.n_unique() >= 2 * year.n_unique():
            return forms
    return list(fitting) if separator == "-" else year_last


def infer_date_format(cells: pl.Series, configured: str = AUTO) -> str | None:
    """The format that fits more than half of the present cells; None if there is none, or two that fit equally well.

    The `configured` one takes precedence.
    """
    present = cells.drop_nulls()
    fits = {form: _count_parsed(present, form) for form in _candidate_formats(present, configured)}
    best = [form for form, count in fits.items() if count == max(fits.values())]
    if not best or 2 * fits[best[0]] <= len(present):
        return None
    return best[0] if len(best) == 1 or best[0] == configured else None


def infer_month_format(present: pl.Series) -> str | None:
    """The format in which more than half of the cells are months, and so are all that look like one; None without one.

    So are more than half of the first ones, which tells most columns apart. Cells such as 2009/10 that are all a
    year and the next are seasons.
    """
    if not (_is_shaped(present.head(SAMPLE_CELLS), MONTH_LIKE) and _is_shaped(present, MONTH_LIKE)):
        return None
    shaped = present.filter(present.str.contains(MONTH_LIKE))
    form = next((f for f in MONTH_FORMATS if _count_parsed(shaped, f) == len(shaped)), None)
    if form is not None and form.startswith("%Y"):
        year, month = shaped.str.extract_groups(r"(\d{4}).(\d+)").struct.unnest().cast(pl.Int64).get_columns()
        return None if (month == (year + 1) % 100).all() else form
    return form


class DateDoubt(NamedTuple):
    """Why a column of text of which most cells look like dates does not hold dates.

    There are several `readings`, of which no cell decides, or the cell `other` is no date in a format that is read.
    """

    readings: tuple[str, ...] = ()
    other: str = ""

    @property
    def message(self) -> str:
        """What the doubt is."""
        if self.readings:
            return f"it is not decided how its dates are read: {undecided(self.readings)}"
        return f"most cells look like dates, and {quote(self.other)} is not read as one"


def looks_like_a_date(cells: pl.Series) -> pl.Series:
    """Mask of the cells that a person reads as a date; null where a cell is missing."""
    mask = cells.str.contains(r"\d")
    candidates = mask.arg_true()  # the long pattern is slow, and most text has no digit
    return mask.scatter(candidates, cells[candidates].str.contains(LOOKS_LIKE_A_DATE)) if len(candidates) else mask


def date_doubt(cells: pl.Series, configured: str = AUTO) -> DateDoubt | None:
    """The doubt about a column of text that is not read as dates; None if it does not look like dates."""
    present = cells.drop_nulls()
    sample = present.gather_every(max(len(present) // SAMPLE_CELLS, 1))
    if not looks_like_a_date(sample).sum() > MIN_SAMPLE_SHARE * len(sample):
        return None
    inferred = infer_date_formats(present, configured)
    if inferred.is_ambiguous:
        return DateDoubt(inferred.readings)
    looks_alike = looks_like_a_date(present)
    if 2 * looks_alike.sum() <= len(present):
        return None
    is_read = parse_any_date(present, inferred.formats or (ISO,)).is_not_null()
    rest = next((mask for mask in (looks_alike & ~is_read, ~looks_alike, looks_alike) if mask.any()), looks_alike)
    return DateDoubt(other=str(present.filter(rest)[0]))


def short_year_format(formats: Sequence[str]) -> str | None:
    """The first of the formats that has years of two digits."""
    return next((form for form in formats if "%y" in form), None)


def undecided(readings: Sequence[str]) -> str:
    """What the cells of a column do not decide."""
    years_first = {form.startswith("%y") for form in readings}
    parts = "year, month and day" if len(years_first) == 2 else "day and month"
    return f"{parts} could be in {'either' if len(readings) == 2 else 'any'} order"


def readings_hint(readings: Sequence[str]) -> Advice:
    """The advice to choose one of the formats."""
    first, *others = [SetKey("data.date_format", form) for form in readings]
    return Advice("Use its format: ", first, *(part for key in others for part in (", or ", key)))


def _count_parsed(present: pl.Series, date_format: str) -> int:
    return len(present) - parse_dates(present, date_format).null_count()


def _candidate_formats(present: pl.Series, configured: str) -> list[str]:
    """Formats whose pattern more than half of the cells match; the `configured` format alone if it fits."""
    if configured != AUTO and 2 * _count_parsed(present, configured) > len(present):
        return [configured]

    if not _is_shaped(present, DATE_LIKE):
        return []
    if _is_shaped(present, pattern_of(ISO)):
        return [ISO]
    return [form for form in DATE_FORMATS if _is_shaped(present, pattern_of(form))]


def _is_shaped(present: pl.Series, pattern: str) -> bool:
    """Whether more than half of the cells match a pattern."""
    return bool(2 * present.str.contains(pattern).sum() > len(present))


def pattern_of(date_format: str) -> str:
    """A regular expression of cells that may be dates in that format."""
    if date_format == ISO:
        return rf"^\s*{ISO_DATE[1:]}"
    parts = {"%Y": r"\d{4}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%B": "[A-Za-z]{3,9}"}
    date = re.sub("%[YmdB]", lambda match: parts[match[0]], re.escape(date_format))
    return rf"^\s*{date}(?:[T ]|$)"
