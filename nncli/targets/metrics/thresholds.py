"""Precision, recall and other figures at every threshold, for many weightings of the rows at once.

A row is predicted as positive where its probability is at least the threshold, so rows of equal probability are
predicted alike. `p` is (rows,) of probabilities of the positive class, `positive` (rows,) says which rows are of it,
and `W` (weightings, rows) holds the weights of the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Mask, RowIndices
from nncli.targets.metrics.bootstrap import Samples

FIGURES = ("positive_rate", "precision", "recall", "f1", "specificity", "cost")
"""The figures at a threshold, in the order of `ThresholdCounts.figures`; the cost is a mean over rows."""
MAX_DIGITS = 17
"""Decimal places after which two different numbers of float64 between 0 and 1 are distinguished."""


@dataclass(frozen=True)
class ErrorCosts:
    """The cost of a row that is predicted as positive and is not, and of one that is positive and not predicted."""

    false_positive: float
    false_negative: float


@dataclass(frozen=True)
class ThresholdCounts:
    """Sums of weights at every threshold, from the highest down; see `Thresholds`.

    `predicted` and `hits` (weightings, thresholds) are of the rows predicted as positive, and of those that are.
    `positives` and `total` (weightings,) are of the positive rows and of all.
    """

    predicted: Samples
    hits: Samples
    positives: Samples
    total: Samples

    @property
    def precision(self) -> Samples:
        """(weightings, thresholds); 0 where no row is predicted as positive."""
        return _ratio(self.hits, self.predicted)

    @property
    def recall(self) -> Samples:
        """(weightings, thresholds); 0 where no row is positive."""
        return _ratio(self.hits, self.positives[:, None])

    @property
    def f1(self) -> Samples:
        """(weightings, thresholds): the harmonic mean of precision and recall."""
        return _ratio(2 * self.hits, self.predicted + self.positives[:, None])

    @property
    def positive_rate(self) -> Samples:
        """(weightings, thresholds): the share of the rows that are predicted as positive."""
        return _ratio(self.predicted, self.total[:, None])

    @property
    def specificity(self) -> Samples:
        """(weightings, thresholds): the share of the rows of the other class that are not predicted as positive."""
        negatives = (self.total - self.positives)[:, None]
        return _ratio(negatives - (self.predicted - self.hits), negatives)

    def cost(self, costs: ErrorCosts) -> Samples:
        """(weightings, thresholds): the mean cost of a row."""
        missed = self.positives[:, None] - self.hits
        total = costs.false_positive * (self.predicted - self.hits) + costs.false_negative * missed
        return _ratio(total, self.total[:, None])

    def at(self, position: RowIndices) -> ThresholdCounts:
        """The sums at one threshold of each weighting: (weightings, 1)."""
        rows = np.arange(len(self.total))
        predicted, hits = self.predicted[rows, position][:, None], self.hits[rows, position][:, None]
        return ThresholdCounts(predicted, hits, self.positives, self.total)

    def figures(self, costs: ErrorCosts | None) -> Samples:
        """(weightings, thresholds, figures) in the order of FIGURES; NaN for the cost without `costs`."""
        parts = [self.positive_rate, self.precision, self.recall, self.f1, self.specificity]
        cost = np.full_like(self.predicted, np.nan) if costs is None else self.cost(costs)
        return np.stack([*parts, cost], axis=2)


@dataclass(frozen=True)
class Thresholds:
    """The thresholds between the different probabilities of some rows.

    `levels` (levels,) are these probabilities, the highest first, `order` (rows,) sorts the rows by them, and `starts`
    (levels,) are the positions of the first row of each in that order. Threshold i predicts the rows of the first i
    levels as positive. Threshold 0 predicts none; where a probability is 1 that is impossible, and it equals threshold
    1.
    """

    levels: NDArray[np.float64]
    order: RowIndices
    starts: RowIndices
    positive: Mask

    @classmethod
    def of(cls, p: NDArray[np.float64], positive: Mask) -> Thresholds:
        """The thresholds of at least one row."""
        order = np.argsort(-p, kind="stable")
        starts = np.flatnonzero(np.append(True, np.diff(p[order]) != 0))
        return cls(p[order][starts], order, starts, positive)

    def counts(self, W: Samples) -> ThresholdCounts:
        """The sums of each weighting."""
        sorted_weights = W[:, self.order]
        predicted = _cumulative(sorted_weights, self.starts)
        hits = _cumulative(sorted_weights * self.positive[self.order], self.starts)
        if self.levels[0] >= 1.0:
            predicted[:, 0], hits[:, 0] = predicted[:, 1], hits[:, 1]
        return ThresholdCounts(predicted, hits, hits[:, -1], predicted[:, -1])

    def value(self, position: int) -> float:
        """A threshold at this position, the shortest decimal near the middle between two probabilities.

        The last one, 0, predicts every row.
        """
        if position == len(self.levels):
            return 0.0
        high = 1.0 if position == 0 else float(self.levels[position - 1])
        return decimal_between(float(self.levels[position]), high)

    def position(self, threshold: float) -> int:
        """The position of a given threshold: the number of levels that are at least as high."""
        return int(np.searchsorted(-self.levels, -threshold, side="right"))


def decimal_between(low: float, high: float) -> float:
    """The shortest decimal above `low` and up to `high` that is near their middle.

    >>> decimal_between(0.0471, 0.0498), decimal_between(0.2, 0.9), decimal_between(0.5, 0.5)
    (0.048, 0.6, 0.5)
    """
    middle = (low + high) / 2
    for digits in range(1, MAX_DIGITS + 1):
        value = round(middle, digits)
        if low < value <= high:
            return value
    return high


def _cumulative(weights: Samples, starts: RowIndices) -> Samples:
    """(weightings, levels + 1): the sums of the weights of the first levels, beginning with none."""
    sums = np.zeros((len(weights), len(starts) + 1))
    np.cumsum(np.add.reduceat(weights, starts, axis=1), axis=1, out=sums[:, 1:])
    return sums


def _ratio(part: Samples, whole: Samples) -> Samples:
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
