"""The choice of a threshold for each goal, against all thresholds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.thresholds import Thresholds
from nncli.targets.threshold_goals import Criterion, HighestF1, LowestCost, MaxPositiveRate, MinPrecision, MinRecall

GOALS: list[Criterion] = [
    LowestCost(false_positive=1.0, false_negative=3.0),
    HighestF1(),
    MinRecall(value=0.7),
    MinPrecision(value=0.6),
    MaxPositiveRate(value=0.4),
]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.type)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2, max_size=10))
def test_the_chosen_threshold_is_the_best_of_all(goal: Criterion, given: list[tuple[int, bool, int]]) -> None:
    levels, positive, w = (np.array(column) for column in zip(*given, strict=True))
    p, w = levels / 7, w.astype(float)
    thresholds = Thresholds.of(p, positive)
    counts = thresholds.counts(w[None, :])
    chosen = int(goal.choose(counts)[0])
    here = counts.at(np.array([chosen]))

    def figures(predicted: np.ndarray) -> dict[str, float]:
        tp, pp, pos = w @ (predicted & positive), w @ predicted, w @ positive
        return {
            "cost": w @ (predicted & ~positive) + 3.0 * (pos - tp),
            "f1": 2 * tp / (pp + pos) if pp + pos else 0.0,
            "recall": tp / pos if pos else 0.0,
            "precision": tp / pp if pp else 0.0,
            "positive_rate": pp / w.sum() if w.sum() else 0.0,
        }

    every = [figures(p >= thresholds.value(i)) for i in range(len(thresholds.levels) + 1)]
    best = every[chosen]
    if isinstance(goal, LowestCost):
        assert best["cost"] == pytest.approx(min(item["cost"] for item in every))
    elif isinstance(goal, HighestF1):
        assert best["f1"] == pytest.approx(max(item["f1"] for item in every))
    elif isinstance(goal, MinRecall) and w @ positive:
        reached = [i for i, item in enumerate(every) if item["recall"] >= 0.7 - 1e-9]
        assert chosen == reached[0]
    elif isinstance(goal, MinPrecision):
        reached = [i for i, item in enumerate(every) if item["precision"] >= 0.6 - 1e-9]
        assert goal.is_reached(here) == bool(reached)
        assert best["precision"] == pytest.approx(max(item["precision"] for item in every)) or chosen == reached[-1]
    elif isinstance(goal, MaxPositiveRate):
        reached = [i for i, item in enumerate(every) if 0.0 < item["positive_rate"] <= 0.4 + 1e-9]
        assert not reached or chosen == reached[-1]
