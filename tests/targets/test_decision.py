"""Decisions: classes of probabilities by a threshold or by expected costs, and the choice of a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nncli.targets.decision import CostMatrix, Decision, LabelThresholds, Threshold, decide
from nncli.targets.metrics.thresholds import ErrorCosts
from nncli.targets.threshold_goals import (
    FixedThreshold,
    Goal,
    HighestF1,
    LowestCost,
    MaxPositiveRate,
    MinPrecision,
    MinRecall,
)

LABELS = ("no", "yes")
P = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.3, 0.7]])
ADAPTER: TypeAdapter[Threshold | CostMatrix | LabelThresholds] = TypeAdapter(Decision)


def at(threshold: float, positive: str = "yes") -> Threshold:
    return Threshold(positive=positive, threshold=threshold, goal=FixedThreshold(threshold=threshold))


def test_without_a_decision_the_first_most_probable_class_is_predicted() -> None:
    assert decide(P, LABELS, None).tolist() == [0, 0, 0, 1]


def test_a_row_at_the_threshold_is_positive() -> None:
    assert decide(P, LABELS, at(0.2)).tolist() == [0, 1, 1, 1]
    assert decide(P, LABELS, at(0.8, "no")).tolist() == [0, 0, 1, 1]
    assert decide(P, LABELS, at(0.0)).tolist() == [1, 1, 1, 1]


def test_the_lowest_expected_cost_is_that_worked_by_hand() -> None:
    # a row of 0.6, 0.3, 0.1: predicting a costs 0.3 * 10 + 0.1 * 10, b 0.6 + 0.1 * 10, c 0.6 * 2 + 0.3 * 2
    costs = CostMatrix(labels=("a", "b", "c"), costs=((0.0, 1.0, 2.0), (10.0, 0.0, 2.0), (10.0, 10.0, 0.0)))
    rows = np.array([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [0.85, 0.15, 0.0]])
    assert decide(rows, costs.labels, costs).tolist() == [1, 0, 1]


def test_equal_expected_costs_give_the_first_class() -> None:
    costs = CostMatrix(labels=LABELS, costs=((0.0, 1.0), (1.0, 0.0)))
    assert decide(np.array([[0.5, 0.5]]), LABELS, costs).tolist() == [0]


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_a_row_is_decided_alike_whatever_the_other_rows_are(K: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = tuple(map(str, range(K)))
    costs = CostMatrix(labels=labels, costs=tuple(map(tuple, rng.integers(0, 3, (K, K)).astype(float).tolist())))
    rows = rng.dirichlet(np.ones(K), 40)
    together = decide(rows, labels, costs)
    assert together.tolist() == [int(decide(rows[i : i + 1], labels, costs)[0]) for i in range(40)]


def test_the_costs_of_a_threshold_are_by_actual_and_predicted_class() -> None:
    goal = LowestCost(false_positive=1.0, false_negative=20.0)
    assert goal.costs == ErrorCosts(1.0, 20.0)
    assert Threshold(positive="yes", threshold=0.1, goal=goal).cost_of(LABELS) == pytest.approx(
        np.array([[0.0, 1.0], [20.0, 0.0]])
    )
    assert Threshold(positive="no", threshold=0.1, goal=goal).cost_of(LABELS) == pytest.approx(
        np.array([[0.0, 20.0], [1.0, 0.0]])
    )
    assert at(0.1).cost_of(LABELS) is None


@pytest.mark.parametrize(
    "document",
    [
        {"type": "threshold", "positive": "yes", "threshold": 1.5, "goal": {"type": "f1"}},
        {"type": "threshold", "positive": "yes", "threshold": float("nan"), "goal": {"type": "f1"}},
        {"type": "threshold", "positive": "yes", "threshold": 0.5, "goal": {"type": "recall", "value": 0.0}},
        {"type": "threshold", "positive": "yes", "threshold": 0.5, "goal": {"type": "cost", "false_positive": 1.0}},
        {"type": "threshold", "positive": "yes", "threshold": 0.5, "goal": {"type": "f1"}, "more": 1},
        {"type": "costs", "labels": ["a", "b"], "costs": [[0.0, -1.0], [1.0, 0.0]]},
        {"type": "costs", "labels": ["a", "b"], "costs": [[0.0, float("inf")], [1.0, 0.0]]},
    ],
)
def test_a_document_that_is_no_decision_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(document)


@pytest.mark.parametrize(
    "goal",
    [
        LowestCost(false_positive=1.0, false_negative=3.0),
        HighestF1(),
        MinRecall(value=0.7),
        MinPrecision(value=0.6),
        MaxPositiveRate(value=0.4),
        FixedThreshold(threshold=0.25),
    ],
    ids=lambda goal: goal.type,
)
def test_a_decision_survives_json(goal: Goal) -> None:
    document = {"type": "threshold", "positive": "yes", "threshold": 0.1 + 0.2, "goal": goal.model_dump()}
    decision = ADAPTER.validate_python(document)
    assert ADAPTER.validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"cost","false_positive":1.0,'
        '"false_negative":20.0}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"f1"}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"recall","value":0.9}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"precision","value":0.8}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"positive_rate","value":0.05}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"given","threshold":0.3}}',
        '{"type":"threshold","positive":"yes","threshold":0.3,"goal":{"type":"given","threshold":0.3,'
        '"false_positive":1.0,"false_negative":20.0}}',
        '{"type":"costs","labels":["a","b"],"costs":[[0.0,1.0],[2.0,0.0]]}',
    ],
)
def test_what_runs_hold_is_read_for_ever(text: str) -> None:
    assert ADAPTER.validate_json(text).model_dump_json() == text


def test_a_decision_fits_the_classes_that_it_is_about() -> None:
    assert at(0.5).fits(LABELS)
    assert not at(0.5, "maybe").fits(LABELS)
    assert not at(0.5).fits(("no", "perhaps", "yes"))
    costs = CostMatrix(labels=("a", "b"), costs=((0.0, 1.0), (1.0, 0.0)))
    assert costs.fits(("a", "b"))
    assert not costs.fits(("b", "a"))
    assert not CostMatrix(labels=("a", "b"), costs=((0.0, 1.0), (1.0,))).fits(("a", "b"))
