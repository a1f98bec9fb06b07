"""Numbers far from all others of their column: slips of the finger, or numbers that stand for something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.checks.column import Column, SplitTable, have
from nncli.checks.findings import Finding
from nncli.errors import Location
from nncli.text import quote, yaml_quote
from nncli.utils.median import median

FAR = 10.0
"""Robust scales from the median: in a bell curve not one number in 10^23 lies so far out."""
ALONE = 5.0
"""Times as far out as the next: a long tail, as of incomes, thins out step by step."""
FEWEST = 20
"""Numbers from which it can be said what is usual."""
MOST, SHARE = 3, 1e-3
"""Outliers in a column, at most, by number or by share: more of them are a group of their own."""
STANDING_IN = frozenset(sign * 10.0**k - sign for k in range(2, 8) for sign in (1.0, -1.0))
"""99, 999, -99 …: what programs and people write where there is no number."""
NORMAL = 1.349
"""Distance of the quartiles of a bell curve, in standard deviations."""


@dataclass(frozen=True)
class Far:
    """What lies far out: the `positions` (n,) of the rows among all of the column, the farthest first."""

    positions: npt.NDArray[np.int64]
    scales: float
    middle: float
    value: float


def outliers_of(x: npt.NDArray[np.float64]) -> Far | None:
    """The few of x (rows,) that lie FAR from the median and ALONE; NaN is missing.

    The scale is the distance of the quartiles, or where more than half of the rows are equal the mean distance.
    """
    present = np.flatnonzero(np.isfinite(x))
    if len(present) < FEWEST:
        return None
    values = x[present]
    with np.errstate(over="ignore", invalid="ignore"):  # numbers near the end of all numbers
        middle = median(values)
        distance = np.abs(values - middle)
        q25, q75 = np.quantile(values, (0.25, 0.75))
        most = max(MOST, int(SHARE * len(values)))
        order = np.argpartition(distance, len(distance) - most - 1)[-most - 1 :]
        order = order[np.argsort(-distance[order], kind="stable")]
        d = distance[order]
        scale = (q75 - q25) / NORMAL or float(distance[distance <= d[-1]].mean())
        if not (np.isfinite(scale) and scale > 0.0):
            return None
        scales = d / scale
        gaps = np.flatnonzero((scales[:-1] > FAR) & (d[:-1] >= ALONE * d[1:]))
    if not len(gaps):
        return None
    found = order[: gaps[-1] + 1]
    return Far(present[found], float(scales[0]), float(middle), float(values[found[0]]))


def sentinel_values(x: npt.NDArray[np.float64]) -> tuple[float, int] | None:
    """The lowest or highest of x (rows,) and how often it comes, if it may stand for a missing number."""
    values = x[np.isfinite(x)]
    if len(values) < FEWEST:
        return None
    for end, others in ((values.min(), np.minimum), (values.max(), np.maximum)):
        rest = values[values != end]
        if float(end) not in STANDING_IN or len(rest) < FEWEST:
            continue
        count, extent = len(values) - len(rest), float(rest.max()) - float(rest.min())
        gap = abs(float(end) - float(others.reduce(rest)))
        if count > 1 and extent > 0.0 and gap > 0.5 * extent:
            return float(end), count
    return None


def outliers(column: Column, sides: SplitTable, *, clipped: bool, target: bool = False) -> Finding | None:
    """The numbers of a column that lie far from all others; of features that are `clipped` this is but a note."""
    if not column.numeric:
        return None
    cells, rows = column.cells, sides.training
    if sides.other is sides.table:  # a slip is one on either side of the split
        cells, rows = pl.concat([cells, column.held]), np.concatenate([rows, sides.held])
    x = cells.fill_null(np.nan).to_numpy()
    place = Location(source=sides.place.source, column=column.name)
    stands_in = sentinel_values(x)
    if stands_in is not None:
        value, count = stands_in
        message = (
            f"{value:g} stands in {have(count, 'row', 'rows')} of {quote(column.name)}, far from all other numbers;"
            " does it mean something else, such as a missing value?"
        )
        spelled = yaml_quote(f"{value:g}")
        mend = f"If so, list {spelled} (spelled as in the table) in data.missing_values, or empty these cells."
        return Finding("note" if clipped else "warning", "stand-in-number", place, message, mend)
    far = outliers_of(x)
    if far is None:
        return None
    numbers = [sides.number(int(rows[i])) for i in far.positions]
    more = f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else ""
    message = (
        f"{quote(column.name)} is {far.value:.6g} in row {numbers[0]:,}, {far.scales:,.0f} "
        f"robust scales from the median, {far.middle:.6g}, and far from all other rows"
    )
    if len(numbers) > 1:
        message += (
            f"; so {'are rows' if len(numbers) > 2 else 'is row'} {', '.join(f'{n:,}' for n in numbers[1:5])}{more}"
        )
    mend = "If it is a slip, mend the cell or leave it empty; if it is right, encoding: {numeric: quantile} tames it."
    if target:
        mend = "If it is a slip, mend the cell or leave the row out; if it is right, loss: huber is less drawn to it."
    place = Location(source=place.source, row=numbers[0], column=column.name)
    return Finding("note" if clipped and not target else "warning", "outlier", place, message, mend)
