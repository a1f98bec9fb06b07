"""The choice of a decision threshold by labeled rows, and what it achieves on new rows.

The figures at a threshold that was chosen by the same rows are too good. So it is chosen again in each bootstrap
resample of the rows: what it is better by on the resample than on all rows, the optimism, is subtracted. The standard
errors are those of the optimism, which varies with the rows and with the threshold that they choose.
Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from nncli.base.errors import UsageError
from nncli.targets.decision import CostMatrix, Threshold
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.intervals import loss_interval, rate_interval
from nncli.targets.metrics.thresholds import FIGURES, ErrorCosts, ThresholdCounts, Thresholds
from nncli.targets.threshold_goals import (
    AnyGoal,
    FixedThreshold,
    HighestF1,
    LowestCost,
    MaxPositiveRate,
    MinPrecision,
    MinRecall,
)

Floats = NDArray[np.float64]
RECALLS = (1.0, 0.99, 0.975, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
"""Recalls of which the thresholds are listed."""


@dataclass(frozen=True)
class Figure:
    """A figure that is expected on new rows, with its 95 % interval; `apparent` is its value on the rows themselves."""

    name: str
    value: float
    interval: ConfidenceInterval | None
    apparent: float


@dataclass(frozen=True)
class CurvePoint:
    """A threshold with its figures on the rows themselves; the cost is None without costs."""

    threshold: float
    rate: float
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

    def achieved(self, goal: AnyGoal, threshold: float) -> tuple[Figure, ...]:
        """The figures that are expected of the threshold, which was chosen for the goal, on new rows."""
        return self._achieved(goal, goal.costs, self.p, threshold)

    def of_most_probable(self, costs: ErrorCosts | None) -> tuple[Figure, ...]:
        """The figures of the most probable class on new rows."""
        return self._achieved(FixedThreshold(threshold=0.5), costs, self.most_probable.astype(np.float64), 0.5)

    def _achieved(self, goal: AnyGoal, costs: ErrorCosts | None, p: Floats, threshold: float) -> tuple[Figure, ...]:
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
        support = {"recall": int(self.positive.sum()), "specificity": int((~self.positive).sum())}
        figures = []
        for j, name in enumerate(FIGURES if costs is not None else FIGURES[:-1]):
            # a threshold that is not chosen is as good as it seems
            mean = 0.0 if isinstance(goal, FixedThreshold) else float(np.mean(samples[:, j]))
            value, spread = float(apparent[j]) - share * mean, samples[:, j] - mean
            if name == "cost":
                value = max(value, 0.0)
                interval = loss_interval(value, value + spread, resampling)
            else:
                value = min(max(value, 0.0), 1.0)
                rarest = None if name == "rate" else support.get(name, support["recall"])
                interval = rate_interval(value, value + spread, resampling, rarest)
            figures.append(Figure(name, value, interval, float(apparent[j])))
        return tuple(figures)

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


def _point(
    thresholds: Thresholds,
    counts: ThresholdCounts,
    position: int,
    costs: ErrorCosts | None,
    threshold: float | None = None,
) -> CurvePoint:
    rate, precision, recall, f1, specificity, cost = counts.at(np.array([position])).figures(costs)[0, 0].tolist()
    value = thresholds.value(position) if threshold is None else threshold
    return CurvePoint(value, rate, precision, recall, f1, specificity, None if costs is None else cost)


def expected_costs(
    decision: CostMatrix,
    y: NDArray[np.int64],
    classes: NDArray[np.int64],
    weights: Floats | None,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> Figure:
    """The mean cost of the predicted `classes` (rows,), which the rows did not choose, with its interval."""
    cost = np.array(decision.costs)[y, classes]
    w = np.ones(len(y)) if weights is None else weights
    resampling = BootstrapResampler.of(len(y), seed, groups)
    drawn, drawn_w = cost[resampling.rows], w[resampling.rows]
    value = float(np.average(cost, weights=w))
    samples = resampling.samples(lambda counts: (counts * drawn_w) @ drawn / ((counts * drawn_w).sum(axis=1)))
    return Figure("cost", value, loss_interval(value, samples, resampling), value)


def goal_of(
    cost: tuple[float, float] | None,
    recall: float | None,
    precision: float | None,
    rate: float | None,
    at: float | None,
    *,
    f1: bool,
) -> AnyGoal | None:
    """The goal of the options, checked; None without one."""
    for name, value in (("recall", recall), ("precision", precision), ("rate", rate)):
        if value is not None and not 0.0 < value <= 1.0:
            raise UsageError(f"--{name} is {value:g}", hint="It is a share above 0 and up to 1, for example 0.9.")
    if at is not None and not 0.0 <= at <= 1.0:
        raise UsageError(f"--at is {at:g}", hint="A threshold is a probability from 0 to 1.")
    if cost is not None and not all(isfinite(one) for one in cost):
        raise UsageError(
            f"--cost fp={cost[0]:g},fn={cost[1]:g}: both costs must be finite numbers",
            hint="Use a large one, such as fn=1000, or --recall 1 to miss no positive row.",
        )
    if cost is not None and not all(one > 0.0 for one in cost):
        raise UsageError(
            "both costs must be above 0", hint="With a cost of 0 one class is always best, whatever the model says."
        )
    goals: list[AnyGoal | None] = [
        None
        if cost is None or at is not None
        else LowestCost(false_positive=float(cost[0]), false_negative=float(cost[1])),
        None if recall is None else MinRecall(value=float(recall)),
        None if precision is None else MinPrecision(value=float(precision)),
        None if rate is None else MaxPositiveRate(value=float(rate)),
        None if at is None else fixed_threshold(at, cost),
        HighestF1() if f1 else None,
    ]
    given = [goal for goal in goals if goal is not None]
    if len(given) > 1:
        raise UsageError("a threshold has one goal, and several are given", hint="Use one of the options.")
    return given[0] if given else None


def fixed_threshold(at: float, cost: tuple[float, float] | None) -> FixedThreshold:
    """A threshold with the costs of a false positive and of a false negative, or without."""
    if cost is None:
        return FixedThreshold(threshold=float(at))
    return FixedThreshold(threshold=float(at), false_positive=float(cost[0]), false_negative=float(cost[1]))


def with_costs(goal: FixedThreshold, matrix: CostMatrix, positive: str | None) -> FixedThreshold:
    """The goal with the costs of a table of two classes; a UsageError unless a threshold can have them."""
    if len(matrix.labels) != 2:
        raise UsageError(
            f"a threshold is for two classes, and the target has {len(matrix.labels):,}", hint="Leave out --at."
        )
    if positive is not None and positive not in matrix.labels:
        return goal  # which is refused with the classes
    j = 1 if positive is None else matrix.labels.index(positive)
    C = matrix.costs
    if C[0][0] or C[1][1] or not (C[0][1] and C[1][0]):
        raise UsageError(
            "with --at, wrong predictions have costs above 0, and right ones none",
            hint="Leave out --at, or use --cost fp=1,fn=20.",
        )
    return fixed_threshold(goal.threshold, (C[1 - j][j], C[j][1 - j]))


def threshold_options(decision: Threshold | CostMatrix) -> tuple[str, ...]:
    """The words of the command line; a decision by costs does not know the file that they came from."""
    if isinstance(decision, CostMatrix):
        return ("--costs", "COSTS.csv")
    return (*_goal_options(decision.goal), "--positive", decision.positive)


def _goal_options(goal: AnyGoal) -> tuple[str, ...]:
    match goal:
        case LowestCost():
            return _costs(goal.costs)
        case HighestF1():
            return ("--f1",)
        case MinRecall():
            return ("--recall", repr(goal.value))
        case MinPrecision():
            return ("--precision", repr(goal.value))
        case MaxPositiveRate():
            return ("--rate", repr(goal.value))
        case FixedThreshold():
            costs = goal.costs
            return (*(() if costs is None else _costs(costs)), "--at", repr(goal.threshold))


def _costs(costs: ErrorCosts) -> tuple[str, str]:
    return ("--cost", f"fp={costs.false_positive!r},fn={costs.false_negative!r}")
