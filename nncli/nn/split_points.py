"""Split points: where the target jumps along a column, found by boosted trees on the training rows.

A quantile is rarely where the target jumps. Trees of gradient boosting find such places, also those that only
matter together with another column. Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Array, Floats, Mask

TREES, DEPTH, RATE = 40, 3, 0.2
MAX_BINS = 255
"""Bins of a column between which trees split it."""
MIN_LEAF_ROWS = 5
MIN_SHARE, MIN_GAIN = 0.01, 20.0
"""The smallest gain of a split, as a share of the gain of all, and in one tree for each target. Noise has up to 15."""
MIN_GAP = 1e-3
MIN_NEAR_ROWS, NEAR_SHARE, MIN_T = 10, 0.05, 3.0
"""The rows on each side of a cut, at least and as a share, whose means differ by so many standard errors at a jump."""
MAX_CELLS = 1 << 20
"""Cells of the rows that are used, so that the trees of a wide table take no longer."""
MIN_ROWS = 1 << 10


class SplitPoint(NamedTuple):
    """A split of a column between two neighboring values of the training rows: x <= low, or x >= high.

    Values of scaled columns that are closer than MIN_GAP are moved apart, so that a line between them can be computed.
    """

    column: int
    low: float
    high: float


def split_points(X: Array, y: npt.NDArray[Any], columns: Sequence[int], count: int) -> list[SplitPoint]:
    """The up to `count` jumps of the largest gain, added up over all trees, in some of the columns of X (rows, all).

    The columns of the result are positions in `columns`; the trees use all columns. Targets y are numbers (rows,
    targets) or class codes (rows,). Each tree reduces the squared error of all standardized targets, or of the
    indicators of the classes.
    """
    if not count:
        return []
    Y = _standardized(y)
    max_rows = max(MAX_CELLS // max(X.shape[1] * len(Y), 1), MIN_ROWS)
    step = -(-len(X) // max_rows)
    X, Y = X[::step], Y[:, ::step]
    bins, cuts = _binned(X)
    position = {column: i for i, column in enumerate(columns)}
    candidates = sorted(_splits(bins, Y).items(), key=lambda item: -item[1].total_gain)
    least = MIN_SHARE * sum(split.total_gain for _, split in candidates)
    splits = list[SplitPoint]()
    for (column, cut), split in candidates:
        if len(splits) == count or split.total_gain < least:
            break
        is_certain = split.gain >= MIN_GAIN * len(Y)
        if column in position and is_certain and _is_jump(bins[:, column], cut, Y, split.rows):
            low, high = cuts[column][cut].tolist()
            widening = max(MIN_GAP - (high - low), 0.0) / 2.0
            splits.append(SplitPoint(position[column], low - widening, high + widening))
    return splits


@dataclass
class _Split:
    """The gain of a split over all trees, and the rows (rows,) of the node where it was largest."""

    total_gain: float
    gain: float
    rows: Mask


def _splits(bins: npt.NDArray[np.int64], Y: Floats) -> dict[tuple[int, int], _Split]:
    """All splits of boosted trees, by column and cut."""
    (rows, n_columns), n_bins, residual = bins.shape, int(bins.max(initial=0)) + 1, Y.copy()
    place, every_row = bins + np.arange(n_columns) * n_bins, np.arange(rows)
    splits = dict[tuple[int, int], _Split]()
    for _ in range(TREES):
        node = np.zeros(rows, np.int64)
        for level in range(DEPTH):
            gains = _gains(place + node[:, None] * (n_columns * n_bins), residual, (2**level, n_columns, n_bins))
            best = gains.argmax(axis=1)
            column, cut = np.divmod(best, n_bins)
            for k, gain in enumerate(gains[np.arange(len(best)), best].tolist()):
                if gain <= 0.0:
                    cut[k] = n_bins  # all rows go to the left
                    continue
                split = splits.setdefault((int(column[k]), int(cut[k])), _Split(0.0, 0.0, node == k))
                split.total_gain += gain
                if gain > split.gain:
                    split.gain, split.rows = gain, node == k
            node = 2 * node + (bins[every_row, column[node]] > cut[node])
        leaf_rows = np.bincount(node, minlength=2**DEPTH) + 1.0
        for r in residual:
            r -= RATE * (np.bincount(node, r, 2**DEPTH) / leaf_rows)[node]
    return splits


def _is_jump(bins: npt.NDArray[np.int64], cut: int, Y: Floats, rows: Mask) -> bool:
    """Whether the target jumps at a cut, instead of rising over the whole column.

    The means of the nearest rows on both sides then differ clearly, and by half of the difference of all rows or more.
    """
    order = np.flatnonzero(rows)[np.argsort(bins[rows], kind="stable")]
    n_left = int(np.count_nonzero(bins[order] <= cut))
    near = max(MIN_NEAR_ROWS, round(NEAR_SHARE * len(order)))
    left, right = Y[:, order[:n_left]], Y[:, order[n_left:]]
    near_left, near_right = left[:, -near:], right[:, :near]
    local, overall = (b.mean(axis=1) - a.mean(axis=1) for a, b in ((near_left, near_right), (left, right)))
    variance = near_left.var(axis=1) / near_left.shape[1] + near_right.var(axis=1) / near_right.shape[1]
    k = int(np.argmax(np.abs(overall)))
    return bool(abs(local[k]) >= 0.5 * abs(overall[k]) and local[k] ** 2 >= MIN_T**2 * variance[k])


def _standardized(y: npt.NDArray[Any]) -> Floats:
    """The targets with mean 0 and variance 1 (targets, rows); one of each class but the first, of class codes."""
    Y = np.eye(int(y.max(initial=0)) + 1)[y.astype(np.int64)][:, 1:] if y.ndim == 1 else y.astype(np.float64)
    if (missing := np.isnan(Y)).any():  # labels that some rows lack
        Y = np.where(missing, np.nansum(Y, axis=0) / np.maximum((~missing).sum(axis=0), 1), Y)
    std = Y.std(axis=0)
    standardized: Floats = ((Y - Y.mean(axis=0)) / np.where(std > 0.0, std, 1.0)).T.copy()
    return standardized


def _binned(X: Array) -> tuple[npt.NDArray[np.int64], list[Array]]:
    """The bin of each cell (rows, columns), and the values (cuts, 2) on both sides of each cut between the bins."""
    bins, cuts = np.empty(X.shape, np.int64), list[Array]()
    for j, x in enumerate(X.T):
        values = np.unique(x)
        first = np.arange(1, len(values))
        if len(values) > MAX_BINS:
            quantiles = np.quantile(x, np.linspace(0.0, 1.0, MAX_BINS + 1)[1:-1])
            first = np.unique(np.searchsorted(values, quantiles).clip(1))
        bins[:, j] = np.searchsorted(values[first], x, side="right")
        cuts.append(np.stack([values[first - 1], values[first]], axis=1))
    return bins, cuts


def _gains(place: npt.NDArray[np.int64], residual: Floats, shape: tuple[int, int, int]) -> Floats:
    """How much each cut of each column lowers the squared error (nodes, columns · bins); `place` (rows, columns)."""
    size, columns = int(np.prod(shape)), place.shape[1]
    flat = place.reshape(-1)
    n = np.bincount(flat, minlength=size).reshape(shape).cumsum(axis=2)
    n_all = n[:, :, -1:]
    gains = np.zeros(shape)
    for r in residual:
        left = np.bincount(flat, np.repeat(r, columns), size).reshape(shape).cumsum(axis=2)
        both = left[:, :, -1:]
        gains += left**2 / (n + 1.0) + (both - left) ** 2 / (n_all - n + 1.0) - both**2 / (n_all + 1.0)
    gains[(n < MIN_LEAF_ROWS) | (n_all - n < MIN_LEAF_ROWS)] = 0.0
    return gains.reshape(shape[0], -1)
