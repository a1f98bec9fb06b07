"""The loss of ordered classes: its gradient, its probabilities, and logistic regressions as the linear case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from nncli.nn.losses import OrdinalLoss
from nncli.nn.losses.classification import SoftOrdinalLoss

Floats = NDArray[np.float64]


def difference(loss: OrdinalLoss, Z: Floats, y: NDArray[Any], w: Floats | None) -> Floats:
    """The gradient by central differences."""
    slopes, h = np.empty_like(Z), 1e-6
    for i in np.ndindex(*Z.shape):
        values = []
        for sign in (1.0, -1.0):
            moved = Z.copy()
            moved[i] += sign * h
            values.append(loss.bind(moved, y, w).forward())
        slopes[i] = (values[0] - values[1]) / (2.0 * h)
    return slopes


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_differences(soft: bool, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    Z, y = 2.0 * rng.normal(size=(7, 4)), rng.integers(0, 5, 7)
    loss: OrdinalLoss = OrdinalLoss()
    if soft:
        loss, y = SoftOrdinalLoss.of(rng.dirichlet(np.ones(5), 7)), np.arange(5, 12)
    w = rng.uniform(0.2, 3.0, 7) if weighted else None
    bound = loss.bind(Z, y, w)
    bound.forward()
    np.testing.assert_allclose(bound.backward(), difference(loss, Z, y, w), rtol=0.0, atol=1e-8)


def test_a_distribution_of_one_rank_has_the_loss_of_that_rank() -> None:
    rng = np.random.default_rng(1)
    Z, y = rng.normal(size=(6, 3)), rng.integers(0, 4, 6)
    hard, soft = OrdinalLoss().bind(Z, y, None), SoftOrdinalLoss.of(np.eye(4)[y]).bind(Z, np.arange(4, 10), None)
    assert soft.forward() == pytest.approx(hard.forward(), rel=1e-14)
    np.testing.assert_allclose(soft.backward(), hard.backward(), rtol=1e-14)


@given(rows=st.lists(st.lists(st.floats(-40.0, 40.0), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_probability_of_more_than_a_rank_falls_with_the_rank(rows: list[list[float]]) -> None:
    Z = np.array(rows)
    P = OrdinalLoss().inverse_link(Z)
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-14)
    above = P[:, ::-1].cumsum(axis=1)[:, -2::-1]
    np.testing.assert_allclose(above, np.cumprod(1.0 / (1.0 + np.exp(-Z)), axis=1), rtol=1e-12)
    assert (P >= 0.0).all()
    assert (np.diff(above, axis=1) <= 0.0).all()


def test_extreme_outputs_are_certain_and_finite() -> None:
    P = OrdinalLoss().inverse_link(np.array([[-1e4, 0.0], [1e4, -1e4], [1e4, 1e4]]))
    np.testing.assert_array_equal(P, np.eye(3))


def test_a_training_starts_from_the_shares_of_the_classes() -> None:
    y = np.repeat([0, 1, 2, 3], [49, 299, 9, 639])
    for loss, codes in ((OrdinalLoss(), y), (SoftOrdinalLoss.of(np.eye(4)), y + 4)):
        P = loss.inverse_link(loss.initial_outputs(codes)[None])
        np.testing.assert_allclose(P[0], [0.05, 0.3, 0.01, 0.64], rtol=1e-12)


@pytest.mark.slow
def test_without_hidden_layers_it_is_a_logistic_regression_for_each_rank_on_the_rows_from_it_on() -> None:
    rng = np.random.default_rng(2)
    X, K = rng.normal(size=(400, 3)), 4
    y = np.searchsorted([-1.0, 0.0, 1.0], X @ [1.0, -0.5, 0.2] + rng.logistic(size=400))
    X1, W = np.c_[X, np.ones(400)], np.zeros((4, K - 1))
    Z = np.empty((400, K - 1))
    bound = OrdinalLoss().bind(Z, y, None)
    for _ in range(4000):
        np.matmul(X1, W, out=Z)
        bound.forward()
        W -= 2.0 * X1.T @ bound.backward()
    for k in range(K - 1):
        rows = y >= k
        fitted = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X[rows], y[rows] > k)
        np.testing.assert_allclose(W[:, k], [*fitted.coef_[0], fitted.intercept_[0]], atol=2e-4)
