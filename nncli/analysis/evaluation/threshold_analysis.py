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
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.threshold_options import COSTS, KAPPA, fixed_threshold, threshold_options
from nncli.analysis.evaluation.two_class_rows import CurvePoint, ExpectedScore, TwoClassRows, expected_costs
from nncli.base.errors import Advice, DataError, RunError, SetKey, UsageError, UseOption
from nncli.base.text import closest_match, format_number, format_percent, join_quoted, json_safe, quote
from nncli.models.held_out_rows import HeldOutRows
from nncli.nn.arrays import RowIndices
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.run import Run
from nncli.targets.decision import BestConstant, CostMatrix, Decision, LabelThresholds, RankCuts, Threshold
from nncli.targets.metrics.bootstrap import BootstrapResampler, Samples
from nncli.targets.metrics.classification import one_hot
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.intervals import loss_interval, rate_interval, score_interval
from nncli.targets.metrics.labels import COUNTED, counted_scores, label_scores
from nncli.targets.metrics.metric import resampled_scores
from nncli.targets.metrics.ordinal import ORDINAL_METRICS
from nncli.targets.metrics.thresholds import ErrorCosts, ThresholdCounts, Thresholds
from nncli.targets.target import Target
from nncli.targets.threshold_goals import AnyGoal, FixedThreshold, LowestCost, MaxPositiveRate

FEW_ROWS = 10
"""Rows of a class below which a note says that they hardly tell what a threshold achieves."""


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
    most_probable: tuple[ExpectedScore, ...]
    positive: str | None = None
    decision: Decision | None = None
    achieved: tuple[ExpectedScore, ...] = ()
    chosen: CurvePoint | None = None
    calibrated: CurvePoint | None = None
    curve: tuple[CurvePoint, ...] = ()
    classes: tuple[ClassDecisions, ...] = ()
    saved: Decision | None = None
    constant: BestConstant | None = None
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


def _best_constant(decision: Decision, rows: HeldOutRows, labels: Sequence[str], cost: float) -> BestConstant | None:
    """The best constant prediction by the costs of a decision, which itself has the mean `cost`; None without costs."""
    C = decision.cost_of(labels)
    if C is None:
        return None
    costs = np.average(C[rows.y], axis=0, weights=rows.weights)
    best = int(costs.argmin())
    return BestConstant.of(labels[best], float(costs[best]), cost)


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

    def figures(codes: NDArray[np.int64]) -> tuple[ExpectedScore, ...]:
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

    def figures(codes: NDArray[np.int64]) -> tuple[ExpectedScore, ...]:
        one = one_hot(codes, P.shape[1])

        def samples(counts: Samples) -> Samples:
            resamples = ClassificationResamples(rows.y[drawn], P[drawn], counts * w, codes[drawn])
            return resampled_scores(ORDINAL_METRICS, resamples, rows.y[drawn], one[drawn], counts * w)

        of_resamples = resampling.samples(samples)
        values = [metric.function(rows.y, one, rows.weights) or 0.0 for metric in ORDINAL_METRICS]
        return tuple(
            ExpectedScore(metric.name, value, score_interval(metric, value, of_resamples[:, j], resampling), value)
            for j, (metric, value) in enumerate(zip(ORDINAL_METRICS, values, strict=True))
        )

    return _of_decision(path, manifest, rows, decision, figures)


def _of_decision(
    path: Path,
    manifest: Manifest,
    rows: HeldOutRows,
    decision: Decision,
    figures: Callable[[NDArray[np.int64]], tuple[ExpectedScore, ...]],
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

    def positions(self, of_labels: Sequence[ThresholdCounts]) -> list[RowIndices]:
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

    def figures(self, counts: Sequence[ThresholdCounts], chosen: Sequence[RowIndices]) -> Samples:
        """COUNTED (weightings, figures) at the `chosen` thresholds of each label, and the cost of a row with costs.

        That is the sum of the mean costs of the labels.
        """
        at = [of_label.at(positions) for of_label, positions in zip(counts, chosen, strict=True)]
        hits, predicted = (np.stack([getattr(c, name)[:, 0] for c in at], axis=1) for name in ("hits", "predicted"))
        actual = np.stack([c.positives for c in at], axis=1)
        costs = [] if self._costs is None else [np.sum([c.cost(self._costs)[:, 0] for c in at], axis=0)]
        return np.stack([*counted_scores(hits, actual, predicted), *costs], axis=1)

    def achieved(self, resampling: BootstrapResampler, drawn: _LabelCounts) -> tuple[ExpectedScore, ...]:
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
            figures.append(
                ExpectedScore(name, value, interval_of(value, value + column - mean, resampling), float(seen))
            )
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
