"""Outliers and sentinel values in numeric columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import Location
from nncli.base.findings import Finding, FindingCode, Level
from nncli.base.median import median
from nncli.base.text import quote, yaml_quote
from nncli.fitting.checks.column import Column, SplitTable, count

MIN_SCALES = 10.0
"""Robust scales from the median: in a normal distribution not one number in 10^23 lies so far out."""
MIN_GAP = 5.0
"""Ratio of the distances of an outlier and of the next number: long tails, as of incomes, have no such gap."""
MIN_ROWS = 20
"""Fewest numbers of a column that is checked."""
MAX_OUTLIERS, MAX_OUTLIER_FRACTION = 3, 1e-3
"""Most outliers of a column, by number or by fraction: more of them are a cluster."""
SENTINELS = frozenset(sign * 10.0**k - sign for k in range(2, 8) for sign in (1.0, -1.0))
"""99, 999, -99 …: common placeholders for a missing number."""
NORMAL_IQR = 1.349
"""Interquartile range of the standard normal distribution."""


@dataclass(frozen=True)
class Outliers:
    """Outliers of a column: the `positions` (n,) of their rows, the farthest first.

    `value` is that of the farthest one, `scales` its distance from the `median` in robust scales.
    """

    positions: npt.NDArray[np.int64]
    scales: float
    median: float
    value: float


def outliers_of(x: npt.NDArray[np.float64]) -> Outliers | None:
    """The outliers of x (rows,), in which NaN is missing.

    The robust scale is the interquartile range, or the mean distance if more than half of the rows are equal.
    """
    present = np.flatnonzero(np.isfinite(x))
    if len(present) < MIN_ROWS:
        return None
    values = x[present]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the largest float
        center = median(values)
        distance = np.abs(values - center)
        q25, q75 = np.quantile(values, (0.25, 0.75))
        n = max(MAX_OUTLIERS, int(MAX_OUTLIER_FRACTION * len(values)))
        order = np.argpartition(distance, len(distance) - n - 1)[-n - 1 :]
        order = order[np.argsort(-distance[order], kind="stable")]
        d = distance[order]
        scale = (q75 - q25) / NORMAL_IQR or float(distance[distance <= d[-1]].mean())
        if not (np.isfinite(scale) and scale > 0.0):
            return None
        scales = d / scale
        gaps = np.flatnonzero((scales[:-1] > MIN_SCALES) & (d[:-1] >= MIN_GAP * d[1:]))
    if not len(gaps):
        return None
    farthest = order[: gaps[-1] + 1]
    return Outliers(present[farthest], float(scales[0]), float(center), float(values[farthest[0]]))


def sentinel_values(x: npt.NDArray[np.float64]) -> tuple[float, int] | None:
    """The minimum or maximum of x (rows,) and its count, if it may be a sentinel of missing numbers."""
    values = x[np.isfinite(x)]
    if len(values) < MIN_ROWS:
        return None
    for end, others in ((values.min(), np.minimum), (values.max(), np.maximum)):
        rest = values[values != end]
        if float(end) not in SENTINELS or len(rest) < MIN_ROWS:
            continue
        n, extent = len(values) - len(rest), float(rest.max()) - float(rest.min())
        gap = abs(float(end) - float(others.reduce(rest)))
        if n > 1 and extent > 0.0 and gap > 0.5 * extent:
            return float(end), n
    return None


def check_outliers(column: Column, split: SplitTable, *, clipped: bool, target: bool = False) -> Finding | None:
    """A finding of sentinel values, or else of outliers; only a note for features that are `clipped`."""
    if not column.numeric:
        return None
    cells, rows = column.training, split.training
    if split.validation_table is split.table:
        cells, rows = pl.concat([cells, column.validation]), np.concatenate([rows, split.validation])
    x = (cells.fill_null(np.nan) if cells.has_nulls() else cells).to_numpy()
    level: Level = "note" if clipped and not target else "warning"
    location = Location(source=split.location.source, column=column.name)
    sentinel = sentinel_values(x)
    if sentinel is not None:
        value, n = sentinel
        message = (
            f"{quote(column.name)} is {value:g} in {count(n, 'row', 'rows')}, far from all other values; "
            "does it stand for a missing value?"
        )
        spelling = yaml_quote(f"{value:g}")
        hint = f"If so, add {spelling} (spelled as in the table) to data.missing_values, or empty these cells."
        return Finding("note" if clipped else "warning", FindingCode.SENTINEL_VALUE, location, message, hint)
    outliers = outliers_of(x)
    if outliers is None:
        return None
    header, numbers = split.table.header, [split.row_number(int(rows[i])) for i in outliers.positions]
    rows_named = [header.row_name(number) for number in numbers]
    hint = (
        "If it is an error, correct or empty the cell; if it is right, encoding: {numeric: quantile} limits its effect."
    )
    if target:
        hint = "If it is an error, correct the cell or remove the row; if it is right, loss: huber limits its effect."
    location = header.location_of(numbers[0], column.name)
    return Finding(level, FindingCode.OUTLIER, location, _message(column.name, outliers, rows_named), hint)


def _message(name: str, outliers: Outliers, rows: Sequence[str]) -> str:
    """The farthest outlier, and the `rows` of all."""
    message = (
        f"{quote(name)} is {outliers.value:.6g} in row {rows[0]}, {outliers.scales:,.0f} "
        f"robust scales from the median ({outliers.median:.6g})"
    )
    if len(rows) == 1:
        return message
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    others = ", ".join(rows[1:5])
    return f"{message}; {'rows' if len(rows) > 2 else 'row'} {others}{more} too"
