"""Paired significance tests for two sets of predictions on the same rows.

Pairing removes what both have in common, such as rows that are hard for every model, so that it detects differences
that two separate intervals do not. The test is a sign-flip (randomization) test: if neither is better, the sign of each
row's difference is arbitrary.
Source: Fisher, "The design of experiments", 1935, section 21 (for the test); Holm, "A simple sequentially rejective
multiple test procedure", 1979; Hoeffding, "Probability inequalities for sums of bounded random variables", 1963 (for
p-values below those that random sign patterns can resolve).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log, sqrt

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.metrics.bootstrap import MAX_ROWS, ConfidenceInterval

MAX_EXACT_UNITS = 13
"""Number of units up to which all sign patterns are tried; 8,192 of them."""
N_PERMUTATIONS = 9_999
"""Number of random sign patterns for more units, which resolve p-values down to 1 in 10,000."""
CHUNK_CELLS = 1 << 22
"""Number of signs in memory at a time."""
N_SHUFFLES = 999
"""Number of shuffles of the max T test; the smallest p-value is 1 in 1,000."""
ROUNDING = 1e-12
"""Relative rounding error of a sum of the same numbers in another order."""


LEVEL = 0.05
"""Significance level of a test, and of the interval beside it."""


@dataclass(frozen=True)
class PairedTest:
    """The mean difference, its confidence interval, and its p-value.

    `units` is the number of rows, or groups of rows, with a sign of their own. The interval excludes 0 if, and only if,
    the p-value is below the level of its lower limit, or of its upper one for a mean below 0. None without two limits.
    """

    units: int
    mean: float
    interval: ConfidenceInterval | None
    p: float


def paired_test(
    differences: Floats,
    sample_weight: Floats | None,
    groups: NDArray[np.int64] | None,
    seed: int,
    levels: tuple[float, float] = (LEVEL, LEVEL),
) -> PairedTest:
    """Test the mean of finite `differences` (rows,) of losses, of at least one row.

    Rows with equal numbers in `groups` (rows,) are not independent: they change sign together. Rows count by
    `sample_weight` (rows,), not all of it 0. `levels` are those of a two-sided test at the lower and at the upper limit
    of the interval, which holds the means that such a test does not reject.
    """
    w = np.ones(len(differences)) if sample_weight is None else sample_weight
    mean = float(np.average(differences, weights=w))
    unit = np.arange(len(differences)) if groups is None else np.unique(groups, return_inverse=True)[1]
    units = np.column_stack([np.bincount(unit, w * differences), np.bincount(unit, w)]).astype(np.float64)
    flips = _SignFlips.of(units, np.random.default_rng([seed, 2]))
    return PairedTest(len(units), mean, flips.interval(levels), flips.p)


def sign_flip_test(sums: Floats, rng: np.random.Generator) -> float:
    """The two-sided p-value of sums (units,), which are symmetric about 0 under the null hypothesis.

    More than `MAX_ROWS` units are merged at random into `MAX_ROWS` that change sign together; the test stays exact.
    Hoeffding's bound, 2 exp(-S² / (2 Σ sums²)) for the sum S, holds for any number of units and is returned where it is
    the smaller value.
    """
    return _SignFlips.of(sums[:, None], rng).p


@dataclass(frozen=True)
class _SignFlips:
    """Sign patterns of units, whose first column are the sums of differences, and the second one those of weights.

    `halves` (patterns, columns) are the sums over the units that keep their sign. They are `exact` if all patterns are
    among them; else the observed signs count as one more.
    """

    units: Floats
    halves: Floats
    exact: bool

    @classmethod
    def of(cls, units: Floats, rng: np.random.Generator) -> _SignFlips:
        """All patterns of few units, or N_PERMUTATIONS random ones."""
        if len(units) > MAX_ROWS:
            merged = rng.permutation(len(units)) % MAX_ROWS
            units = np.column_stack([np.bincount(merged, column) for column in units.T])
        n = len(units)
        if n <= MAX_EXACT_UNITS:
            bits = np.arange(1 << n)[:, None] >> np.arange(n) & 1
            return cls(units, bits @ units, True)
        halves, step = [], max(1, CHUNK_CELLS // n)
        for start in range(0, N_PERMUTATIONS, step):
            size = min(step, N_PERMUTATIONS - start)
            packed = np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1)
            halves.append(np.unpackbits(packed, axis=1)[:, :n].astype(np.float64) @ units)
        return cls(units, np.concatenate(halves), False)

    @property
    def p(self) -> float:
        """The two-sided p-value of the sum of differences."""
        sums = self.units[:, 0]
        threshold = abs(float(sums.sum())) - self._rounding
        if threshold <= 0:
            return 1.0
        n_extreme = int(np.count_nonzero(np.abs(2.0 * self.halves[:, 0] - sums.sum()) >= threshold))
        if self.exact:
            return n_extreme / len(self.halves)
        return min((1 + n_extreme) / (1 + len(self.halves)), _hoeffding_bound(sums))

    @property
    def _rounding(self) -> float:
        return ROUNDING * float(np.abs(self.units[:, 0]).sum())

    def interval(self, levels: tuple[float, float]) -> ConfidenceInterval | None:
        """The means that the test does not reject at the level of their side; None if there is no limit to them.

        The differences from a mean are as extreme under a pattern as they are observed if the mean lies between that of
        the units which keep their sign and that of the others. Source: Hartigan, "Using subsample values as typical
        values", 1969.
        """
        halves = np.stack([self.halves, self.units.sum(axis=0) - self.halves])
        sums, weights = np.where(np.abs(halves[..., 0]) <= self._rounding / 2, 0.0, halves[..., 0]), halves[..., 1]
        has_both = (weights > ROUNDING * self.units[:, 1].sum()).all(axis=0)
        means = sums[:, has_both] / weights[:, has_both]
        always = len(self.halves) - means.shape[1] + (not self.exact)
        limits = [
            side
            * self._limit(np.sort(side * (means.min(axis=0) if side > 0 else means.max(axis=0))), always, level, side)
            for side, level in zip((1.0, -1.0), levels, strict=True)
        ]
        return ConfidenceInterval(*limits) if np.isfinite(limits).all() else None

    def _limit(self, lowest: Floats, always: int, level: float, side: float) -> float:
        """The lower limit, of means with the sign of `side`.

        `lowest` are in ascending order the means from which on a pattern is extreme, as `always` many are everywhere.
        """
        needed = ceil(level * (len(lowest) + always) * (1.0 - ROUNDING)) - always
        limit = float(lowest[needed - 1]) if needed > 0 else -np.inf
        if self.exact:
            return limit
        scale, w = float(np.abs(self.units[:, 0]).max()) or 1.0, self.units[:, 1]  # so that no square overflows
        s = side * self.units[:, 0] / scale  # whose Hoeffding's bound is the level at one of two roots
        S, W, c = s.sum(), w.sum(), 2.0 * log(2.0 / level)
        a, b, d = W * W - c * (w @ w), W * S - c * (s @ w), S * S - c * (s @ s)
        return max(limit, scale * float((b - sqrt(max(b * b - a * d, 0.0))) / a)) if a > 0 else limit


def _hoeffding_bound(sums: Floats) -> float:
    """An upper bound of the two-sided p-value, for finite sums that are not all 0."""
    unit = sums / np.abs(sums).max()  # so that no square overflows
    return 2.0 * float(np.exp(-(unit.sum() ** 2) / (2.0 * (unit @ unit))))


def holm_correction(values: Sequence[float], family: int) -> list[float]:
    """Holm's adjustment of p-values, of which there are `family` tests in all.

    >>> holm_correction([0.01, 0.04], 2)
    [0.02, 0.04]
    """
    adjusted, largest = [0.0] * len(values), 0.0
    for rank, i in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        largest = max(largest, min(1.0, values[i] * (family - rank)))
        adjusted[i] = largest
    return adjusted


def max_t_test(values: Floats, members: Floats, seed: int) -> Floats:
    """The adjusted p-value (segments,) that the mean of `values` (units,) is higher in a segment than elsewhere.

    `members` (units, segments) are the weights of the units in each segment. If a segment is like the others, the
    values could belong to any unit: they are shuffled among the units, and each segment's sum is compared with the
    largest sum of all segments, in standard deviations of its own shuffles. So the probability that any segment has a
    small p-value by chance is that p-value, whatever the number of segments and however they overlap.
    """
    n, largest_value = len(values), float(np.abs(values).max())
    if not 0 < largest_value < np.inf:
        return np.ones(members.shape[1])
    deviations = values / largest_value
    deviations -= deviations.mean()
    deviations[np.abs(deviations) <= ROUNDING] = 0.0
    centered = members - members.mean(axis=0)
    scale = np.sqrt((centered**2).sum(axis=0) * (deviations**2).sum() / max(n - 1, 1))
    tested = scale > ROUNDING * np.abs(members).sum(axis=0)
    if not tested.any():
        return np.ones(members.shape[1])
    weights = centered[:, tested] / scale[tested]
    observed = deviations @ weights
    rng, n_larger = np.random.default_rng([seed, 3]), np.zeros(len(observed))
    step = max(1, min(N_SHUFFLES, CHUNK_CELLS // n))
    for start in range(0, N_SHUFFLES, step):
        shuffled = rng.permuted(np.tile(deviations, (min(step, N_SHUFFLES - start), 1)), axis=1)
        largest = (shuffled @ weights).max(axis=1)
        n_larger += (largest[:, None] >= observed - ROUNDING * np.abs(observed)).sum(axis=0)
    p = np.ones(members.shape[1])
    p[tested] = (1 + n_larger) / (1 + N_SHUFFLES)
    return p
