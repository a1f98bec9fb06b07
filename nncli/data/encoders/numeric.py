"""Encoder of numeric columns: scaled, with missing cells replaced by the median and marked by a 0/1 column.

The column of exposures is encoded as its logarithm, the log offset of counts and amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import inf
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from nncli.base.bounds import LARGEST, SMALLEST
from nncli.base.median import MIN_SAMPLED_SIZE, fast_median
from nncli.base.rounding import rounded_apart
from nncli.base.spec import FiniteFloat, NonNegativeFloat, StrictBool, StrictStr
from nncli.data.columns.hashing import Hashes, hash_numbers
from nncli.data.columns.parsing import (
    EMPTY_CELL_HINT,
    CellErrors,
    check_finite_scale,
    numbers_and_errors,
    raise_first,
    read_numbers,
    safe_scale,
    unit_of,
)
from nncli.data.columns.raw_column import RawColumn, check_ambiguous_decimal, check_large_integers
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.column_encoder import ColumnEncoder, DependenceGrid, check_read_alike
from nncli.data.encoders.encoding_options import DEFAULT_OPTIONS, Clip, EncodingOptions, FittedClip, NumericScaling
from nncli.data.encoders.scaling import (
    CLIPS,
    LOWERED_CLIPS,
    QUARTILES,
    lower_quantile_transform,
    lower_scaled,
    quantile_transform,
    quantiles_of,
    robust_scale,
    scaled,
    std,
)
from nncli.data.store.column_store import DenseColumns
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Mask, Matrix
from nncli.nn.program.inputs import NumberInput, ProgramInput
from nncli.nn.program.values import Value, is_nan, join, log, maximum, minimum, select


class NumberColumn(ColumnEncoder):
    """A column of numbers, encoded as (x - center) / scale, where a missing x is replaced by `fill_value` first.

    `missing_indicator` adds a 0/1 column for missing cells. A scale of 0 makes every value 0: the column was constant.
    With `quantiles` of the training values, equally spaced, x is mapped to the normal quantile of its rank instead.
    `clip` comes last. `lowest` and `highest` are the training range; None for a column without a value. With
    `clip_range`, x is clipped to it first. `unit` is removed from every cell of text; see spellings.py. With
    `is_binary`, the training rows have two values, `lowest` and `highest`; models of older versions do not say it.
    """

    is_numeric: ClassVar[bool] = True
    lists_values: ClassVar[bool] = True
    profiles_at_once: ClassVar[bool] = True

    name: StrictStr
    center: FiniteFloat
    scale: NonNegativeFloat
    fill_value: FiniteFloat
    missing_indicator: StrictBool
    lowest: FiniteFloat | None = None
    highest: FiniteFloat | None = None
    quantiles: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)] | None = None
    clip: FittedClip = "none"
    clip_range: StrictBool = False
    unit: StrictStr | None = None
    is_binary: StrictBool = False

    @model_validator(mode="after")
    def _quantiles_ascend(self) -> Self:
        if any(b < a for a, b in pairwise(self.quantiles or ())):
            raise ValueError("the quantiles must be in ascending order")
        return self

    @classmethod
    def matches(cls, column: RawColumn) -> bool:
        """Whether every cell is a number, or is one once the same currency or percent sign is removed from all.

        Raises:
            DataError: integers are too long for float64, or amounts of money can be read in two ways.
        """
        if not (column.is_text or column.cells.dtype.is_numeric()):
            return False
        if column.are_all_numbers(column.numbers):
            check_large_integers(column.table, column.name, column.numbers)
            return True
        if column.is_text and column.are_all_numbers(column.numbers_without_unit):
            check_ambiguous_decimal(column.table, column.name, column.unit or "")
            return True
        return False

    @classmethod
    def read_cells(cls, table: Table, name: str) -> pl.Series:
        """The cells as Float64, null where one is missing.

        Raises:
            DataError: a cell is not a number, or is infinite.
        """
        return pl.Series(read_numbers(table, name, unit_of(table, name))).fill_nan(None)

    @property
    def width(self) -> int:
        """Number of columns of the matrix."""
        return 1 + self.missing_indicator

    @property
    def n_numeric(self) -> int:
        """Number of columns of the matrix that numeric embeddings may embed: the scaled value."""
        return 1

    @property
    def features(self) -> tuple[str, ...]:
        """The name of each column of the matrix."""
        return (self.name, f"{self.name} is missing")[: self.width]

    def _read(self, table: Table) -> Floats:
        """The numbers (rows,), NaN where a cell is missing.

        Raises:
            CellError: a cell is not a number.
        """
        x, errors = self._read_all(table)
        raise_first(table, self.name, errors)
        return x

    def _read_all(self, table: Table) -> tuple[Floats, list[CellErrors]]:
        """The numbers (rows,), NaN where a cell is missing or not a number, and the errors of the cells."""
        name, unit, booleans = self.name, self.unit, self.reads_booleans
        return table.once(
            ("numbers", name, unit, booleans),
            lambda: numbers_and_errors(table, name, unit, alternatives=True, booleans=booleans),
        )

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        """Fill `out` (rows, width), and count the anomalies among the cells.

        Raises:
            CellError: a cell is not a number, or its scaled value overflows the type of `out`.
        """
        x = self._read(table)
        missing = np.isnan(x)
        n_missing = int(np.count_nonzero(missing))
        if n_missing:
            x = np.where(missing, self.fill_value, x)
        with np.errstate(over="ignore"):
            z = self.scale_values(x).astype(out.dtype)  # contiguous: checking out[:, 0] takes longer
        out[:, 0] = z
        if not np.isfinite(z).all():
            raise_first(table, self.name, _overflow_errors(z))
        if self.missing_indicator:
            out[:, 1] = missing
        return self.count_anomalies(x, 0 if self.missing_indicator else n_missing)

    def unusual_cells(self, table: Table) -> Mask:
        return self.unusual_values(self._read(table))

    def hash_cells(self, table: Table) -> Hashes:
        """A hash of each number (rows,)."""
        return hash_numbers(self._read(table))

    def comparable_cells(self, table: Table) -> Floats:
        """The numbers (rows,)."""
        return self._read(table)

    def cell_errors(self, table: Table, dtype: str) -> list[CellErrors]:
        """Cells that are not numbers, or whose scaled value overflows the `dtype` of the matrix."""
        x, errors = self._read_all(table)
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.scale_values(np.where(np.isnan(x), self.fill_value, x)).astype(dtype)
        return [*errors, *_overflow_errors(z)]

    def grid(self, table: Table) -> DependenceGrid:
        """Quantiles of the column."""
        return DependenceGrid.of_quantiles(self._read(table))

    @property
    def removed_unit(self) -> str | None:
        """The currency or percent sign that is removed from each cell; see spellings.py."""
        return self.unit

    @property
    def accepts_plain_numbers(self) -> bool:
        """Whether a reader may parse the column directly as Float64: there is no unit to remove."""
        return self.unit is None

    def without_cells(self) -> Self:
        """The encoder with rounded quantiles; the smallest and the largest are the range, which stays."""
        if self.quantiles is None:
            return self
        lowest, *_, highest = (*self.quantiles, self.quantiles[-1])
        inner = (min(max(x, lowest), highest) for x in rounded_apart(self.quantiles, self.fill_value)[1:-1])
        return self.model_copy(update={"quantiles": (lowest, *inner, highest)[: len(self.quantiles)]})

    @property
    def is_linear(self) -> bool:
        """Whether the encoding is (x - center) / scale and a clip, without an indicator column."""
        return self.quantiles is None and self.scale > 0.0 and not self.missing_indicator and not self.clip_range

    def scale_values(self, x: Floats) -> Floats:
        """The scaled values of x (rows,); infinite where they overflow and are not clipped."""
        if self.clip_range:
            x = x.clip(*self.range) + 0.0  # of 0.0 and -0.0 NumPy returns either, by the position in x
        if self.quantiles is None and self.scale > 0.0:
            return scaled(x, self.center, self.scale, self.clip)
        z = np.zeros(len(x)) if self.quantiles is None else quantile_transform(x, np.array(self.quantiles))
        CLIPS[self.clip](z)
        return z

    @classmethod
    def program_input(cls, columns: Sequence[Self]) -> NumberInput:
        first = columns[0]
        check_read_alike(columns, "unit")
        typical = [column.fill_value for column in columns if column.lowest is not None]
        lowest, highest = (
            [end for end in ends if end is not None]
            for ends in ([c.lowest for c in columns], [c.highest for c in columns])
        )
        return NumberInput(
            first.name,
            first.unit,
            all(column.reads_booleans for column in columns),
            min(lowest, default=None),
            max(highest, default=None),
            float(np.median(typical)) if typical else None,
            any(column.missing_indicator for column in columns),
            is_binary=all(c.is_binary for c in columns) and len({c.range for c in columns}) == 1,
        )

    def lower(self, x: Value, column: ProgramInput) -> Value:
        missing = is_nan(x)
        z = self.lower_scale(select(missing, self.fill_value, x))
        return join([z, missing]) if self.missing_indicator else z

    def lower_scale(self, x: Value) -> Value:
        """The operations of `scale_values`; NaN where x is not finite."""
        z = x
        if self.clip_range:
            low, high = self.range
            z = minimum(maximum(z, low), high)
        if self.quantiles is None and self.scale > 0.0:
            z = lower_scaled(z, self.center, self.scale, self.clip)
        else:
            z = z * 0.0 if self.quantiles is None else lower_quantile_transform(z, np.array(self.quantiles))
            z = LOWERED_CLIPS[self.clip](z)
        return z + (x - x)

    @property
    def reads_booleans(self) -> bool:
        """Whether true is read as 1 and false as 0."""
        return (self.lowest, self.highest) == (0.0, 1.0)

    @property
    def range(self) -> tuple[float, float]:
        """The training range; infinite if the column had no value."""
        return -inf if self.lowest is None else self.lowest, inf if self.highest is None else self.highest

    def covers(self, lowest: float, highest: float) -> bool:
        """Whether the training range contains the range from `lowest` to `highest`."""
        low, high = self.range
        return low <= lowest and highest <= high

    def _is_outside(self, x: Floats) -> Mask:
        low, high = self.range
        return (x < low) | (x > high)

    def unusual_values(self, x: Floats) -> Mask:
        """Whether each number of x (rows,) is an anomaly, NaN for missing."""
        return self._is_outside(x) if self.missing_indicator else self._is_outside(x) | np.isnan(x)

    def count_anomalies(self, x: Floats, missing: int) -> ColumnAnomalies:
        """Count the anomalies among x (rows,), in which missing values have been filled."""
        lowest, highest = float(x.min(initial=inf)), float(x.max(initial=-inf))
        if self.covers(lowest, highest):
            return ColumnAnomalies(missing=missing)
        low, high = self.range
        return ColumnAnomalies(
            missing=missing,
            out_of_range=int(np.count_nonzero(self._is_outside(x))),
            lowest=lowest if lowest < low else inf,
            highest=highest if highest > high else -inf,
        )


class NumericColumn(NumberColumn):
    """A numeric feature."""

    has_direction: ClassVar[bool] = True

    type: Literal["numeric"] = "numeric"

    def in_order(self) -> NumericColumn:
        return self.model_copy(update={"clip": "ordered"}) if self.clip == "smooth" else self

    @classmethod
    def fit(cls, table: Table, name: str, options: EncodingOptions = DEFAULT_OPTIONS) -> NumericColumn:
        """Fit on `table`, the training rows. A column without a value is encoded as zeros.

        A constant column has scale 1, so that other values keep their distance; `robust` and `quantile` make it 0.

        Raises:
            DataError: a cell is not a number, or the spread of the values is not a finite number.
        """
        unit = unit_of(table, name)
        x = read_numbers(table, name, unit)
        column = cls.fit_values(table, name, x, options.numeric, options.clip)
        return column if unit is None else column.model_copy(update={"unit": unit})

    @classmethod
    def fit_values(cls, table: Table, name: str, x: Floats, scaling: NumericScaling, clip: Clip) -> NumericColumn:
        """Fit on values (rows,) that were read from `table`, NaN for missing cells; raises what `fit` does."""
        if not len(present := drop_nan(x)):
            return cls(name=name, center=0.0, scale=1.0, fill_value=0.0, missing_indicator=len(x) > 0, clip=clip)
        statistics = Statistics.of(present[None], scaling)
        check_finite_scale(table, name, x, *statistics.centers, *statistics.scales, *statistics.medians)
        (column,) = statistics.columns([name], present[None], scaling, clip)
        return column if len(present) == len(x) else column.model_copy(update={"missing_indicator": True})


NO_EXPOSURE = "is no exposure, which must be a number above 0"
CONTEXT_HINT = "Fill in a number, or remove the row."
EXTREME_EXPOSURE = f"is no exposure, which must be a number from {SMALLEST:g} to {LARGEST:g}"
EXTREME_EXPOSURE_HINT = "Correct the cell, or write the column in another unit."


class ContextColumn(NumberColumn):
    """A column that answers of rows are relative to; see row_context.py. It is no feature, and no cell may lack."""

    @classmethod
    def of(cls, table: Table, name: str) -> Self:
        """The column as `table` spells it, with 1 as its center."""
        fields = {"name": name, "center": 1.0, "scale": 1.0, "fill_value": 1.0, "missing_indicator": False}
        return cls.model_validate({**fields, "unit": unit_of(table, name)})

    @classmethod
    def fit(
        cls, table: Table, name: str, options: EncodingOptions = DEFAULT_OPTIONS, *, weights: Floats | None = None
    ) -> Self:
        """Fit on `table`, the training rows, whose sample weights (rows,) count for the mean, which is the center.

        Raises:
            DataError: a cell is missing, or not a number that it may be.
        """
        column = cls.of(table, name)
        x = column.read(table)
        center, ends = float(np.average(x, weights=weights)), {"lowest": float(x.min()), "highest": float(x.max())}
        check_finite_scale(table, name, x, center)
        return column.model_copy(update={"center": center, "fill_value": fast_median(x), **ends})

    @property
    def width(self) -> int:
        return 0

    @property
    def n_numeric(self) -> int:
        return 0

    @property
    def is_linear(self) -> bool:
        return False

    def read(self, table: Table) -> Floats:
        """The numbers (rows,).

        Raises:
            CellError: a cell is missing, or not a number that it may be.
        """
        raise_first(table, self.name, self.cell_errors(table, "float64"))
        return self._read_all(table)[0]

    def cell_errors(self, table: Table, dtype: str) -> list[CellErrors]:
        """The cells that are missing, or not numbers that they may be."""
        x, errors = self._read_all(table)
        is_read = np.ones(len(x), np.bool_)
        for error in errors:
            is_read[error.rows] = False
        # Such a cell can neither be left empty nor be a category, as the hint for a feature says.
        unreadable = [error._replace(hint=lambda cell: CONTEXT_HINT, model_hint=CONTEXT_HINT) for error in errors]
        return [*unreadable, *self._errors_of(x, is_read)]

    def _errors_of(self, x: Floats, is_read: Mask) -> list[CellErrors]:
        """The errors of numbers x (rows,), of which some are not read."""
        return CellErrors.of(is_read & np.isnan(x), "is no offset, which must be a number", CONTEXT_HINT)

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        return ColumnAnomalies()

    def unusual_cells(self, table: Table) -> Mask:
        return np.zeros(len(table), np.bool_)


class OffsetColumn(ContextColumn):
    """What is added to the predictions of a row."""

    type: Literal["offset"] = "offset"


class PositiveColumn(ContextColumn):
    """What predictions of a row are multiplied by: every cell must be a number above 0."""

    def _errors_of(self, x: Floats, is_read: Mask) -> list[CellErrors]:
        is_extreme = is_read & (x > 0.0) & ((x < SMALLEST) | (x > LARGEST))
        return [
            *CellErrors.of(is_read & ~(x > 0.0), NO_EXPOSURE, CONTEXT_HINT),
            *CellErrors.of(is_extreme, EXTREME_EXPOSURE, EXTREME_EXPOSURE_HINT),
        ]


class MultiplierColumn(PositiveColumn):
    """An exposure where the loss has no log link."""

    type: Literal["multiplier"] = "multiplier"


class ExposureColumn(PositiveColumn):
    """How long, or for how much, a row was observed: log(x / center), with the mean of the training rows as center.

    It is no feature but the offset of the network.
    """

    type: Literal["exposure"] = "exposure"

    @property
    def width(self) -> int:
        return 1

    def encode(self, table: Table, out: Matrix) -> ColumnAnomalies:
        out[:, 0] = self.scale_values(self.read(table))
        return ColumnAnomalies()

    def scale_values(self, x: Floats) -> Floats:
        return np.asarray(np.log(x / self.center))

    def lower_scale(self, x: Value) -> Value:
        return log(x / self.center)

    def lower(self, x: Value, column: ProgramInput) -> Value:
        return self.lower_scale(x)


def _overflow_errors(z: npt.NDArray[np.floating[Any]]) -> list[CellErrors]:
    """The errors of scaled values z (rows,) that are not finite."""
    reason = f"is too far from the training values: its scaled value overflows {z.dtype}"
    return CellErrors.of(~np.isfinite(z), reason, EMPTY_CELL_HINT)


def drop_nan(x: Floats) -> Floats:
    """The values of x (rows,) that are not NaN."""
    return x[~np.isnan(x)] if len(x) and np.isnan(x.min()) else x


# Fitting and encoding many numeric columns at once, with the bits of one after the other. A table of 20,000 columns has
# few rows: what NumPy and Polars need for a call is then most of the time of a column.

CACHED_CELLS = 1 << 16
"""Cells of several columns that are scaled at a time: few enough to stay in the cache."""
NO_ANOMALIES = ColumnAnomalies()


def columns_at_once(rows: int) -> int:
    """The number of columns of `rows` rows that `fit_dense` should get at a time."""
    return 1 if rows > MIN_SAMPLED_SIZE else max(CACHED_CELLS // max(rows, 1), 1)


def fit_dense(table: Table, dense: DenseColumns, scaling: NumericScaling, clip: Clip) -> list[NumericColumn]:
    """Fit columns of at least one row, which were read from `table`, with the bits of `NumericColumn.fit_values`.

    Raises:
        DataError: the spread of the values is not a finite number.
    """
    statistics = Statistics.of(dense.x, scaling)
    if np.isfinite([statistics.centers, statistics.scales, statistics.medians]).all():
        return statistics.columns(dense.names, dense.x, scaling, clip)
    columns_and_values = zip(dense.names, dense.x, strict=True)
    return [NumericColumn.fit_values(table, name, x, scaling, clip) for name, x in columns_and_values]


class Statistics(NamedTuple):
    """What is fitted of columns (columns,); centers, scales and medians are not finite where they overflow."""

    centers: Floats
    scales: Floats
    medians: Floats
    lowest: Floats
    highest: Floats

    @classmethod
    def of(cls, x: Floats, scaling: NumericScaling) -> Statistics:
        """The statistics of the values of columns (columns, rows), none missing, at least one row."""
        with np.errstate(over="ignore", invalid="ignore"):
            lowest, highest = x.min(axis=1), x.max(axis=1)
            centers, scales = _centers_and_scales(x, lowest, highest, scaling)
            return cls(centers, scales, _medians(x), lowest, highest)

    def columns(self, names: Sequence[str], x: Floats, scaling: NumericScaling, clip: Clip) -> list[NumericColumn]:
        """The fitted columns, whose values x (columns, rows) are all there."""
        lows, highs = self.lowest[:, None], self.highest[:, None]
        are_binary = ((x == lows) | (x == highs)).all(axis=1) & (self.lowest < self.highest)
        return [
            NumericColumn(
                name=name,
                center=center,
                scale=scale if scaling == "robust" else safe_scale(center, scale),
                fill_value=median,
                missing_indicator=False,
                lowest=lowest,
                highest=highest,
                quantiles=tuple(quantiles_of(values).tolist()) if scaling == "quantile" else None,
                clip=clip,
                is_binary=is_binary,
            )
            for name, values, is_binary, center, scale, median, lowest, highest in zip(
                names, x, are_binary.tolist(), *(statistic.tolist() for statistic in self), strict=True
            )
        ]


def _centers_and_scales(x: Floats, lowest: Floats, highest: Floats, scaling: NumericScaling) -> tuple[Floats, Floats]:
    """Center and scale of each column of x (columns, rows); infinite where they overflow."""
    zeros, ones = np.zeros(len(x)), np.ones(len(x))
    if scaling == "none":
        return zeros, ones
    if scaling == "standard":
        means = x.mean(axis=1)
        if x.shape[1] <= MIN_SAMPLED_SIZE:
            return means, x.std(axis=1)
        return means, np.array([std(column, mean) for column, mean in zip(x, means.tolist(), strict=True)])
    extent = highest - lowest
    if scaling == "min_max":
        return lowest, extent
    if scaling == "quantile":  # the quantiles replace both
        return zeros, np.where(np.isfinite(extent), 1.0, inf)
    if not np.isfinite(extent).all():
        return zeros, extent
    few_rows = x.shape[1] <= MIN_SAMPLED_SIZE  # of many rows, columns one by one take half of the time
    quartiles = np.quantile(x, QUARTILES, axis=1).T if few_rows else [np.quantile(column, QUARTILES) for column in x]
    centers, scales = np.array([robust_scale(*column) for column in np.array(quartiles).tolist()]).reshape(-1, 2).T
    return centers, scales


def _medians(x: Floats) -> Floats:
    """The median of each column of x (columns, rows), as `median` computes it."""
    if x.shape[1] > MIN_SAMPLED_SIZE:
        return np.array([fast_median(column) for column in x])
    last = x.shape[1] - 1
    low, high = last // 2, (last + 1) // 2
    medians: Floats = np.partition(x, sorted({low, high, last}), axis=1)[:, low : high + 1].mean(axis=1)
    return medians


def encode_many(columns: Sequence[NumericColumn], x: Floats, out: Matrix) -> list[ColumnAnomalies] | None:
    """Encode several linear columns of the same clip at once: x (columns, rows) into `out` (rows, columns).

    The bits are those of `encode`. Returns the anomalies of each column; None if `encode` would refuse a value.
    """
    center = np.array([[column.center] for column in columns])
    scale = np.array([[column.scale] for column in columns])
    clip, cells = columns[0].clip, np.empty((len(columns), max(CACHED_CELLS // len(columns), 1)))

    def encoded(x: Floats) -> Floats:
        return scaled(x, center, scale, clip, cells[:, : x.shape[1]])

    lowest, highest = x.min(axis=1), x.max(axis=1)
    with np.errstate(over="ignore"):
        # Scaling and rounding keep the order of values, so the extremes are finite only if all values are.
        extremes = [encoded(values[:, None]).astype(out.dtype) for values in (lowest, highest)]
        if not np.isfinite([lowest, highest, *np.squeeze(extremes, 2)]).all():
            return None
        for start in range(0, x.shape[1], cells.shape[1]):
            rows = slice(start, start + cells.shape[1])
            out[rows] = encoded(x[:, rows]).T
    ends_of = zip(columns, x, lowest.tolist(), highest.tolist(), strict=True)
    return [
        NO_ANOMALIES if column.covers(low, high) else column.count_anomalies(values, 0)
        for column, values, low, high in ends_of
    ]


def lower_columns(columns: Sequence[NumericColumn], x: Value) -> tuple[Value, Value]:
    """The operations that scale x (rows, columns) of several columns of the same clip, and where x is missing.

    Only for columns of which `has_plain_scaling` holds.
    """
    missing = is_nan(x)
    filled = select(missing, [column.fill_value for column in columns], x)
    centers, scales, clip = [column.center for column in columns], [column.scale for column in columns], columns[0].clip
    z = lower_scaled(filled, centers, scales, clip)
    return z if clip == "none" else z + (filled - filled), missing


def has_plain_scaling(column: NumericColumn) -> bool:
    """Whether a column is scaled by its center and its scale alone, as `lower_columns` does."""
    return column.quantiles is None and column.scale > 0.0 and not column.clip_range
