"""Fitting and encoding many numeric columns at once, with the bits of one after the other.

A table of 20,000 columns has few rows: what NumPy and Polars need for a call is then most of the time of a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

import numpy as np

from nncli.base.median import MIN_SAMPLED_SIZE
from nncli.data.columns.parsing import safe_scale
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.options import Clip, NumericScaling
from nncli.data.encoders.scaling import QUARTILES, clip_smoothly, quantiles_of, robust_scale
from nncli.data.encoders.scaling_lowering import lower_smooth_clip
from nncli.data.store.column_store import DenseColumns
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Matrix
from nncli.nn.program.values import Value, is_nan, select

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
    columns = _fit_at_once(dense, scaling, clip) if dense.values.shape[1] <= MIN_SAMPLED_SIZE else None
    if columns is not None:
        return columns
    columns_and_values = zip(dense.names, dense.values, strict=True)
    return [NumericColumn.fit_values(table, name, x, scaling, clip) for name, x in columns_and_values]


def _fit_at_once(dense: DenseColumns, scaling: NumericScaling, clip: Clip) -> list[NumericColumn] | None:
    """Fit columns at once; None if one is refused."""
    x = dense.values
    with np.errstate(over="ignore", invalid="ignore"):
        lowest, highest = x.min(axis=1), x.max(axis=1)
        centers, scales = _centers_and_scales(x, lowest, highest, scaling)
        fills = _medians(x)
    if not np.isfinite([centers, scales, fills]).all():
        return None
    ends = (values.tolist() for values in (centers, scales, fills, lowest, highest))
    return [
        NumericColumn(
            name=name,
            center=center,
            scale=scale if scaling == "robust" else safe_scale(center, scale),
            fill_value=fill,
            missing_indicator=False,
            lowest=low,
            highest=high,
            quantiles=tuple(quantiles_of(values).tolist()) if scaling == "quantile" else None,
            clip=clip,
        )
        for name, values, center, scale, fill, low, high in zip(dense.names, x, *ends, strict=True)
    ]


def _centers_and_scales(x: Floats, lowest: Floats, highest: Floats, scaling: NumericScaling) -> tuple[Floats, Floats]:
    """Center and scale of each column of x (columns, rows); infinite where they overflow."""
    zeros, ones = np.zeros(len(x)), np.ones(len(x))
    if scaling == "none":
        return zeros, ones
    if scaling == "standard":
        return x.mean(axis=1), x.std(axis=1)
    extent = highest - lowest
    if scaling == "min_max":
        return lowest, extent
    if scaling == "quantile":  # the quantiles replace both
        return zeros, np.where(np.isfinite(extent), 1.0, inf)
    if not np.isfinite(extent).all():
        return zeros, extent
    quartiles = np.quantile(x, QUARTILES, axis=1).T.tolist()
    centers, scales = np.array([robust_scale(*column) for column in quartiles]).reshape(-1, 2).T
    return centers, scales


def _medians(x: Floats) -> Floats:
    """The median of each column of x (columns, rows), as `median` computes it."""
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
    cells = np.empty((len(columns), max(CACHED_CELLS // len(columns), 1)))

    def scaled(x: Floats) -> Floats:
        z = cells[:, : x.shape[1]]
        np.subtract(x, center, out=z)
        z /= scale
        if columns[0].clip == "smooth":
            clip_smoothly(z)
        return z

    lowest, highest = x.min(axis=1), x.max(axis=1)
    with np.errstate(over="ignore"):
        # Scaling and rounding keep the order of values, so the extremes are finite only if all values are.
        extremes = [scaled(values[:, None]).astype(out.dtype) for values in (lowest, highest)]
        if not np.isfinite([lowest, highest, *np.squeeze(extremes, 2)]).all():
            return None
        for start in range(0, x.shape[1], cells.shape[1]):
            rows = slice(start, start + cells.shape[1])
            out[rows] = scaled(x[:, rows]).T
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
    z = (filled - [column.center for column in columns]) / [column.scale for column in columns]
    if columns[0].clip == "smooth":
        z = lower_smooth_clip(z) + (filled - filled)
    return z, missing


def has_plain_scaling(column: NumericColumn) -> bool:
    """Whether a column is scaled by its center and its scale alone, as `lower_columns` does."""
    return column.quantiles is None and column.scale > 0.0 and not column.clip_range
