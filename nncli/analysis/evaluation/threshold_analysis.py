"""The choice of a decision threshold by labeled rows, and what thresholds and expected costs achieve on new rows.

The figures at a threshold that was chosen by the same rows are too good. So it is chosen again in each bootstrap
resample of the rows: what it is better by on the resample than on all rows, the optimism, is subtracted. The standard
errors are those of the optimism, which varies with the rows and with the threshold that they choose.
Source: Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import singledispatch
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.base.errors import Advice, DataError, RunError, SetKey, UsageError, UseOption
from nncli.base.text import closest_match, format_number, format_percent, join_quoted, json_safe, quote
from nncli.models.held_out_rows import HeldOutRows
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.run import Run
from nncli.targets.decision import CostMatrix, Decision, LabelThresholds, RankCuts, Threshold
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.classification import one_hot
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.intervals import (
    counted_rows,
    effective_rows,
    f1_interval,
    loss_interval,
    rate_interval,
    score_interval,
)
from nncli.targets.metrics.labels import COUNTED, counted_scores, label_scores
from nncli.targets.metrics.metric import resampled_scores
from nncli.targets.metrics.ordinal import ORDINAL_METRICS
from nncli.targets.metrics.thresholds import FIGURES, ErrorCosts, Positions, ThresholdCounts, Thresholds
from nncli.targets.target import Target
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
FEW_ROWS = 10
"""Rows of a class below which a note says that they hardly tell what a threshold achieves."""
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
            figures.append(Figure(name, value, interval, float(apparent[j])))
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
) -> Figure:
    """The mean cost of the predicted `classes` (rows,), which the rows did not choose, with its interval."""
    cost = np.array(decision.costs)[y, classes]
    w = np.ones(len(y)) if weights is None else weights
    resampling = BootstrapResampler.of(len(y), seed, groups)
    drawn, drawn_w = cost[resampling.rows], w[resampling.rows]
    value = float(np.average(cost, weights=w))
    samples = resampling.samples(lambda counts: (counts * drawn_w) @ drawn / ((counts * drawn_w).sum(axis=1)))
    return Figure("cost", value, loss_interval(value, samples, resampling), value)


AT, KAPPA = UseOption("at", "at"), UseOption("kappa", "kappa", True)
COSTS = UseOption("costs", "costs", "COSTS.csv")


def goal_of(
    cost: tuple[float, float] | None,
    recall: float | None,
    precision: float | None,
    positive_rate: float | None,
    at: float | None,
    *,
    f1: bool,
) -> AnyGoal | None:
    """The goal of the options, checked; None without one."""
    for name, value in (("recall", recall), ("precision", precision), ("positive_rate", positive_rate)):
        if value is not None and not 0.0 < value <= 1.0:
            message = Advice(UseOption(name, name), f" is {value:g}")
            raise UsageError(message, hint=Advice("It is a share, such as ", UseOption(name, name, 0.9), "."))
    if at is not None and not 0.0 <= at <= 1.0:
        raise UsageError(Advice(AT, f" is {at:g}"), hint="A threshold is a probability from 0 to 1.")
    if cost is not None and not all(isfinite(amount) for amount in cost):
        recall_all = UseOption("recall", "recall", 1)
        raise UsageError(
            Advice(_cost(*cost), ": both costs must be finite numbers"),
            hint=Advice("Use a large one, such as fn=1000, or ", recall_all, " to miss no positive row."),
        )
    if cost is not None and not all(amount > 0.0 for amount in cost):
        raise UsageError(
            "both costs must be above 0", hint="With a cost of 0 one class is always best, whatever the model says."
        )
    goals: list[AnyGoal | None] = [
        None
        if cost is None or at is not None
        else LowestCost(false_positive=float(cost[0]), false_negative=float(cost[1])),
        None if recall is None else MinRecall(value=float(recall)),
        None if precision is None else MinPrecision(value=float(precision)),
        None if positive_rate is None else MaxPositiveRate(value=float(positive_rate)),
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
            f"a threshold is for two classes, and the target has {len(matrix.labels):,}",
            hint=Advice("Leave out ", AT, "."),
        )
    if positive is not None and positive not in matrix.labels:
        return goal  # which is refused with the classes
    j = 1 if positive is None else matrix.labels.index(positive)
    C = matrix.costs
    if C[0][0] or C[1][1] or not (C[0][1] and C[1][0]):
        raise UsageError(
            Advice("with ", AT, ", wrong predictions have costs above 0, and right ones none"),
            hint=Advice("Leave out ", AT, ", or use ", _cost(1, 20), "."),
        )
    return fixed_threshold(goal.threshold, (C[1 - j][j], C[j][1 - j]))


@singledispatch
def threshold_options(decision: Decision) -> tuple[UseOption, ...]:
    """The options that choose a decision; one by costs does not know the file that they came from."""
    return ()


@threshold_options.register
def _(decision: RankCuts) -> tuple[UseOption, ...]:
    return (KAPPA,)


@threshold_options.register
def _(decision: CostMatrix) -> tuple[UseOption, ...]:
    return (COSTS,)


@threshold_options.register
def _(decision: LabelThresholds) -> tuple[UseOption, ...]:
    return _goal_options(decision.goal)


@threshold_options.register
def _(decision: Threshold) -> tuple[UseOption, ...]:
    return (*_goal_options(decision.goal), UseOption("positive", "positive", decision.positive))


def _goal_options(goal: AnyGoal) -> tuple[UseOption, ...]:
    match goal:
        case LowestCost():
            return (_costs(goal.costs),)
        case HighestF1():
            return (UseOption("f1", "f1", True),)
        case MinRecall():
            return (UseOption("recall", "recall", goal.value),)
        case MinPrecision():
            return (UseOption("precision", "precision", goal.value),)
        case MaxPositiveRate():
            return (UseOption("positive_rate", "positive_rate", goal.value),)
        case FixedThreshold():
            costs = goal.costs
            return (*(() if costs is None else (_costs(costs),)), UseOption("at", "at", goal.threshold))


def _costs(costs: ErrorCosts) -> UseOption:
    return _cost(costs.false_positive, costs.false_negative)


def _cost(fp: float, fn: float) -> UseOption:
    return UseOption("cost", "cost", (fp, fn), placeholder=f"fp={fp!r},fn={fn!r}")


@dataclass(frozen=True)
class ClassDecisions:
    """The held-out rows of one class: how many there are, and how many are predicted as it, without and with costs."""

    label: str
    rows: float
    most_probable: float
    predicted: float


@dataclass(frozen=True)
class LabelDecision:
    """The threshold of one of several labels, and its figures on the rows themselves; `f1_before` is that at 0.5.

    `rows` have the label, and `predicted` are predicted to have it.
    """

    label: str
    threshold: float
    rows: float
    predicted: float
    precision: float
    recall: float
    f1: float
    f1_before: float


@dataclass(frozen=True)
class ConstantPrediction:
    """The same class for every row, that with the lowest cost: the mean cost of a row by it.

    `saving` is the fraction of that cost that the decision saves on new rows, negative if it costs more.
    """

    label: str
    cost: float
    saving: float | None


@dataclass(frozen=True)
class ThresholdAnalysis:
    """What thresholds achieve on the held-out rows of a run.

    `decision` is the one that was chosen, None if none was asked for, and `achieved` are its figures on new rows.
    `most_probable` are those of the `usual` class, which is predicted without a decision. Of two classes `curve` has
    thresholds of the `positive` one, from the lowest up, with `chosen` for the decision; of other decisions `classes`
    counts predictions. `saved` is the decision of the run now. The `rows` are a sample of `total` rows where there are
    too many. `calibrated` is the threshold that costs would give by calibrated probabilities alone, with its figures,
    which no row chose. `constant` is the best constant prediction, None without costs. Of several labels, `by_label`
    has the threshold of each, and `most_probable` are the figures of the threshold 0.5. `notes` are about unusual
    options.
    """

    run: Path
    labels: tuple[str, ...]
    rows: int
    total: int
    held_out_kind: str
    weighted: bool
    groups: int | None
    most_probable: tuple[Figure, ...]
    positive: str | None = None
    decision: Decision | None = None
    achieved: tuple[Figure, ...] = ()
    chosen: CurvePoint | None = None
    calibrated: CurvePoint | None = None
    curve: tuple[CurvePoint, ...] = ()
    classes: tuple[ClassDecisions, ...] = ()
    saved: Decision | None = None
    constant: ConstantPrediction | None = None
    by_label: tuple[LabelDecision, ...] = ()
    notes: tuple[str, ...] = ()
    usual: str = "most probable class"

    @property
    def costs_less_calibrated(self) -> bool:
        """Whether the `calibrated` threshold is expected to cost less than the chosen one, and predicts other rows."""
        if self.calibrated is None or self.calibrated.cost is None or self.chosen is None:
            return False
        is_same = replace(self.calibrated, threshold=self.chosen.threshold) == self.chosen
        return not is_same and self.calibrated.cost < self.achieved[-1].value

    @property
    def calibrated_decision(self) -> Threshold | None:
        """The decision by the `calibrated` threshold, in six digits."""
        costs = None if self.decision is None else self.decision.error_costs
        if costs is None or self.calibrated is None or self.positive is None:
            return None
        goal = fixed_threshold(float(f"{self.calibrated.threshold:.6g}"), (costs.false_positive, costs.false_negative))
        return Threshold(positive=self.positive, threshold=goal.threshold, goal=goal)

    def json(self) -> dict[str, Any]:
        """The analysis as a JSON object."""
        document = {
            **asdict(replace(self, decision=None, saved=None)),
            "run": str(self.run),
            "decision": None if self.decision is None else self.decision.model_dump(mode="json"),
            "saved": None if self.saved is None else self.saved.model_dump(mode="json"),
        }
        return {key: json_safe(value) for key, value in document.items() if key != "by_label" or value}


def analyze_threshold(
    run: Run,
    manifest: Manifest,
    rows: HeldOutRows,
    target: Target,
    positive: str | None,
    goal: AnyGoal | None,
) -> ThresholdAnalysis:
    """The analysis of a threshold of two classes. `positive` is by default the second; without a goal none is chosen.

    Raises:
        UsageError: there are more than two classes, no such class, or no threshold reaches the goal.
        DataError: all rows are of one class.
    """
    scored = two_class_rows(rows, target, positive, manifest.seed)
    costs = None if goal is None else goal.costs
    label = target.labels[1] if positive is None else positive
    analysis = ThresholdAnalysis(
        **_about(run.path, manifest, rows, target.labels),
        most_probable=scored.of_most_probable(costs),
        positive=label,
        curve=scored.curve(costs),
        notes=(
            *(() if positive is not None else _frequent_positive(run, scored, target.labels)),
            *_few_rows(scored, target.labels, label),
        ),
    )
    if goal is None:
        return analysis
    value, counts = scored.choose(goal)
    point = scored.point(value, costs)
    if not goal.is_reached(counts):
        raise _unreachable(goal, point, label)
    decision = Threshold(positive=label, threshold=value, goal=goal)
    calibrated = scored.point(goal.calibrated_threshold, costs) if isinstance(goal, LowestCost) else None
    achieved = scored.achieved(goal, value)
    constant = _best_constant(decision, rows, target.labels, achieved[-1].value)
    return replace(
        analysis, decision=decision, achieved=achieved, chosen=point, calibrated=calibrated, constant=constant
    )


def _best_constant(
    decision: Decision, rows: HeldOutRows, labels: Sequence[str], cost: float
) -> ConstantPrediction | None:
    """The best constant prediction by the costs of a decision, which itself has the mean `cost`; None without costs."""
    C = decision.cost_of(labels)
    if C is None:
        return None
    costs = np.average(C[rows.y], axis=0, weights=rows.weights)
    best = int(costs.argmin())
    return ConstantPrediction(labels[best], float(costs[best]), 1.0 - cost / costs[best] if costs[best] else None)


def _frequent_positive(run: Run, rows: TwoClassRows, labels: Sequence[str]) -> tuple[str, ...]:
    """A note if the positive class is the more frequent one, and nobody said so."""
    share = float(np.average(rows.positive, weights=rows.weights))
    if share <= 0.5:
        return ()
    with suppress(RunError):  # a run predicts without its configuration, too
        if read_config(run.path).positive_class is not None:
            return ()
    return (
        Advice(
            f"the positive class is the second of two by default, {quote(labels[1])}, and {format_percent(share)} of "
            "the rows are of it. For the rarer one: ",
            UseOption("positive", "positive", labels[0]),
        ),
    )


def _few_rows(rows: TwoClassRows, labels: Sequence[str], positive: str) -> tuple[str, ...]:
    """A note if few rows of a class choose the threshold."""
    count = int(rows.positive.sum())
    others = next(label for label in labels if label != positive)
    fewest, label = min((count, positive), (len(rows.p) - count, others))
    if fewest >= FEW_ROWS:
        return ()
    return (
        f"only {fewest} of the rows {'is' if fewest == 1 else 'are'} of class {quote(label)}: they choose the "
        "threshold, and on new rows it may achieve something else",
    )


def _expensive_right_predictions(decision: CostMatrix) -> tuple[str, ...]:
    """A note on classes that are always predicted as another one, since that costs less."""
    expensive = [
        label
        for i, label in enumerate(decision.labels)
        if decision.costs[i][i] > max(cost for j, cost in enumerate(decision.costs[i]) if j != i)
    ]
    if not expensive:
        return ()
    return (
        f"a row of class {join_quoted(expensive)} costs more if it is predicted right than by any wrong prediction",
    )


def two_class_rows(rows: HeldOutRows, target: Target, positive: str | None, seed: int) -> TwoClassRows:
    """The held-out rows with the probabilities of the positive class, by default the second.

    Raises:
        UsageError: there are more than two classes, or no such class.
        DataError: all rows are of one class.
    """
    labels = target.labels
    if len(labels) != 2:
        raise UsageError(
            f"a threshold needs two classes, and {quote(target.names[0])} has {len(labels):,}",
            hint=Advice(
                *("Write the cost of each prediction to a table, and use ", COSTS, ". Its header is "),
                f"{','.join(['actual', *labels[:20]])}, with a row for each actual class.",
            ),
        )
    if positive is not None and positive not in labels:
        close = closest_match(positive, labels)
        raise UsageError(
            f"the target has no class {quote(positive)}",
            hint=f"Did you mean {quote(close)}?" if close else f"The classes are {join_quoted(labels)}.",
        )
    j = 1 if positive is None else labels.index(positive)
    w = np.ones(len(rows)) if rows.weights is None else rows.weights
    is_positive = rows.y == j
    if not (w[is_positive].any() and w[~is_positive].any()):
        missing = labels[j if not w[is_positive].any() else 1 - j]
        raise DataError(
            f"no held-out row is of class {quote(missing)}, so no threshold can be chosen",
            hint=Advice(
                "Train on more rows of the class, or hold out more, with ", SetKey("validation", "0.3"), ", say."
            ),
        )
    P = rows.predictions.values
    return TwoClassRows(P[:, j], is_positive, P.argmax(axis=1) == j, rows.weights, rows.groups, seed)


def _unreachable(goal: AnyGoal, nearest: CurvePoint, positive: str) -> UsageError:
    """The error that no threshold reaches a goal, with the nearest one."""
    if isinstance(goal, MaxPositiveRate):
        message = f"no threshold has {goal.text}"
        fact = f"the rows of the highest probability are {format_percent(nearest.positive_rate)} of all"
    else:
        message = f"no threshold reaches a {goal.text}"
        precision, recall = format_number(nearest.precision), format_number(nearest.recall)
        fact = f"the highest precision is {precision}, with a recall of {recall}"
    fixed = FixedThreshold(threshold=nearest.threshold)
    options = threshold_options(Threshold(positive=positive, threshold=nearest.threshold, goal=fixed))
    used = (part for option in options for part in (" ", option))
    return UsageError(
        message, hint=Advice(f"The nearest threshold is {nearest.threshold!r}: {fact}. To use it:", *used)
    )


def analyze_costs(path: Path, manifest: Manifest, rows: HeldOutRows, decision: CostMatrix) -> ThresholdAnalysis:
    """The analysis of a decision by expected costs; nothing is chosen by the rows."""

    def figures(codes: NDArray[np.int64]) -> tuple[Figure, ...]:
        return (expected_costs(decision, rows.y, codes, rows.weights, rows.groups, manifest.seed),)

    analysis = _of_decision(path, manifest, rows, decision, figures)
    constant = _best_constant(decision, rows, decision.labels, analysis.achieved[0].value)
    return replace(analysis, constant=constant, notes=_expensive_right_predictions(decision))


def analyze_ranks(path: Path, manifest: Manifest, rows: HeldOutRows) -> ThresholdAnalysis:
    """The analysis of the cuts of the expected rank that have the highest kappa.

    They follow from two moments of the rows, not from a search, so the figures are not corrected for the choice.

    Raises:
        UsageError: the classes have no order.
        DataError: all rows are of one class, or predicted alike.
    """
    target, P = rows.predictions.target, rows.predictions.values
    target.require("order", KAPPA)
    decision = RankCuts.highest_kappa(P, rows.y, rows.weights)
    if decision is None:
        raise DataError(
            "the held-out rows are of one class, or are all predicted alike", hint="Train on other columns."
        )
    resampling = BootstrapResampler.of(len(rows), manifest.seed, rows.groups)
    drawn, w = resampling.rows, 1.0 if rows.weights is None else rows.weights[resampling.rows]

    def figures(codes: NDArray[np.int64]) -> tuple[Figure, ...]:
        one = one_hot(codes, P.shape[1])

        def samples(counts: Samples) -> Samples:
            resamples = ClassificationResamples(rows.y[drawn], P[drawn], counts * w, codes[drawn])
            return resampled_scores(ORDINAL_METRICS, resamples, rows.y[drawn], one[drawn], counts * w)

        of_resamples = resampling.samples(samples)
        values = [metric.function(rows.y, one, rows.weights) or 0.0 for metric in ORDINAL_METRICS]
        return tuple(
            Figure(metric.name, value, score_interval(metric, value, of_resamples[:, j], resampling), value)
            for j, (metric, value) in enumerate(zip(ORDINAL_METRICS, values, strict=True))
        )

    return _of_decision(path, manifest, rows, decision, figures)


def _of_decision(
    path: Path,
    manifest: Manifest,
    rows: HeldOutRows,
    decision: Decision,
    figures: Callable[[NDArray[np.int64]], tuple[Figure, ...]],
) -> ThresholdAnalysis:
    """The analysis of a decision about several classes by `figures` of predicted classes (rows,)."""
    target, P = rows.predictions.target, rows.predictions.values
    w = np.ones(len(rows)) if rows.weights is None else rows.weights
    before, after = (target.decision_rule.codes(P, each) for each in (None, decision))
    counts = [np.bincount(codes, w, len(target.labels)).tolist() for codes in (rows.y, before, after)]
    return ThresholdAnalysis(
        **_about(path, manifest, rows, target.labels),
        most_probable=figures(before),
        decision=decision,
        achieved=figures(after),
        usual=target.decision_rule.usual,
        classes=tuple(
            ClassDecisions(label, *class_counts) for label, *class_counts in zip(target.labels, *counts, strict=True)
        ),
    )


class _LabelCounts:
    """The thresholds of each label of some rows, and what they achieve together, also by `costs` of each label."""

    def __init__(
        self, rows: HeldOutRows, among: NDArray[np.int64], goal: AnyGoal, costs: ErrorCosts | None = None
    ) -> None:
        self._costs, self._names = costs, (*COUNTED, "cost") if costs else COUNTED
        self._goal, y, P = goal, rows.y[among], rows.predictions.values[among]
        self._weights = np.ones(len(among)) if rows.weights is None else rows.weights[among]
        self._present = [np.flatnonzero(present) for present in ~np.isnan(y).T]
        self._thresholds = [Thresholds.of(P[rows, j], y[rows, j] == 1.0) for j, rows in enumerate(self._present)]
        self._all = self._counts(np.ones((1, len(among))))

    def _counts(self, counts: Samples) -> list[ThresholdCounts]:
        """The sums at all thresholds of each label, for rows that are drawn so often."""
        weighted = counts * self._weights
        return [th.counts(weighted[:, rows]) for th, rows in zip(self._thresholds, self._present, strict=True)]

    def positions(self, of_labels: Sequence[ThresholdCounts]) -> list[Positions]:
        """The position (weightings,) of the threshold of each label; that of 0.5 without rows of both kinds."""
        chosen = []
        for thresholds, counts in zip(self._thresholds, of_labels, strict=True):
            fixed = self._goal.threshold if isinstance(self._goal, FixedThreshold) else 0.5
            positions = np.full(len(counts.total), thresholds.position(fixed))
            if not isinstance(self._goal, FixedThreshold):
                has_both = (counts.positives > 0.0) & (counts.positives < counts.total)
                positions = np.where(has_both, self._goal.choose(counts), positions)
            chosen.append(positions)
        return chosen

    def choose(self, labels: Sequence[str]) -> LabelThresholds:
        """The thresholds for the goal."""
        chosen, values = self.positions(self._all), list[float]()
        for thresholds, counts, (position,) in zip(self._thresholds, self._all, chosen, strict=True):
            is_chosen = 0.0 < counts.positives[0] < counts.total[0] and not isinstance(self._goal, FixedThreshold)
            fixed = self._goal.threshold if isinstance(self._goal, FixedThreshold) else 0.5
            values.append(thresholds.value(int(position)) if is_chosen else fixed)
        return LabelThresholds(labels=tuple(labels), thresholds=tuple(values), goal=self._goal)

    def unreached(self) -> list[bool]:
        """Whether no threshold of a label reaches the goal, so that the nearest is chosen."""
        at = [counts.at(each) for counts, each in zip(self._all, self.positions(self._all), strict=True)]
        return [not self._goal.is_reached(counts) for counts in at]

    def figures(self, counts: Sequence[ThresholdCounts], chosen: Sequence[Positions]) -> Samples:
        """COUNTED (weightings, figures) at the `chosen` thresholds of each label, and the cost of a row with costs.

        That is the sum of the mean costs of the labels.
        """
        at = [of_label.at(positions) for of_label, positions in zip(counts, chosen, strict=True)]
        hits, predicted = (np.stack([getattr(c, name)[:, 0] for c in at], axis=1) for name in ("hits", "predicted"))
        actual = np.stack([c.positives for c in at], axis=1)
        costs = [] if self._costs is None else [np.sum([c.cost(self._costs)[:, 0] for c in at], axis=0)]
        return np.stack([*counted_scores(hits, actual, predicted), *costs], axis=1)

    def achieved(self, resampling: BootstrapResampler, drawn: _LabelCounts) -> tuple[Figure, ...]:
        """The figures that are expected on new rows, by the `drawn` rows; see `TwoClassRows.achieved`."""
        apparent = self.figures(self._all, self.positions(self._all))[0]

        def optimism(counts: Samples) -> Samples:
            resampled = drawn._counts(counts)
            chosen = drawn.positions(resampled)
            every = [
                ThresholdCounts(*(np.repeat(part, len(counts), axis=0) for part in vars(of_label).values()))
                for of_label in drawn._all
            ]
            return np.asarray(self.figures(resampled, chosen) - self.figures(every, chosen))

        samples, share = resampling.samples(optimism), len(resampling.rows) / resampling.n
        means = np.zeros(len(apparent)) if isinstance(self._goal, FixedThreshold) else samples.mean(axis=0)
        values = (apparent - share * means).clip(0.0)
        figures = []
        for name, value, column, mean, seen in zip(
            self._names, values.tolist(), samples.T, means, apparent, strict=True
        ):
            interval_of, value = (loss_interval, value) if name == "cost" else (rate_interval, min(value, 1.0))
            figures.append(Figure(name, value, interval_of(value, value + column - mean, resampling), float(seen)))
        return tuple(figures)


def analyze_labels(
    path: Path, manifest: Manifest, rows: HeldOutRows, target: Target, goal: AnyGoal | None
) -> ThresholdAnalysis:
    """The analysis of the thresholds of several labels, one for each that is chosen for the goal by the rows with it.

    The thresholds are chosen again in each resample, as that of two classes is.
    """
    resampling, every = BootstrapResampler.of(len(rows), manifest.seed, rows.groups), np.arange(len(rows))
    half: AnyGoal = FixedThreshold(threshold=0.5)
    costs = None if goal is None else goal.costs
    by_goal = {
        of: (_LabelCounts(rows, every, of, costs), _LabelCounts(rows, resampling.rows, of, costs))
        for of in (half, goal or half)
    }
    before, (chosen, drawn) = by_goal[half][0], by_goal[goal or half]
    decision, unreached = chosen.choose(target.labels), chosen.unreached()
    y, P, w = rows.y, rows.predictions.values, rows.weights
    of_labels, at_half = (
        label_scores(y, P, target.labels, w, target.decision_rule.codes(P, each) == 1).by_class
        for each in (decision, None)
    )
    names = [label for label, misses in zip(target.labels, unreached, strict=True) if misses]
    note = f"no threshold of {join_quoted(names, max_words=5)} has a {decision.goal.text}: the nearest is chosen"
    return ThresholdAnalysis(
        **_about(path, manifest, rows, target.labels),
        most_probable=before.achieved(resampling, by_goal[half][1]),
        decision=None if goal is None else decision,
        achieved=() if goal is None else chosen.achieved(resampling, drawn),
        by_label=tuple(
            LabelDecision(s.label, threshold, s.support, s.predicted, s.precision, s.recall, s.f1, other.f1)
            for s, threshold, other in zip(of_labels, decision.thresholds, at_half, strict=True)
        ),
        notes=(note,) if names else (),
    )


def _about(path: Path, manifest: Manifest, rows: HeldOutRows, labels: Sequence[str]) -> dict[str, Any]:
    """What is analyzed."""
    return {
        "run": path,
        "labels": tuple(labels),
        "rows": len(rows),
        "total": rows.total,
        "held_out_kind": manifest.held_out_kind,
        "weighted": rows.weights is not None,
        "groups": None if rows.groups is None else len(np.unique(rows.groups)),
    }
