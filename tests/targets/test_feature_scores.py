"""Scores of single features, against scikit-learn's F tests and against blocks of the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.feature_selection import f_classif, f_regression

from nncli.targets.feature_scores import ClassScores, NumberScores

ROWS, WIDTH = 60, 7


@pytest.fixture
def X() -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, WIDTH)) * np.array([1.0, 2.0, 0.1, 1.0, 5.0, 1.0, 1.0]) + np.arange(WIDTH)
    X[:, 3] = 4.2  # constant
    return np.asarray(X)


def scores(X: npt.NDArray[np.float64], y: npt.NDArray[Any], cuts: tuple[int, ...] = (), classes: int = 0) -> Any:
    result = ClassScores(X.shape[1], y, classes) if classes else NumberScores(X.shape[1], y)
    for rows in np.split(np.arange(len(X)), cuts):
        result.add(X[rows])
    values: npt.NDArray[np.float64] = result.values()
    return values


def test_scores_of_numbers_are_squared_correlations_and_order_as_the_f_test(X: npt.NDArray[np.float64]) -> None:
    y = X @ np.arange(WIDTH) + np.random.default_rng(1).normal(size=ROWS) * 30.0
    result, varying = scores(X, y[:, None]), np.arange(WIDTH) != 3
    assert result[3] == 0.0
    F = f_regression(X[:, varying], y)[0]
    assert result[varying] == pytest.approx(F / (F + ROWS - 2))


def test_scores_of_classes_are_shares_of_variance_and_order_as_the_f_test(X: npt.NDArray[np.float64]) -> None:
    y = np.digitize(X[:, 0] + X[:, 4] / 5, [0.3, 1.0])
    result, varying = scores(X, y, classes=4), np.arange(WIDTH) != 3  # one class without a row
    assert result[3] == 0.0
    F = f_classif(X[:, varying], y)[0]
    assert result[varying] == pytest.approx(F * 2 / (F * 2 + ROWS - 3))


@pytest.mark.parametrize("cuts", [(1,), (20, 40), (0, 59)])
def test_blocks_of_rows_give_the_scores_of_all(X: npt.NDArray[np.float64], cuts: tuple[int, ...]) -> None:
    y = (X[:, :1] > 0.0).astype(np.int64)
    assert scores(X, y, cuts) == pytest.approx(scores(X, y))
    assert scores(X, y[:, 0], cuts, classes=2) == pytest.approx(scores(X, y[:, 0], classes=2))


def test_the_best_of_several_targets_counts_whatever_their_units(X: npt.NDArray[np.float64]) -> None:
    Y = np.stack([X[:, 0], 1e6 * X[:, 1], np.full(ROWS, 1e9)], axis=1)
    result = scores(X, Y)
    assert result[:2] == pytest.approx(1.0)
    assert (result[2:] < 0.5).all()


def test_a_feature_far_from_zero_keeps_its_score() -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, 1))
    assert scores(x + 1e4, x + 1e5) == pytest.approx(1.0)
