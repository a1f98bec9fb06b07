"""Thresholds that rows choose, and figures that are not too good for that."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.analysis.evaluation.two_class_rows import TwoClassRows, expected_costs
from nncli.targets.decision import CostMatrix
from nncli.targets.metrics.thresholds import ErrorCosts
from nncli.targets.threshold_goals import FixedThreshold, HighestF1, LowestCost, MinPrecision, MinRecall

COSTS = ErrorCosts(1.0, 4.0)


def drawn(n: int, seed: int, groups: int | None = None) -> TwoClassRows:
    """Rows whose probabilities are calibrated."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 2.0, n)
    return TwoClassRows(
        p, rng.random(n) < p, p > 0.5, None, None if groups is None else rng.integers(0, groups, n), seed
    )


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    p, positive = np.array([0.9, 0.7, 0.4, 0.2]), np.array([True, False, True, False])
    weighted = TwoClassRows(p, positive, p > 0.5, np.array([1.0, 3.0, 1.0, 1.0]), None, 0)
    repeated = np.array([0, 1, 1, 1, 2, 3])
    plain = TwoClassRows(p[repeated], positive[repeated], p[repeated] > 0.5, None, None, 0)
    goal = LowestCost(false_positive=1.0, false_negative=1.0)
    assert weighted.choose(goal)[0] == plain.choose(goal)[0]
    assert weighted.curve(COSTS) == plain.curve(COSTS)


def test_figures_of_a_chosen_threshold_are_lower_than_they_seem_and_near_those_of_new_rows() -> None:
    apparent, corrected, new = [], [], []
    for seed in range(25):
        rows, others = drawn(150, seed), drawn(4_000, 1_000 + seed)
        value, _ = rows.choose(HighestF1())
        (figure,) = [item for item in rows.achieved(HighestF1(), value) if item.name == "f1"]
        apparent.append(figure.apparent)
        corrected.append(figure.value)
        new.append(others.point(value, None).f1)
    assert np.mean(apparent) > np.mean(new) + 0.01
    assert abs(np.mean(corrected) - np.mean(new)) < 0.6 * abs(np.mean(apparent) - np.mean(new))


def test_a_given_threshold_is_as_good_as_it_seems() -> None:
    rows = drawn(200, 3)
    for figure in rows.achieved(FixedThreshold(threshold=0.3), 0.3):
        assert figure.value == figure.apparent
        assert figure.interval is not None
        assert figure.interval.low < figure.value < figure.interval.high
    assert [item.value for item in rows.of_most_probable(None)] == pytest.approx(
        [item.value for item in rows.achieved(FixedThreshold(threshold=0.5), 0.5)]
    )


@pytest.mark.slow
def test_intervals_hold_the_recall_of_new_rows() -> None:
    hits = 0
    for seed in range(30):
        rows = drawn(200, seed)
        value, _ = rows.choose(MinRecall(value=0.8))
        (figure,) = [item for item in rows.achieved(MinRecall(value=0.8), value) if item.name == "recall"]
        assert figure.interval is not None
        hits += figure.interval.low <= drawn(20_000, 500 + seed).point(value, None).recall <= figure.interval.high
    assert hits >= 27


def test_whole_groups_give_wider_intervals() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 20)
    p = np.clip(np.repeat(rng.beta(1, 3, 40), 20), 0.01, 0.99)
    positive = np.repeat(rng.random(40) < p[::20], 20)
    alone, whole = (TwoClassRows(p, positive, p > 0.5, None, groups, 0) for groups in (None, group))

    def width(rows: TwoClassRows) -> float:
        interval = rows.achieved(FixedThreshold(threshold=0.2), 0.2)[2].interval
        assert interval is not None
        return interval.high - interval.low

    assert width(whole) > 2 * width(alone)


