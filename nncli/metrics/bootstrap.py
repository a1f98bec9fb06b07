"""How sure a score is: percentile intervals of the bootstrap, every metric of it computed for many resamples at once.

A resample draws as many rows as there are, with replacement; it is held as the number of times that each row was drawn,
and a row drawn twice counts as a row of weight 2. Rows of one group are drawn together, since they are no evidence of
their own. Classes are not drawn apart: how many there are of each is as much a matter of chance as the rest.
Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapters 13 and 10 (ratios).

Everywhere `counts` is (resamples, rows) of float64, `weight` (rows,) or None for ones, and what comes back has a row
for each resample and a column for each metric of `headline()`, NaN where it is undefined. NumPy may warn of that;
`Resampling.samples` keeps it silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.metrics.classification import BINS, LOG_LOSS_EPS, Codes, Floats

Samples: TypeAlias = NDArray[np.float64]
"""A row for each resample."""

RESAMPLES = 1_000
CONFIDENCE = 0.95
MOST_ROWS = 5_000
"""Rows that are drawn from: of more, so many are chosen, and what they spread is narrowed as the root of the share."""
AT_ONCE = 1 << 20
"""Cells of counts that are in memory at a time."""
MOST_AREAS = 40_000
"""Rows times classes beyond which the area under the ROC curve is not worked out again for every resample."""


@dataclass(frozen=True)
class ConfidenceInterval:
    """Where a number lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class BootstrapResampler:
    """The rows that resamples are drawn from, and how often each is in each of them.

    `rows` are positions among all `n`; `units` (rows,) numbers the group of each, from 0.
    """

    n: int
    rows: NDArray[np.int64]
    units: NDArray[np.int64]
    seed: int
    resamples: int = RESAMPLES

    @classmethod
    def of(
        cls, n: int, seed: int, groups: NDArray[np.int64] | None = None, most: int = MOST_ROWS
    ) -> BootstrapResampler:
        """Of `n` rows, at least one; `groups` (n,) says which belong together, by any numbers."""
        rows = np.arange(n)
        if n > most:
            rows = np.sort(np.random.default_rng([seed, 1]).choice(n, most, replace=False))
        units = rows if groups is None else groups[rows]
        return cls(n, rows, np.unique(units, return_inverse=True)[1].astype(np.int64), seed)

    @property
    def groups(self) -> int:
        """How many there are to draw from."""
        return int(self.units.max()) + 1

    def counts(self) -> Iterator[Samples]:
        """How often each row was drawn, some resamples at a time; the same every time it is asked for."""
        rng, groups = np.random.default_rng([self.seed, 0]), self.groups
        step = max(1, AT_ONCE // max(groups, len(self.rows)))
        for start in range(0, self.resamples, step):
            size = min(step, self.resamples - start)
            drawn = rng.integers(0, groups, (size, groups)) + np.arange(size)[:, None] * groups
            counts = np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)
            yield counts if groups == len(self.rows) else counts[:, self.units]

    def samples(self, score: Callable[[Samples], Samples]) -> Samples:
        """`score` of all resamples, from some at a time."""
        with np.errstate(all="ignore"):  # without a denominator there is a NaN, which `interval` leaves out
            return np.concatenate([score(counts) for counts in self.counts()])

    def interval(self, values: Samples, value: float) -> ConfidenceInterval | None:
        """The middle 95 % of what the resamples gave (resamples,), about the `value` of all rows.

        None where there is but one row, or most resamples leave the number undefined.
        """
        known = values[np.isfinite(values)]
        if self.groups < 2 or 2 * len(known) < len(values):
            return None
        low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
        if len(self.rows) == self.n:
            return ConfidenceInterval(float(low), float(high))
        center, narrowed = float(np.median(known)), sqrt(len(self.rows) / self.n)
        return ConfidenceInterval(value - narrowed * (center - float(low)), value + narrowed * (float(high) - center))


