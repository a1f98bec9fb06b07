"""What the decision thresholds and the expected costs of a classification achieve on its held-out rows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from nncli.analysis.evaluation.threshold_choice import (
    CurvePoint,
    Figure,
    TwoClassRows,
    expected_costs,
    fixed_threshold,
    threshold_options,
)
from nncli.base.errors import DataError, RunError, UsageError
from nncli.base.text import closest_match, format_number, format_percent, join_quoted, json_safe, quote
from nncli.models.held_out_rows import HeldOutRows
from nncli.runs.config import read_config
from nncli.runs.manifest import Manifest
from nncli.runs.run import Run
from nncli.targets.decision import CostMatrix, Decision, Threshold
from nncli.targets.target import Target
from nncli.targets.threshold_goals import AnyGoal, FixedThreshold, LowestCost, MaxPositiveRate


@dataclass(frozen=True)
class ClassDecisions:
    """The held-out rows of one class: how many there are, and how many are predicted as it, without and with costs."""

    label: str
    rows: float
    most_probable: float
    predicted: float


@dataclass(frozen=True)
class ThresholdAnalysis:
    """What thresholds achieve on the held-out rows of a run.

    `decision` is the one that was chosen, None if none was asked for, and `achieved` are its figures on new rows.
    `most_probable` are those of the most probable class. Of two classes `curve` has thresholds of the `positive` one,
    from the lowest up, with `chosen` for the decision; with a cost matrix `classes` counts predictions. `saved` is the
    decision of the run now. The `rows` are a sample of `total` rows where there are too many. `calibrated` is the
    threshold that costs would give by calibrated probabilities alone, with its figures, which no row chose. `notes` are
    about options that are unusual.
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
    notes: tuple[str, ...] = ()

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
        costs = self.decision.goal.costs if isinstance(self.decision, Threshold) else None
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
        return {key: json_safe(value) for key, value in document.items()}


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
    found = ThresholdAnalysis(
        **_about(run.path, manifest, rows, target.labels),
        most_probable=scored.of_most_probable(costs),
        positive=label,
        curve=scored.curve(costs),
        notes=() if positive is not None else _frequent_positive(run, scored, target.labels),
    )
    if goal is None:
        return found
    value, counts = scored.choose(goal)
    point = scored.point(value, costs)
    if not goal.is_reached(counts):
        raise _unreachable(goal, point, label)
    decision = Threshold(positive=label, threshold=value, goal=goal)
    calibrated = scored.point(goal.calibrated_threshold, costs) if isinstance(goal, LowestCost) else None
    achieved = scored.achieved(goal, value)
    return replace(found, decision=decision, achieved=achieved, chosen=point, calibrated=calibrated)


def _frequent_positive(run: Run, rows: TwoClassRows, labels: Sequence[str]) -> tuple[str, ...]:
    """A note if the positive class is the more frequent one, and nobody said so."""
    share = float(np.average(rows.positive, weights=rows.weights))
    if share <= 0.5:
        return ()
    with suppress(RunError):  # a run predicts without its configuration, too
        if read_config(run.path).positive_class is not None:
            return ()
    positive = " ".join(["--positive", shlex.quote(labels[0])])
    return (
        f"the positive class is the second of two by default, {quote(labels[1])}, and {format_percent(share)} of the "
        f"rows are of it. For the rarer one: {positive}",
    )


def _expensive_right_predictions(decision: CostMatrix) -> tuple[str, ...]:
    """A note on classes that are always predicted as another one, since that costs less."""
    found = [
        label
        for i, label in enumerate(decision.labels)
        if decision.costs[i][i] > max(cost for j, cost in enumerate(decision.costs[i]) if j != i)
    ]
    if not found:
        return ()
    return (f"a row of class {join_quoted(found)} costs more if it is predicted right than by any wrong prediction",)


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
            hint="Write the cost of each prediction to a table, and use --costs COSTS.csv. Its header is "
            f"{','.join(['actual', *labels[:20]])}, with a row for each actual class.",
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
            hint="Train on more rows of the class, or hold out more: validation: 0.3, say.",
        )
    P = rows.predictions.values
    return TwoClassRows(P[:, j], is_positive, P.argmax(axis=1) == j, rows.weights, rows.groups, seed)


def _unreachable(goal: AnyGoal, nearest: CurvePoint, positive: str) -> UsageError:
    """The error that no threshold reaches a goal, with the nearest one."""
    if isinstance(goal, MaxPositiveRate):
        message = f"no threshold has {goal.text}"
        fact = f"the rows of the highest probability are {format_percent(nearest.rate)} of all"
    else:
        message = f"no threshold reaches a {goal.text}"
        precision, recall = format_number(nearest.precision), format_number(nearest.recall)
        fact = f"the highest precision is {precision}, with a recall of {recall}"
    fixed = FixedThreshold(threshold=nearest.threshold)
    options = shlex.join(threshold_options(Threshold(positive=positive, threshold=nearest.threshold, goal=fixed)))
    return UsageError(message, hint=f"The nearest threshold is {nearest.threshold!r}: {fact}. To use it: {options}")


def analyze_costs(path: Path, manifest: Manifest, rows: HeldOutRows, decision: CostMatrix) -> ThresholdAnalysis:
    """The analysis of a decision by expected costs; nothing is chosen by the rows."""
    labels, P = decision.labels, rows.predictions.values
    w = np.ones(len(rows)) if rows.weights is None else rows.weights
    before, after = P.argmax(axis=1), decision.classes(P, labels)
    counts = [np.bincount(codes, w, len(labels)).tolist() for codes in (rows.y, before, after)]
    costs = [
        expected_costs(decision, rows.y, codes, rows.weights, rows.groups, manifest.seed) for codes in (before, after)
    ]
    return ThresholdAnalysis(
        **_about(path, manifest, rows, labels),
        most_probable=(costs[0],),
        decision=decision,
        achieved=(costs[1],),
        classes=tuple(ClassDecisions(label, *one) for label, *one in zip(labels, *counts, strict=True)),
        notes=_expensive_right_predictions(decision),
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
