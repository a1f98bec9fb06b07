"""The goal of a threshold as options of a command, and the options that lead to a decision."""

from __future__ import annotations

from functools import singledispatch
from math import isfinite

from nncli.base.errors import Advice, UsageError, UseOption
from nncli.targets.decision import CostMatrix, Decision, LabelThresholds, RankCuts, Threshold
from nncli.targets.metrics.thresholds import ErrorCosts
from nncli.targets.threshold_goals import (
    AnyGoal,
    FixedThreshold,
    HighestF1,
    LowestCost,
    MaxPositiveRate,
    MinPrecision,
    MinRecall,
)

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
