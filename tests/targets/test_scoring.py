"""What runs of each kind are compared by, ensembles are selected by, and the linear models against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from nncli.models.predictions import Predictions
from nncli.nn.losses import (
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    HuberLoss,
    Loss,
    MAELoss,
    MSELoss,
    QuantilesLoss,
    SurvivalLoss,
)
from nncli.targets.classes import ClassificationTarget
from nncli.targets.decision import CostMatrix
from nncli.targets.labels import MultilabelTarget
from nncli.targets.metrics.classification import accuracy
from nncli.targets.number import RegressionTarget
from nncli.targets.scoring import fit_logistic, fit_ridge, softmax
from nncli.targets.survival import SurvivalTarget
from nncli.targets.target_base import TargetBase

CLASSES = ClassificationTarget(name="t", labels=("no", "yes"))
NUMBER = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
LABELS = MultilabelTarget(names=("a", "b"), labels=("a", "b"))
CURVE = SurvivalTarget(names=("days", "died"), edges=(1.0, 2.0))
COSTS = CostMatrix(labels=("no", "yes"), costs=((0.0, 1.0), (5.0, 0.0)))


@pytest.mark.parametrize(
    ("target", "loss", "tested", "beside"),
    [
        (CLASSES, CrossEntropyLoss(), ("log loss",), "error rate"),
        (NUMBER, MSELoss(), ("squared error",), "absolute error"),
        (NUMBER, MAELoss(), ("absolute error",), None),
        (NUMBER, HuberLoss(), ("squared error", "absolute error"), None),
        (NUMBER, QuantilesLoss(), ("pinball loss",), None),
        (LABELS, BinaryCrossEntropyLoss(), ("log loss",), None),
        (CURVE, SurvivalLoss(event="died"), ("integrated Brier score",), None),
    ],
)
def test_runs_of_a_loss_are_compared_by_a_proper_score(
    target: TargetBase, loss: Loss, tested: tuple[str, ...], beside: str | None
) -> None:
    comparison = target.head(loss).scoring.comparison(None)
    assert tuple(measure.name for measure in comparison.tested) == tested
    assert (comparison.beside and comparison.beside.name) == beside


def test_comparisons_are_equal_for_the_same_loss_alone() -> None:
    def of(loss: Loss) -> object:
        return NUMBER.head(loss).scoring.comparison(None)

    assert of(QuantilesLoss()) == of(QuantilesLoss())
    assert of(QuantilesLoss()) != of(QuantilesLoss(levels=(0.1, 0.5, 0.9)))
    assert of(MSELoss()) != of(MAELoss())


def test_costs_that_decide_classes_are_compared_beside_the_log_loss() -> None:
    P, y = np.array([[0.7, 0.3], [0.9, 0.1]]), np.array([1, 1])
    measure = CLASSES.head(CrossEntropyLoss()).scoring.comparison(COSTS).beside
    assert measure is not None
    assert measure.prepare(Predictions(CLASSES, P, decision=COSTS), y).tolist() == [0.0, 5.0]
    assert measure.gain(0.25, COSTS) == 1.0  # what costs decide is not lowered by averaging


def test_averaging_lowers_squares_and_log_losses_by_the_factor_and_others_by_its_root() -> None:
    squared, absolute = NUMBER.head(HuberLoss()).scoring.in_common.tested
    (log_loss,) = CLASSES.head(CrossEntropyLoss()).scoring.comparison(None).tested
    assert [measure.gain(0.25, None) for measure in (squared, absolute, log_loss)] == [0.25, 0.5, 0.25]


def test_a_time_to_an_event_has_no_linear_model() -> None:
    assert CURVE.head(SurvivalLoss(event="died")).scoring.linear is None


def features(n: int, p: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Correlated features after a column of ones."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, p)) @ rng.normal(size=(p, p))
    return np.concatenate([np.ones((n, 1)), (X - X.mean(axis=0)) / X.std(axis=0)], axis=1)


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_regression_is_that_of_scikit_learn(weighted: bool) -> None:
    X, rng = features(60, 5), np.random.default_rng(1)
    Y = X @ rng.normal(size=(6, 2)) * [1.0, 1000.0] + rng.normal(size=(60, 2))
    w = rng.random(60) + 0.5 if weighted else np.ones(60)
    expected = Ridge(alpha=1.0).fit(X[:, 1:], Y, sample_weight=w).predict(X[:, 1:])
    assert X @ fit_ridge(X, Y, w) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_of_three_classes_is_that_of_scikit_learn(weighted: bool) -> None:
    X, rng = features(150, 6), np.random.default_rng(2)
    y = (X @ rng.normal(size=(7, 3)) + rng.gumbel(size=(150, 3))).argmax(axis=1)
    w = rng.random(150) + 0.5 if weighted else np.ones(150)
    expected = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(X[:, 1:], y, sample_weight=w)
    assert softmax(X @ fit_logistic(X, np.eye(3)[y], w, softmax)) == pytest.approx(
        expected.predict_proba(X[:, 1:]), abs=2e-4
    )


def test_separable_classes_have_finite_coefficients() -> None:
    X = features(40, 2)
    y = (X[:, 1] > 0).astype(np.int64)
    B = fit_logistic(X, np.eye(2)[y], np.ones(40), softmax)
    assert np.isfinite(B).all()
    assert accuracy(y, softmax(X @ B)) > 0.9
