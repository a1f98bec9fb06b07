"""The view of each kind of target, of which the report draws the picture."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.models.predictions import Predictions
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import CostMatrix, Decision, Threshold
from nncli.targets.number import RegressionTarget
from nncli.targets.threshold_goals import FixedThreshold
from nncli.targets.views import ActualByPredicted, Confusions, Intervals, Separation

NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
P = np.array([[0.8, 0.2], [0.4, 0.6]])


def separation(decision: Decision | None) -> Separation:
    target = ClassificationTarget(name="t", labels=("no", "yes"))
    view = target.view(Predictions(target, P, decision=decision), np.array([0, 1]), None, None)
    assert isinstance(view, Separation)
    return view


def test_two_classes_are_separated_by_the_probability_of_the_second_at_a_half() -> None:
    view = separation(None)
    assert (view.labels, view.threshold) == (("no", "yes"), 0.5)
    assert view.probability.tolist() == [0.2, 0.6]
    assert view.is_positive.tolist() == [False, True]


def test_the_threshold_is_that_of_the_decision_and_of_its_positive_class() -> None:
    view = separation(Threshold(positive="no", threshold=0.3, goal=FixedThreshold(threshold=0.3)))
    assert (view.labels, view.threshold) == (("yes", "no"), 0.3)
    assert view.probability.tolist() == [0.8, 0.4]


@pytest.mark.parametrize(
    ("costs", "threshold"),
    [(((0, 1), (4, 0)), 0.2), (((0, 1), (1, 0)), 0.5), (((0, 0), (1, 0)), 0.0), (((0, 0), (0, 0)), 0.5)],
)
def test_costs_are_a_threshold(costs: tuple[tuple[float, float], ...], threshold: float) -> None:
    decision = CostMatrix(labels=("no", "yes"), costs=costs)
    assert separation(decision).threshold == threshold


def test_more_classes_are_a_matrix_of_weighted_counts() -> None:
    target = ClassificationTarget(name="t", labels=("a", "b", "c"))
    y, predicted = np.array([0, 0, 2]), np.eye(3)[[0, 1, 2]]
    view = target.view(Predictions(target, predicted), y, np.array([1.0, 2.0, 0.5]), None)
    assert isinstance(view, Confusions)
    assert view.counts.tolist() == [[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.5]]


def test_numbers_have_the_given_intervals_else_those_of_their_outermost_quantiles() -> None:
    y = np.array([[1.0], [2.0]])
    quantiles = np.array([[[0.0, 1.0, 3.0]], [[1.0, 2.0, 5.0]]])
    predictions = Predictions(NUMBER, quantiles, levels=(0.1, 0.5, 0.9))
    view = NUMBER.view(predictions, y, None, None)
    assert isinstance(view, ActualByPredicted)
    assert view.intervals is not None
    assert (view.intervals.lower.tolist(), view.intervals.upper.tolist()) == ([0.0, 1.0], [3.0, 5.0])
    assert view.intervals.level == pytest.approx(0.8)
    given = NUMBER.view(predictions, y, None, Intervals(y - 1, y + 1, 0.9))
    assert given.intervals is not None
    assert given.intervals.lower.tolist() == [0.0, 1.0]
    assert NUMBER.view(Predictions(NUMBER, y), y, None, None).intervals is None
