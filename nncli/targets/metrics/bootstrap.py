"""Confidence intervals by the percentile bootstrap, with every metric computed for many resamples at once.

A resample draws as many rows as there are, with replacement. It is stored as the number of times that each row was
drawn, and a row drawn twice counts as a row of weight 2. Rows of one group are drawn together, since they are not
independent. Classes are not drawn separately: their frequencies vary by chance as well.
Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 10 (ratios).

`counts` is (resamples, rows) of float64 and `weight` (rows,) or None for ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.base.dataclass import dataclass
from nncli.nn.arrays import Array

Samples: TypeAlias = NDArray[np.float64]
"""A row for each resample."""

RESAMPLES = 1_000
CONFIDENCE = 0.95
MAX_ROWS = 5_000
"""Rows to draw from. Of more rows this many are chosen, and the interval is narrowed by the root of their share."""
CHUNK_CELLS = 1 << 20
"""Cells of counts that are in memory at a time."""


@dataclass(frozen=True)
class ConfidenceInterval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class BootstrapResampler:
    """Draws bootstrap resamples of rows, or of groups of rows.

    `rows` are the positions among all `n` that are drawn from; `units` (rows,) is the group number of each, from 0.
    """

    n: int
    rows: NDArray[np.int64]
    units: NDArray[np.int64]
    seed: int
    resamples: int = RESAMPLES

    @classmethod
    def of(
        cls, n: int, seed: int, groups: NDArray[np.int64] | None = None, max_rows: int = MAX_ROWS
    ) -> BootstrapResampler:
        """A resampler of `n` rows, at least one; rows with equal numbers in `groups` (n,) are drawn together."""
        rows = np.arange(n)
        if n > max_rows:
            rows = np.sort(np.random.default_rng([seed, 1]).choice(n, max_rows, replace=False))
        units = rows if groups is None else groups[rows]
        return cls(n, rows, np.unique(units, return_inverse=True)[1].astype(np.int64), seed)

    @property
    def groups(self) -> int:
        """The number of groups to draw from."""
        return int(self.units.max()) + 1

    def counts(self) -> Iterator[Samples]:
        """The counts of each row in blocks of resamples; every iteration yields the same numbers."""
        rng, groups = np.random.default_rng([self.seed, 0]), self.groups
        step = max(1, CHUNK_CELLS // max(groups, len(self.rows)))
        for start in range(0, self.resamples, step):
            size = min(step, self.resamples - start)
            drawn = rng.integers(0, groups, (size, groups)) + np.arange(size)[:, None] * groups
            counts = np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)
            yield counts if groups == len(self.rows) else counts[:, self.units]

    def samples(self, score: Callable[[Samples], Samples]) -> Samples:
        """`score` of all resamples, computed block by block."""
        with np.errstate(all="ignore"):  # a missing denominator gives NaN, which `interval` leaves out
            return np.concatenate([score(counts) for counts in self.counts()])

    def interval(self, values: Samples, value: float) -> ConfidenceInterval | None:
        """The middle 95 % of `values` (resamples,), around the `value` of all rows.

        None if there is only one row or group, or if the value is undefined in more than half of the resamples.
        """
        defined = values[np.isfinite(values)]
        if self.groups < 2 or 2 * len(defined) < len(values):
            return None
        low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        if len(self.rows) == self.n:
            return ConfidenceInterval(float(low), float(high))
        center, shrinkage = float(np.median(defined)), sqrt(len(self.rows) / self.n)
        return ConfidenceInterval(value - shrinkage * (center - float(low)), value + shrinkage * (float(high) - center))


def bootstrap_means(values: Array, sample_weight: Array | None, members: Array, counts: Samples) -> Samples:
    """The mean of `values` (rows,) over the rows of each segment, (resamples, segments).

    `members` is (rows, segments) of 0 and 1. NaN for a segment of which a resample has no row.
    """
    W = counts if sample_weight is None else counts * sample_weight
    totals = W @ members
    return np.where(totals > 0, W @ (members * values[:, None]) / np.where(totals > 0, totals, 1), np.nan)


def group_sums(W: Samples, group: NDArray[np.integer[Any]], groups: int) -> Samples:
    """(resamples, groups): the sums of W (resamples, rows) over the rows of each group."""
    order = np.argsort(group, kind="stable")
    present, starts = np.unique(group[order], return_index=True)
    sums = np.zeros((len(W), groups))
    sums[:, present] = np.add.reduceat(W[:, order], starts, axis=1)
    return sums