@pytest.mark.slow
def test_of_many_rows_a_sample_is_drawn_from_and_the_figures_are_of_all() -> None:
    rows = drawn(12_000, 1)
    goal = LowestCost(false_positive=1.0, false_negative=4.0)
    value, _ = rows.choose(goal)
    assert value == pytest.approx(0.2, abs=0.06)  # fp / (fp + fn), as the probabilities are calibrated
    cost = rows.achieved(goal, value)[-1]
    assert cost.name == "cost"
    assert cost.interval is not None
    assert cost.interval.low < cost.value < cost.interval.high
    assert cost.interval.high - cost.interval.low < 0.05


def test_a_precision_that_is_not_reached_is_told_with_the_nearest() -> None:
    p, positive = np.array([0.9, 0.7, 0.4, 0.2]), np.array([False, True, True, False])
    rows, goal = TwoClassRows(p, positive, p > 0.5, None, None, 0), MinPrecision(value=0.9)
    value, counts = rows.choose(goal)
    assert not goal.is_reached(counts)
    assert counts.precision[0, 0] == pytest.approx(2 / 3)
    assert 0.2 < value <= 0.4


def test_the_curve_runs_from_the_lowest_threshold_up() -> None:
    curve = drawn(500, 2).curve(None)
    assert 11 <= len(curve) <= 20
    assert [item.threshold for item in curve] == sorted(item.threshold for item in curve)
    assert curve[0].recall == 1.0
    assert all(item.cost is None for item in curve)
    few = drawn(500, 2).evenly_spaced(30, COSTS)
    assert len(few) == 30
    assert (few[0].threshold, few[0].positive_rate) == (0.0, 1.0)
    assert few[-1].positive_rate == 0.0


def test_the_mean_cost_of_predictions_is_that_worked_by_hand() -> None:
    decision = CostMatrix(labels=("a", "b"), costs=((0.0, 2.0), (5.0, 0.0)))
    y, classes = np.array([0, 0, 1, 1, 1, 0]), np.array([0, 1, 0, 1, 0, 0])
    assert expected_costs(decision, y, classes, None, None, 0).value == pytest.approx((2.0 + 5.0 + 5.0) / 6)
    w = np.array([1.0, 1.0, 0.0, 1.0, 2.0, 1.0])
    assert expected_costs(decision, y, classes, w, None, 0).value == pytest.approx((2.0 + 10.0) / 6)


def test_the_interval_of_a_precision_counts_the_rows_predicted_as_positive() -> None:
    p, positive = np.full(600, 0.1), np.arange(600) < 90
    p[:3] = 0.9
    rows = TwoClassRows(p, positive, p > 0.5, None, None, 0)
    figures = {figure.name: figure for figure in rows.achieved(FixedThreshold(threshold=0.5), 0.5)}
    precision = figures["precision"]
    assert precision.interval is not None
    assert (precision.value, precision.interval.high) == (1.0, 1.0)
    assert 0.3 < precision.interval.low < 0.45


@pytest.mark.parametrize(
    "goal", [HighestF1(), MinRecall(value=0.9), LowestCost(false_positive=1.0, false_negative=9.0)]
)
@pytest.mark.parametrize(("rows", "positives"), [(40, 3), (60, 3), (300, 80)])
def test_expected_shares_of_one_confusion_matrix_do_not_contradict_each_other(
    goal: HighestF1 | MinRecall | LowestCost, rows: int, positives: int
) -> None:
    rng = np.random.default_rng(rows)
    positive = np.arange(rows) < positives
    p = rng.uniform(size=rows) * np.where(positive, 0.3, 0.2)
    two = TwoClassRows(p, positive, p > 0.5, None, None, 0)
    share = {figure.name: figure.value for figure in two.achieved(goal, two.choose(goal)[0])}
    prevalence = positives / rows
    hits = share["recall"] * prevalence
    assert share["positive_rate"] == pytest.approx(hits + (1.0 - share["specificity"]) * (1.0 - prevalence))
    assert share["precision"] * share["positive_rate"] == pytest.approx(hits)
    assert share["f1"] * (share["positive_rate"] + prevalence) == pytest.approx(2.0 * hits)
