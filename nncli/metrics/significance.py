"""Two sets of predictions on the very same rows: which loses less, by how much, and whether chance alone would do it.

Pairing takes out what both have in common, such as rows that nobody gets right, so that it tells apart what two
separate intervals do not. The test asks how often signs thrown by a coin would give so large a mean difference: were
neither of the two better, each row's difference might as well have been the other way round.
Source: Fisher, "The design of experiments", 1935, section 21 (for the test); Holm, "A simple sequentially rejective
multiple test procedure", 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.metrics.bootstrap import MAX_ROWS, BootstrapResampler, ConfidenceInterval
from nncli.nn.arrays import Floats

MAX_EXACT_UNITS = 13
"""Units up to which every way to throw the signs is tried; 8,192 ways."""
N_PERMUTATIONS = 9_999
"""Throws of the coins where there are more, so that no p-value is below 1 in 10,000."""
AT_ONCE = 1 << 22
"""Signs that are in memory at a time."""
ROUNDING = 1e-12
"""The share of a difference by which sums of the same numbers in another order may miss it."""


@dataclass(frozen=True)
class PairedTest:
    """The mean of the differences, where it lies with 95 % confidence, and how often chance gives as much.

    `units` are the rows, or the groups of rows, that were each thrown a sign of their own.
    """

    units: int
    mean: float
    interval: ConfidenceInterval | None
    p: float


def paired_test(
    differences: Floats, sample_weight: Floats | None, groups: NDArray[np.int64] | None, seed: int
) -> PairedTest:
    """Compare by `differences` (rows,) of losses, which are finite, of at least one row.

    Rows of one group, by the numbers `groups` (rows,), are no evidence of their own: they are drawn, and turn their
    signs, together. Rows count with their `weight` (rows,), not all of them 0.
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
    """The p-value, two-sided, of sums (units,) that are symmetric about 0 if nothing is to be found.

    Of more than `MAX_ROWS` units, some that are drawn at random turn their sign together, which is a test as exact.
    """
    if len(sums) > MAX_ROWS:
        sums = np.bincount(rng.permutation(len(sums)) % MAX_ROWS, sums).astype(np.float64)
    n, seen = len(sums), abs(float(sums.sum()))
    least = seen - ROUNDING * float(np.abs(sums).sum())
    if least <= 0:
        return 1.0
    if n <= MAX_EXACT_UNITS:
        signs = 1.0 - 2.0 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)
        return float(np.mean(np.abs(signs @ sums) >= least))
    found, step = 0, max(1, AT_ONCE // n)
    for start in range(0, N_PERMUTATIONS, step):
        size = min(step, N_PERMUTATIONS - start)
        thrown = np.unpackbits(np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1)
        totals = thrown[:, :n].astype(np.float64) @ sums
        found += int(np.count_nonzero(np.abs(2.0 * totals - sums.sum()) >= least))
    return (1 + found) / (1 + N_PERMUTATIONS)


def holm_correction(values: Sequence[float], family: int) -> list[float]:
    """The p-values of some of a `family` of tests such that one of all tests is wrongly found with no more than that.

    >>> holm([0.01, 0.04], 2)
    [0.02, 0.04]
    """
    adjusted, most = [0.0] * len(values), 0.0
    for rank, i in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
        most = max(most, min(1.0, values[i] * (family - rank)))
        adjusted[i] = most
    return adjusted
