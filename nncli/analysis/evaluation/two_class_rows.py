"""Labeled rows of two classes: the threshold that they choose, and what thresholds and costs achieve on new rows.

Figures are corrected for the choice by the same rows as threshold_analysis.py describes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.decision import CostMatrix
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.intervals import counted_rows, effective_rows, f1_interval, loss_interval, rate_interval
from nncli.targets.metrics.thresholds import FIGURES, ErrorCosts, ThresholdCounts, Thresholds
from nncli.targets.threshold_goals import AnyGoal, FixedThreshold

RECALLS = (1.0, 0.99, 0.975, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""Recalls of which the thresholds are listed."""


@dataclass(frozen=True)
class ExpectedScore:
    """A figure that is expected on new rows, with its 95 % interval; `apparent` is its value on the rows themselves."""

    name: str
    value: float
    interval: ConfidenceInterval | None
    apparent: float


@dataclass(frozen=True)
class CurvePoint:
    """A threshold with its figures on the rows themselves; the cost is None without costs."""

    threshold: float
    positive_rate: float
    precision: float
    recall: float
    f1: float
    specificity: float
    cost: float | None = None


@dataclass(frozen=True)
class TwoClassRows:
    """Labeled rows: probabilities `p` of the positive class, and which rows are `positive`.

    `most_probable` (rows,) says which of them argmax predicts as positive. `weights` and `groups` are (rows,) or None.
    """

    p: Floats
    positive: NDArray[np.bool_]
    most_probable: NDArray[np.bool_]
    weights: Floats | None
    groups: NDArray[np.int64] | None
    seed: int

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds between the probabilities."""
        return Thresholds.of(self.p, self.positive)

    def counts(self, thresholds: Thresholds) -> ThresholdCounts:
        """The sums of the rows themselves, as one weighting."""
        w = np.ones(len(self.p)) if self.weights is None else self.weights
        return thresholds.counts(w[None, :])

    def choose(self, goal: AnyGoal) -> tuple[float, ThresholdCounts]:
        """The threshold for a goal, or the nearest to it, and the sums there (1, 1)."""
        thresholds = self.thresholds
        counts = self.counts(thresholds)
        if isinstance(goal, FixedThreshold):
            return goal.threshold, counts.at(np.array([thresholds.position(goal.threshold)]))
        position = goal.choose(counts)
        return thresholds.value(int(position[0])), counts.at(position)

    def achieved(self, goal: AnyGoal, threshold: float) -> tuple[ExpectedScore, ...]:
        """The figures that are expected of the threshold, which was chosen for the goal, on new rows."""
        return self._achieved(goal, goal.costs, self.p, threshold)

    def of_most_probable(self, costs: ErrorCosts | None) -> tuple[ExpectedScore, ...]:
        """The figures of the most probable class on new rows."""
        return self._achieved(FixedThreshold(threshold=0.5), costs, self.most_probable.astype(np.float64), 0.5)

    def _achieved(
        self, goal: AnyGoal, costs: ErrorCosts | None, p: Floats, threshold: float
    ) -> tuple[ExpectedScore, ...]:
        resampling = BootstrapResampler.of(len(p), self.seed, self.groups)
        rows = resampling.rows
        w = np.ones(len(rows)) if self.weights is None else self.weights[rows]
        drawn = Thresholds.of(p[rows], self.positive[rows])
        fixed, of_all = drawn.position(threshold), drawn.counts(w[None, :]).figures(costs)[0]

        def optimism(counts: Samples) -> Samples:
            resampled = drawn.counts(counts * w)
            chosen = np.full(len(counts), fixed) if isinstance(goal, FixedThreshold) else goal.choose(resampled)
            return np.asarray(resampled.at(chosen).figures(costs)[:, 0] - of_all[chosen])

        samples, share = resampling.samples(optimism), len(rows) / resampling.n
        thresholds = Thresholds.of(p, self.positive)
        position = np.array([thresholds.position(threshold)])
        apparent = self.counts(thresholds).at(position).figures(costs)[0, 0]
        # a threshold that is not chosen is as good as it seems
        means = np.zeros(len(apparent)) if isinstance(goal, FixedThreshold) else samples.mean(axis=0)
        expected = dict(zip(FIGURES, (apparent - share * means).tolist(), strict=True))
        if means.any():  # each by itself, shares would contradict each other
            prevalence = float(np.average(self.positive, weights=self.weights))
            expected |= consistent_shares(expected["recall"], expected["specificity"], prevalence)
        figures = []
        for j, name in enumerate(FIGURES if costs is not None else FIGURES[:-1]):
            value, spread = expected[name], samples[:, j] - means[j]
            if name == "cost":
                value = max(value, 0.0)
                interval = loss_interval(value, value + spread, resampling)
            else:
                value = min(max(value, 0.0), 1.0)
                interval = self._rate_interval(name, value, value + spread, resampling, p >= threshold)
            figures.append(ExpectedScore(name, value, interval, float(apparent[j])))
        return tuple(figures)

    def _rate_interval(
        self, name: str, value: float, samples: Samples, resampling: BootstrapResampler, predicted: NDArray[np.bool_]
    ) -> ConfidenceInterval | None:
        """The interval of a share of the rows that it counts, if these are `predicted` (rows,) as positive."""
        if name == "positive_rate":
            return rate_interval(value, samples, resampling)
        counted, _ = counted_rows(name, self.positive, predicted)
        n = effective_rows(counted * (1.0 if self.weights is None else self.weights), self.groups)
        if name == "f1":
            value, samples = value / (2.0 - value), samples / (2.0 - samples)
        interval = rate_interval(value, samples, resampling, n, n)
        return f1_interval(interval) if name == "f1" else interval

    def point(self, threshold: float, costs: ErrorCosts | None) -> CurvePoint:
        """A threshold with its figures."""
        thresholds = self.thresholds
        return _point(thresholds, self.counts(thresholds), thresholds.position(threshold), costs, threshold)

    def curve(self, costs: ErrorCosts | None) -> tuple[CurvePoint, ...]:
        """The highest thresholds that reach each of some recalls, from the lowest threshold up."""
        thresholds = self.thresholds
        counts = self.counts(thresholds)
        positions = {int((counts.recall[0] >= recall).argmax()) for recall in RECALLS}
        return tuple(_point(thresholds, counts, at, costs) for at in sorted(positions, reverse=True))

    def evenly_spaced(self, n: int, costs: ErrorCosts | None) -> tuple[CurvePoint, ...]:
        """At most `n` thresholds at even distances in rows, from the lowest up."""
        thresholds = self.thresholds
        counts, last = self.counts(thresholds), len(thresholds.levels)
        positions = np.unique(np.linspace(0, last, min(n, last + 1)).round().astype(np.int64))[::-1]
        return tuple(_point(thresholds, counts, at, costs) for at in positions.tolist())


def consistent_shares(recall: float, specificity: float, prevalence: float) -> dict[str, float]:
    """All shares of rows that follow from the recall, the specificity and the share of positive rows."""
    recall, specificity = min(max(recall, 0.0), 1.0), min(max(specificity, 0.0), 1.0)
    hits = recall * prevalence
    rate = hits + (1.0 - specificity) * (1.0 - prevalence)
    precision = hits / rate if rate else 0.0
    f1 = 2.0 * hits / (rate + prevalence) if rate + prevalence else 0.0
    return {"positive_rate": rate, "precision": precision, "recall": recall, "f1": f1, "specificity": specificity}


def _point(
    thresholds: Thresholds,
    counts: ThresholdCounts,
    position: int,
    costs: ErrorCosts | None,
    threshold: float | None = None,
) -> CurvePoint:
    positive_rate, precision, recall, f1, specificity, cost = (
        counts.at(np.array([position])).figures(costs)[0, 0].tolist()
    )
    value = thresholds.value(position) if threshold is None else threshold
    return CurvePoint(value, positive_rate, precision, recall, f1, specificity, None if costs is None else cost)


def expected_costs(
    decision: CostMatrix,
    y: NDArray[np.int64],
    classes: NDArray[np.int64],
    weights: Floats | None,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> ExpectedScore:
    """The mean cost of the predicted `classes` (rows,), which the rows did not choose, with its interval."""
    cost = np.array(decision.costs)[y, classes]
    w = np.ones(len(y)) if weights is None else weights
    resampling = BootstrapResampler.of(len(y), seed, groups)
    drawn, drawn_w = cost[resampling.rows], w[resampling.rows]
    value = float(np.average(cost, weights=w))
    samples = resampling.samples(lambda counts: (counts * drawn_w) @ drawn / ((counts * drawn_w).sum(axis=1)))
    return ExpectedScore("cost", value, loss_interval(value, samples, resampling), value)
