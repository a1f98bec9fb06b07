"""Decisions: classes of probabilities by a threshold or by expected costs, and the choice of a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nncli.targets.decision import CostMatrix, Decision, LabelThresholds, MostProbable, RankCuts, Threshold
from nncli.targets.metrics.classification import one_hot
from nncli.targets.metrics.ordinal import quadratic_kappa
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
ADAPTER: TypeAdapter[Threshold | CostMatrix | LabelThresholds | RankCuts] = TypeAdapter(Decision)


def at(threshold: float, positive: str = "yes") -> Threshold:
    return Threshold(positive=positive, threshold=threshold, goal=FixedThreshold(threshold=threshold))


def test_without_a_decision_the_first_most_probable_class_is_predicted() -> None:
    assert MostProbable(LABELS).codes(P, None).tolist() == [0, 0, 0, 1]


def test_a_row_at_the_threshold_is_positive() -> None:
    assert MostProbable(LABELS).codes(P, at(0.2)).tolist() == [0, 1, 1, 1]
    assert MostProbable(LABELS).codes(P, at(0.8, "no")).tolist() == [0, 0, 1, 1]
    assert MostProbable(LABELS).codes(P, at(0.0)).tolist() == [1, 1, 1, 1]


def test_the_lowest_expected_cost_is_that_worked_by_hand() -> None:
    # a row of 0.6, 0.3, 0.1: predicting a costs 0.3 * 10 + 0.1 * 10, b 0.6 + 0.1 * 10, c 0.6 * 2 + 0.3 * 2
    costs = CostMatrix(labels=("a", "b", "c"), costs=((0.0, 1.0, 2.0), (10.0, 0.0, 2.0), (10.0, 10.0, 0.0)))
    rows = np.array([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0], [0.85, 0.15, 0.0]])
    assert MostProbable(costs.labels).codes(rows, costs).tolist() == [1, 0, 1]


def test_equal_expected_costs_give_the_first_class() -> None:
    costs = CostMatrix(labels=LABELS, costs=((0.0, 1.0), (1.0, 0.0)))
    assert MostProbable(LABELS).codes(np.array([[0.5, 0.5]]), costs).tolist() == [0]


@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_a_row_is_decided_alike_whatever_the_other_rows_are(K: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = tuple(map(str, range(K)))
    costs = CostMatrix(labels=labels, costs=tuple(map(tuple, rng.integers(0, 3, (K, K)).astype(float).tolist())))
    rows = rng.dirichlet(np.ones(K), 40)
    together = MostProbable(labels).codes(rows, costs)
    assert together.tolist() == [int(MostProbable(labels).codes(rows[i : i + 1], costs)[0]) for i in range(40)]


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


def test_cuts_give_the_predicted_ranks_the_spread_of_the_actual_ones_and_the_highest_kappa_of_a_linear_rule() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 4000) ** 0.5
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    y = (probabilities.cumsum(axis=1) < rng.random(4000)[:, None]).sum(axis=1)
    cuts = RankCuts.highest_kappa(probabilities, y, None)
    assert cuts is not None
    expected, names = probabilities @ np.arange(4.0), tuple("abcd")

    def kappa(codes: np.ndarray) -> float:
        return quadratic_kappa(y, one_hot(codes, 4)) or 0.0

    best = kappa(cuts.classes(probabilities, names))
    for stretch in (1.0, 2.0, 3.0, 6.0, 12.0):
        moved = np.rint(y.mean() + (expected - expected.mean()) * stretch).clip(0, 3).astype(np.int64)
        assert kappa(moved) <= best + 0.01
    assert best > kappa(probabilities.argmax(axis=1))
    assert (cuts.fits(names), cuts.fits(names[:3])) == (True, False)
    assert ADAPTER.validate_json(cuts.model_dump_json()) == cuts


def test_rows_that_are_predicted_alike_or_of_one_class_choose_no_cuts() -> None:
    alike = np.full((5, 3), 1.0 / 3.0)
    assert RankCuts.highest_kappa(alike, np.array([0, 1, 2, 1, 0]), None) is None
    assert RankCuts.highest_kappa(np.eye(3), np.array([1, 1, 1]), None) is None
