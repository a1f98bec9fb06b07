"""Conformal bounds, p-values and scores of classes."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.targets.metrics.conformal import (
    aps_scores,
    is_in_set,
    lac_scores,
    lower_bounds,
    min_rows,
    rank,
    upper_bounds,
)
from nncli.targets.metrics.sorted_scores import SortedScores


@pytest.mark.parametrize(
    ("level", "n", "expected"), [(0.9, 9, 9), (0.9, 19, 18), (0.9, 10, 10), (0.5, 1, 1), (0.7, 9, 7), (0.9, 8, 9)]
)
def test_the_rank_is_that_of_the_decimal_level(level: float, n: int, expected: int) -> None:
    assert rank(level, n) == expected


@pytest.mark.parametrize(("level", "expected"), [(0.9, 9), (0.5, 1), (0.95, 19), (0.99, 99), (0.955, 22), (0.1, 1)])
def test_the_least_number_of_rows_has_a_finite_bound(level: float, expected: int) -> None:
    assert min_rows(level) == expected
    assert rank(level, expected) <= expected
    assert expected == 1 or rank(level, expected - 1) > expected - 1


def test_split_conformal_adds_one_score_to_every_prediction() -> None:
    scores = SortedScores.of(np.arange(1.0, 20.0), np.zeros(19, np.int64), 1)
    predictions = np.array([[0.0, 100.0]])
    assert upper_bounds(scores, predictions, 0.9).tolist() == [18.0, 118.0]
    assert lower_bounds(scores, predictions, 0.9).tolist() == [-18.0, 82.0]


def test_cv_plus_by_hand() -> None:
    # two folds predict 10 and 20; with alpha = 0.4 and n = 4 the lower bound is the second smallest of
    # 10 - 1, 10 - 4, 20 - 2, 20 - 3 and the upper one the third smallest of 11, 14, 22, 23
    scores = SortedScores.of(np.array([1.0, 2.0, 4.0, 3.0]), np.array([0, 1, 0, 1]), 2)
    predictions = np.array([[10.0], [20.0]])
    assert lower_bounds(scores, predictions, 0.6).tolist() == [9.0]
    assert upper_bounds(scores, predictions, 0.6).tolist() == [22.0]


def test_too_few_rows_have_infinite_bounds() -> None:
    scores = SortedScores.of(np.arange(8.0), np.zeros(8, np.int64), 1)
    assert upper_bounds(scores, np.zeros((1, 1)), 0.9).tolist() == [np.inf]
    assert lower_bounds(scores, np.zeros((1, 1)), 0.9).tolist() == [-np.inf]


def test_classes_in_the_set_by_hand() -> None:
    scores = SortedScores.of(np.array([0.1, 0.2, 0.2, 0.8]), np.array([0, 0, 1, 1]), 2)
    thresholds = np.array([[0.2, 0.9, 0.0], [0.2, 0.8, 0.0]])
    # the p-values are 4 / 5, 2 / 5 and 1
    assert is_in_set(scores, thresholds, 0.6).tolist() == [True, False, True]  # a p-value of alpha is excluded
    assert is_in_set(scores, thresholds, 0.61).tolist() == [True, True, True]


def test_a_class_without_a_score_cannot_be_excluded() -> None:
    scores = SortedScores.of(np.linspace(0.1, 0.9, 40), np.arange(40) % 2, 2)
    thresholds = np.array([[np.nan, np.nan, 0.95], [np.nan, 0.95, 0.95]])
    assert is_in_set(scores, thresholds, 0.9).tolist() == [True, True, False]


def test_the_scores_of_classes_by_hand() -> None:
    P = np.array([[0.5, 0.125, 0.375], [0.25, 0.5, 0.25]])
    assert lac_scores(P).tolist() == [[0.5, 0.875, 0.625], [0.75, 0.5, 0.75]]
    assert aps_scores(P).tolist() == [[0.0, 0.875, 0.5], [0.5, 0.0, 0.75]]


@pytest.mark.slow
def test_split_conformal_covers_as_often_as_its_level() -> None:
    rng = np.random.default_rng(0)
    errors = np.abs(rng.standard_t(3, size=(2_000, 20)))
    covered = [
        upper_bounds(SortedScores.of(row[:19], np.zeros(19, np.int64), 1), np.zeros((1, 1)), 0.9).item() >= row[19]
        for row in errors
    ]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.02)
