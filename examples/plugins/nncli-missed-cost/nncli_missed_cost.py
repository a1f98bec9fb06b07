"""A metric of two classes in which a missed row costs more than a false alarm."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.extend import Metric

MISSED, FALSE_ALARM = 5.0, 1.0
"""The cost of a row of the positive class that is predicted as the other one, and of the opposite."""


def missed_cost(y: Any, scores: Any, weight: Any = None) -> float:
    """The mean cost of a row: y (rows,) are codes, 1 for the positive class; scores (rows, classes)."""
    predicted = scores.argmax(axis=1)
    costs = np.where(y == predicted, 0.0, np.where(y == 1, MISSED, FALSE_ALARM))
    return float(np.average(costs, weights=weight))


MISSED_COST = Metric(
    name="missed_cost",
    task="classification",
    function=missed_cost,
    description="mean cost of a row if a missed one costs five times as much as a false alarm; lower is better",
    title="missed cost",
    of_classes=True,
)
