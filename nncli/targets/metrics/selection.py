"""What the best of several candidates gains over a reference, corrected for the choice.

The best of many candidates is chosen by the rows that it is scored on, so that its score is too good. Two answers:

- The gain with an interval: bootstrap bias-corrected cross-validation. In each resample the candidate is chosen by the
  rows that are drawn, and scored on those that are not. The interval is conservative: the rows that are not drawn are
  37 % of all, so that the gains vary more than a gain on all rows does. Source: Tsamardinos, Greasidou and Borboudakis,
  "Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation", 2018.
- Whether it is significant: a sign-flip test of the largest standardized gain of all candidates. If none were
  better or worse than the reference, the sign of each row's difference would be arbitrary, and the same for all
  candidates, since they share the reference and the row. Source: Westfall and Young, "Resampling-based multiple
  testing", 1993, section 2.3. Rows that are predicted by the same training share its luck, which changes sums by more
  than the signs do: each sum under the null hypothesis then has a random normal term with the variance of that luck.

`gains` are (candidates, units): for each unit, a row or a group of rows, the weighted sum of the reference's losses
less those of the candidate.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isinf
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.metrics.bootstrap import MAX_ROWS, BootstrapResampler, Samples
from nncli.targets.metrics.significance import CHUNK_CELLS, MAX_EXACT_UNITS, N_PERMUTATIONS

Gains: TypeAlias = NDArray[np.float32]

ROUNDING = 1e-5
"""Rounding error of a standardized sum of float32."""


def resampling_units(
    n: int, groups: NDArray[np.int64] | None, seed: int, max_units: int = MAX_ROWS
) -> NDArray[np.int64]:
    """The unit (n,) of each row, from 0: the row, or its group.

    More than `max_units` are merged at random into as many. A mean over all rows varies as much when merged units are
    drawn, or change their signs, as when single ones do, and no row is left out.
    """
    unit = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    count = int(unit.max()) + 1
    if count <= max_units:
        return unit
    return np.asarray((np.random.default_rng([seed, 4]).permutation(count) % max_units)[unit])


def gains_of_choices(chosen_by: Samples, scored_by: Samples) -> Samples:
    """(resamples,): the loss of the reference less that of the best candidate of each resample.

    Both are losses (resamples, candidates), of the rows that are drawn and of those that are not; the first candidate
    is the reference, and the choice among equal ones. NaN where a loss of the other rows is undefined.
    """
    choice = np.where(np.isnan(chosen_by), np.inf, chosen_by).argmin(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(scored_by[:, 0] - scored_by[np.arange(len(choice)), choice])


def gains_of_means(
    gains: Gains,
    reference: Floats,
    weight: Floats,
    seed: int,
    link: Callable[[Samples], Samples] = lambda mean: mean,
) -> Samples:
    """(resamples,): the gain of the choice of each resample, where the score is `link` of the mean loss.

    `reference` (units,) are the sums of the reference's weighted losses and `weight` (units,) those of the weights. The
    reference itself is the first of the candidates, with gains of 0.
    """

    def losses(W: Samples) -> Samples:
        total = W @ weight
        mean = (W.astype(np.float32) @ gains.T).astype(np.float64) / total[:, None]
        return link((W @ reference / total)[:, None] - mean)

    def score(counts: Samples) -> Samples:
        parts = np.array_split(counts, max(1, len(counts) * len(gains) // CHUNK_CELLS))
        return np.concatenate([gains_of_choices(losses(W), losses((W == 0).astype(np.float64))) for W in parts])[
            :, None
        ]

    return BootstrapResampler.of(len(weight), seed).samples(score)[:, 0]


def max_sign_flip_test(
    gains: Gains, seed: int, variances: Floats | None = None, degrees_of_freedom: float = inf
) -> Floats:
    """The one-sided p-value (candidates,) that a candidate is better than the reference, adjusted for all candidates.

    The probability that any candidate has a small p-value by chance is at most that p-value, however many there are
    and however much they agree. Candidates whose losses are those of the reference have the p-value 1. With few signs
    to flip, no p-value is smaller than 1 in their patterns. Hoeffding's bound, exp(-z²/2) for each candidate, is
    returned where it is the smaller value.

    `variances` (candidates,) are those of the sum of each candidate's gains that the signs of the units do not show,
    estimated with these degrees of freedom.
    """
    candidates, n = gains.shape
    p = np.ones(candidates)
    norm = np.sqrt(np.square(gains, dtype=np.float64).sum(axis=1))
    tested = np.flatnonzero(norm > 0)
    if not len(tested):
        return p
    more = np.zeros(len(tested)) if variances is None else variances[tested]
    scale = np.hypot(norm[tested], np.sqrt(more))
    Z = gains[tested] / scale[:, None].astype(np.float32)
    observed = Z.sum(axis=1, dtype=np.float64) - ROUNDING
    if not more.any() and n <= MAX_EXACT_UNITS:
        signs = (1.0 - 2.0 * (np.arange(1 << n)[:, None] >> np.arange(n) & 1)).astype(np.float32)
        largest = (signs @ Z.T).max(axis=1)
        p[tested] = (largest[:, None] >= observed).mean(axis=0)
        return p
    n_larger = _count_larger(Z, observed, np.sqrt(more) / scale, degrees_of_freedom, seed)
    p[tested] = (1 + n_larger) / (1 + N_PERMUTATIONS)
    if not more.any():
        bound = len(tested) * np.exp(-np.square(np.maximum(observed, 0.0)) / 2.0)
        p[tested] = np.minimum(p[tested], bound)
    return p


def _count_larger(Z: Gains, observed: Floats, deviations: Floats, degrees_of_freedom: float, seed: int) -> Floats:
    """In how many random patterns of signs the largest sum of `Z` (candidates, units) reaches each of `observed`.

    The sums have a random normal term with these standard deviations (candidates,).
    """
    candidates, n = Z.shape
    rng, step = np.random.default_rng([seed, 5]), max(1, CHUNK_CELLS // max(n, candidates))
    n_larger = np.zeros(candidates)
    for start in range(0, N_PERMUTATIONS, step):
        size = min(step, N_PERMUTATIONS - start)
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1)
        sums = (2.0 * bits[:, :n].astype(np.float32) - 1.0) @ Z.T
        if deviations.any():
            sums += rng.standard_normal((size, candidates)) * deviations * _spread(rng, size, degrees_of_freedom)
        n_larger += size - np.searchsorted(np.sort(sums.max(axis=1)), observed)
    return n_larger


def _spread(rng: np.random.Generator, size: int, degrees_of_freedom: float) -> Floats:
    """Standard deviations (size, 1) in units of one that was estimated."""
    if isinf(degrees_of_freedom):
        return np.ones((size, 1))
    return np.asarray(np.sqrt(degrees_of_freedom / rng.chisquare(degrees_of_freedom, (size, 1))))
