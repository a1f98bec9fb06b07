"""The options of `nncli threshold` that choose a decision again."""

from __future__ import annotations

from nncli.decision import CostMatrix, Threshold
from nncli.threshold_goals import (
    AnyGoal,
    FixedThreshold,
    HighestF1,
    LowestCost,
    MaxPositiveRate,
    MinPrecision,
    MinRecall,
)


def threshold_options(decision: Threshold | CostMatrix) -> tuple[str, ...]:
    """The words of the command line; a decision by costs does not know the file that they came from."""
    if isinstance(decision, CostMatrix):
        return ("--costs", "COSTS.csv")
    return (*_goal_options(decision.goal), "--positive", decision.positive)


def _goal_options(goal: AnyGoal) -> tuple[str, ...]:
    match goal:
        case LowestCost():
            return ("--cost", f"fp={goal.false_positive!r},fn={goal.false_negative!r}")
        case HighestF1():
            return ("--f1",)
        case MinRecall():
            return ("--recall", repr(goal.value))
        case MinPrecision():
            return ("--precision", repr(goal.value))
        case MaxPositiveRate():
            return ("--rate", repr(goal.value))
        case FixedThreshold():
            return ("--at", repr(goal.threshold))