def bootstrap_classification(y: Codes, P: Floats, sample_weight: Floats | None, counts: Samples) -> Samples:
    """(resamples, 7): the metrics of `ClassificationScores.headline`, in its order."""
    K, said = P.shape[1], P.argmax(axis=1)
    exact: NDArray[np.float64] = P.astype(np.float64)
    W = counts if sample_weight is None else counts * sample_weight
    total, hit = W.sum(axis=1), said == y
    support, predicted, hits = _sums(W, y, K), _sums(W, said, K), _sums(W * hit, y, K)
    present, met = support > 0, (support + predicted) > 0
    recall = np.where(present, hits / np.where(present, support, 1), 0)
    f1 = np.where(met, 2 * hits / np.where(met, support + predicted, 1), 0)
    rows = np.arange(len(y))
    clipped = exact.clip(LOG_LOSS_EPS, 1 - LOG_LOSS_EPS)
    surprise = -np.log(clipped[rows, y] / clipped.sum(axis=1))
    distance = _distance(y, exact) / (2 if K == 2 else 1)
    confidence = exact.max(axis=1)
    which = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
    return np.column_stack(
        (
            hits.sum(axis=1) / total,
            recall.sum(axis=1) / present.sum(axis=1),
            f1.sum(axis=1) / met.sum(axis=1),
            _areas(y, exact, W),
            W @ surprise / total,
            W @ distance / total,
            np.abs(_sums(W * (hit - confidence), which, BINS)).sum(axis=1) / total,
        )
    )


def bootstrap_regression(
    y: Floats, prediction: Floats, sample_weight: Floats | None, quantile: float | None, counts: Samples
) -> Samples:
    """(resamples, 5, or 6 with a `quantile`): the metrics of `RegressionScores.headline`, in its order."""
    y = y.astype(np.float64)
    e = y - prediction
    W = counts if sample_weight is None else counts * sample_weight
    size, total = np.abs(e), W.sum(axis=1)
    squares = W @ np.square(e)
    centered = y - y.mean()
    spread = W @ np.square(centered) - np.square(W @ centered) / total
    varied = spread > np.finfo(np.float64).eps * (W @ np.square(centered))
    order = np.argsort(size)
    below = np.cumsum(W[:, order], axis=1)
    half = below[:, -1:] / 2
    slack = below[:, -1:] * len(y) * np.finfo(np.float64).eps
    lower = (below < half - slack).sum(axis=1).clip(max=len(y) - 1)
    upper = (below <= half + slack).sum(axis=1).clip(max=len(y) - 1)
    columns = [
        np.sqrt(squares / total),
        W @ size / total,
        (size[order[lower]] + size[order[upper]]) / 2,
        np.where(varied, 1 - squares / np.where(varied, spread, 1), np.nan),
        W @ np.abs(e / np.where(y == 0, np.nan, y)) / total,
    ]
    if quantile is not None:
        columns.append(W @ np.maximum(quantile * e, (quantile - 1) * e) / total)
    return np.column_stack(columns)


def bootstrap_means(values: Floats, sample_weight: Floats | None, members: Floats, counts: Samples) -> Samples:
    """(resamples, segments): the mean of `values` (rows,) over the rows of each segment; `members` is (rows, segments)
    of 0 and 1. NaN for a segment of which a resample has no row."""
    W = counts if sample_weight is None else counts * sample_weight
    whole = W @ members
    return np.where(whole > 0, W @ (members * values[:, None]) / np.where(whole > 0, whole, 1), np.nan)


def _sums(W: Samples, which: NDArray[np.integer[Any]], groups: int) -> Samples:
    """(resamples, groups): the sums of W (resamples, rows) over the rows of each group."""
    order = np.argsort(which, kind="stable")
    there, starts = np.unique(which[order], return_index=True)
    sums = np.zeros((len(W), groups))
    sums[:, there] = np.add.reduceat(W[:, order], starts, axis=1)
    return sums


def _distance(y: Codes, P: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distance (rows,) of probabilities from the truth, without a table of zeros and ones."""
    own = P[np.arange(len(y)), y]
    return np.asarray(np.square(P).sum(axis=1) - np.square(own) + np.square(1 - own))


def _areas(y: Codes, P: NDArray[np.float64], W: Samples) -> NDArray[np.float64]:
    """The area under the ROC curve (resamples,), as `roc_auc` has it; NaN where it is not worked out."""
    n, K = P.shape
    if n * K > MOST_AREAS:
        return np.full(len(W), np.nan)
    classes = [1] if K == 2 else [k for k in range(K) if (y == k).any()]
    areas = [_area(y == k, P[:, k], W) for k in classes] or [np.full(len(W), np.nan)]
    defined = np.isfinite(areas)
    return np.asarray(np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0))


def _area(positive: NDArray[np.bool_], score: NDArray[np.float64], W: Samples) -> NDArray[np.float64]:
    levels, level = np.unique(score, return_inverse=True)
    hits, misses = _sums(W * positive, level, len(levels)), _sums(W * ~positive, level, len(levels))
    beaten = np.cumsum(misses, axis=1) - misses / 2
    return np.asarray((hits * beaten).sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1)))
