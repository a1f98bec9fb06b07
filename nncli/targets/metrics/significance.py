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

import numpy as np
from numpy.typing import NDArray

from nncli.base.dataclass import dataclass
from nncli.nn.arrays import Floats
from nncli.targets.metrics.bootstrap import MAX_ROWS, BootstrapResampler, ConfidenceInterval

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


@dataclass(frozen=True)
class PairedTest:
    """The mean difference, its 95 % confidence interval, and its p-value.

    `units` is the number of rows, or groups of rows, with a sign of their own.
    """

    units: int
    mean: float
    interval: ConfidenceInterval | None
    p: float


def paired_test(
    differences: Floats, sample_weight: Floats | None, groups: NDArray[np.int64] | None, seed: int
) -> PairedTest:
    """Test the mean of finite `differences` (rows,) of losses, of at least one row.

    Rows with equal numbers in `groups` (rows,) are not independent: they are drawn, and change sign, together. Rows
    count by `sample_weight` (rows,), not all of it 0.
    """
    resampling = BootstrapResampler.of(len(differences), seed, groups)
    w = np.ones(len(differences)) if sample_weight is None else sample_weight
    mean = float(np.average(differences, weights=w))
    d, v = differences[resampling.rows], w[resampling.rows]
    means = resampling.samples(lambda counts: (counts @ (v * d) / (counts @ v))[:, None])
    interval = resampling.interval(means[:, 0], mean)
    unit = np.arange(len(differences)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums = np.bincount(unit, w * differences).astype(np.float64)
    return PairedTest(len(sums), mean, interval, sign_flip_test(sums, np.random.default_rng([seed, 2])))


def sign_flip_test(sums: Floats, rng: np.random.Generator) -> float:
    """The two-sided p-value of sums (units,), which are symmetric about 0 under the null hypothesis.

    More than `MAX_ROWS` units are merged at random into `MAX_ROWS` that change sign together; the test stays exact.
    Hoeffding's bound, 2 exp(-S² / (2 Σ sums²)) for the sum S, holds for any number of units and is returned where it is
    the smaller value.
    """
    if len(sums) > MAX_ROWS:
        sums = np.bincount(rng.permutation(len(sums)) % MAX_ROWS, sums).astype(np.float64)
    n, observed = len(sums), abs(float(sums.sum()))
    threshold = observed - ROUNDING * float(np.abs(sums).sum())
    if threshold <= 0:
        return 1.0
    if n <= MAX_EXACT_UNITS:
        signs = 1.0 - 2.0 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)
        return float(np.mean(np.abs(signs @ sums) >= threshold))
    n_extreme, step = 0, max(1, CHUNK_CELLS // n)
    for start in range(0, N_PERMUTATIONS, step):
        size = min(step, N_PERMUTATIONS - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1)
        totals = bits[:, :n].astype(np.float64) @ sums
        n_extreme += int(np.count_nonzero(np.abs(2.0 * totals - sums.sum()) >= threshold))
    return min((1 + n_extreme) / (1 + N_PERMUTATIONS), _hoeffding_bound(sums))


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
