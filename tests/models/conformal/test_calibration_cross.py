"""Calibration of held-out rows by the rows of other folds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nncli.models.conformal.calibration import (
    calibration_folds,
    cross_quantiles,
    cross_regions,
    possible_levels,
)
from nncli.models.predictions import Predictions
from nncli.nn.losses import CrossEntropyLoss, MSELoss
from nncli.targets.classes import ClassificationTarget
from nncli.targets.conformal import PredictionSets, SetMethod
from tests.models.conformal.support import TARGET, intervals_of, numbers_of


def test_a_bound_is_the_quantile_of_the_other_folds() -> None:
    scores = np.array([1.0, 2.0, 3.0, 10.0, 20.0, 30.0, 40.0])
    folds = np.array([0, 0, 0, 1, 1, 1, 1])
    # ceil(0.5 * 5) = 3 of four, and ceil(0.5 * 4) = 2 of three
    assert cross_quantiles(scores[:, None], folds, 0.5)[:, 0].tolist() == [30.0] * 3 + [2.0] * 4


def test_a_row_has_no_influence_on_its_own_bound() -> None:
    scores, folds = np.arange(10.0), np.arange(10) % 5
    changed = scores.copy()
    changed[3] = 1e9
    before, after = (cross_quantiles(values[:, None], folds, 0.7)[:, 0] for values in (scores, changed))
    assert (before[folds == 3] == after[folds == 3]).all()


def test_levels_need_enough_rows_of_the_other_folds() -> None:
    folds = np.array([0] * 9 + [1] * 20)
    assert possible_levels([0.5, 0.9, 0.95], folds) == (0.5, 0.9)


def test_folds_are_the_rows_that_the_same_members_held_out() -> None:
    mask = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]], bool)
    folds = calibration_folds(mask, 4)
    assert folds[0] == folds[1] != folds[2] == folds[3]


def test_rows_of_one_network_are_dealt_and_groups_stay_together() -> None:
    folds = calibration_folds(None, 7)
    assert sorted(folds) == [0, 0, 1, 1, 2, 3, 4]
    assert calibration_folds(np.ones((3, 7), bool), 7).tolist() == folds.tolist()
    groups = np.array([0, 0, 8, 8, 3])
    assert calibration_folds(None, 5, groups).tolist() == [0, 0, 1, 1, 2]


def test_groups_are_dealt_by_their_rows_and_not_by_their_numbers() -> None:
    assert len(np.unique(calibration_folds(None, 40, np.repeat([0, 5], 20)))) == 2
    groups = np.repeat(np.arange(0, 50, 5), [50, 1, 1, 1, 1, 49, 1, 1, 1, 1])
    assert np.bincount(calibration_folds(None, len(groups), groups)).max() == 51


def test_rows_in_a_periodic_order_are_dealt_at_random() -> None:
    hour = np.arange(1_000) % 5
    folds = calibration_folds(None, 1_000)
    assert np.bincount(folds).tolist() == [200] * 5
    assert np.bincount(hour[folds == 0]).max() < 60


@given(st.integers(40, 200), st.integers(0, 99), st.sampled_from([0.5, 0.8, 0.9]))
def test_rows_are_covered_about_as_often_as_the_level_says(n: int, seed: int, level: float) -> None:
    scores = np.random.default_rng(seed).exponential(size=n)
    covered = scores <= cross_quantiles(scores[:, None], np.arange(n) % 5, level)[:, 0]
    assert abs(covered.mean() - level) <= 0.12 + 5 / n


def test_intervals_of_the_held_out_rows_by_hand() -> None:
    y, folds = np.array([1.0, -2.0, 3.0, -4.0])[:, None], np.array([0, 0, 1, 1])
    lower, upper = intervals_of(numbers_of(np.zeros(4)), y, folds, 0.6, MSELoss())
    assert upper[:, 0].tolist() == [4.0, 4.0, 2.0, 2.0]  # ceil(0.6 * 3) = 2 of two
    assert lower.tolist() == (-upper).tolist()


def test_quantiles_that_are_moved_past_each_other_become_a_point() -> None:
    quantiles = np.tile([-5.0, 0.0, 3.0], (20, 1, 1))
    predictions = Predictions(TARGET, quantiles, levels=(0.25, 0.5, 0.75))
    lower, upper = intervals_of(predictions, np.full((20, 1), -1.0), np.arange(20) % 2, 0.5, MSELoss())
    assert (lower.tolist(), upper.tolist()) == ([[-1.0]] * 20, [[-1.0]] * 20)


def test_a_row_without_probabilities_has_every_class() -> None:
    P = np.array([[0.9, 0.1]] * 9 + [[np.nan, np.nan]] + [[0.2, 0.8]] * 10)
    predictions = Predictions(ClassificationTarget(name="y", labels=("a", "b")), P)
    sets = cross_regions(SetMethod(), predictions, np.zeros(20, np.int64), np.arange(20) % 2, 0.3, CrossEntropyLoss())
    assert isinstance(sets, PredictionSets)
    assert sets.included[9].tolist() == [True, True]
    assert sets.included[0].tolist() == [True, False]


def test_a_held_out_row_is_scaled_by_its_own_width() -> None:
    y, folds = np.array([[1.0], [2.0], [-4.0], [8.0]]), np.array([0, 0, 1, 1])
    quantiles = np.array([2.0, 4.0, 8.0, 4.0])[:, None, None] * np.array([-0.5, 0.0, 0.5])
    predictions = Predictions(TARGET, quantiles, levels=(0.05, 0.5, 0.95))
    lower, upper = intervals_of(predictions, y, folds, 0.6, MSELoss())
    # the errors by the width are 0.5, 0.5, 0.5 and 2
    assert upper[:, 0].tolist() == [4.0, 8.0, 4.0, 2.0]
    assert lower.tolist() == (-upper).tolist()
    of_pair = Predictions(TARGET, quantiles, levels=(0.25, 0.5, 0.75))
    # the distances from the pair are 0 of fold 0, and 0 and 6 of fold 1
    assert intervals_of(of_pair, y, folds, 0.6, MSELoss())[1][:, 0].tolist() == [7.0, 8.0, 4.0, 2.0]
