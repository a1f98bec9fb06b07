"""The options of `nncli threshold`: the goal that they are, and those that choose a decision again."""

from __future__ import annotations

from math import isfinite

from nncli.base.errors import UsageError
from nncli.targets.decision import CostMatrix, Threshold
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
