"""The loss of the time to an event: its likelihood, and survival that never rises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.arrays import Codes, Floats, Mask
from nncli.nn.losses import CoxLoss, SurvivalLoss
from nncli.nn.losses.survival import RISK_FACTOR, EventLoss, survival_losses

RNG = np.random.default_rng(0)
LOSSES = pytest.mark.parametrize("loss", [SurvivalLoss(), CoxLoss()], ids=lambda loss: loss.type)


def test_the_loss_of_a_row_is_the_probability_of_what_was_seen() -> None:
    S = np.array([[0.9, 0.6, 0.3]])
    event_in_the_second = np.array([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]])
    censored_halfway_through_the_third = np.array([[1.0, 1.0, 0.5, 0.0, 0.0, 0.0]])
    entered_after_the_first = np.array([[0.0, 1.0, 0.0, 0.0, 0.0, 1.0]])
    assert survival_losses(S, event_in_the_second) == pytest.approx(-np.log(0.9 - 0.6))
    assert survival_losses(S, censored_halfway_through_the_third) == pytest.approx(-np.log(np.sqrt(0.6 * 0.3)))
    assert survival_losses(S, entered_after_the_first) == pytest.approx(-np.log((0.6 - 0.3) / 0.9))


@LOSSES
@given(seed=st.integers(0, 2**16), bins=st.integers(1, 40), scale=st.sampled_from([1.0, 30.0, 1e4]))
def test_survival_is_between_0_and_1_and_never_rises(loss: EventLoss, seed: int, bins: int, scale: float) -> None:
    Z = np.random.default_rng(seed).normal(0.0, scale, (5, loss.outputs(bins)))
    S = loss.inverse_link(Z)
    assert S.shape == (5, bins)
    assert ((S >= 0.0) & (S <= 1.0)).all()
    assert (np.diff(S, axis=1) <= 0.0).all()


@LOSSES
@given(seed=st.integers(0, 2**16), bins=st.integers(1, 20))
def test_the_gradient_is_that_of_finite_differences(loss: EventLoss, seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    Z, event = rng.normal(0.0, 1.0, (4, loss.outputs(bins))), np.eye(bins)[rng.integers(0, bins, 4)]
    y = np.concatenate([rng.uniform(0.0, 1.0, (4, bins)) * (1.0 - event), event], axis=1)
    w, h = rng.uniform(0.1, 2.0, 4), 1e-5
    bound = loss.bind(Z, y, w)
    bound.forward()
    dZ = bound.backward().copy()
    for place in np.ndindex(Z.shape):
        at, values = Z[place], []
        for step in (h, -h):
            Z[place] = at + step
            values.append(bound.forward())
        Z[place] = at
        assert dZ[place] == pytest.approx((values[0] - values[1]) / (2.0 * h), rel=1e-6, abs=1e-7)


@LOSSES
@given(seed=st.integers(0, 2**16), bins=st.integers(1, 20))
def test_the_derivative_of_the_survival_is_that_of_finite_differences(loss: EventLoss, seed: int, bins: int) -> None:
    rng, h = np.random.default_rng(seed), 1e-5
    Z, dP = rng.normal(0.0, 1.0, (3, loss.outputs(bins))), rng.normal(size=(3, bins))
    dZ = loss.inverse_link_vjp(Z, dP)
    for k in range(Z.shape[1]):
        step = h * np.eye(Z.shape[1])[k]
        change = (loss.inverse_link(Z + step) - loss.inverse_link(Z - step)) / (2.0 * h)
        np.testing.assert_allclose(dZ[:, k], (change * dP).sum(axis=1), rtol=1e-6, atol=1e-8)


@LOSSES
@pytest.mark.parametrize("z", [-1e5, 1e5])
def test_the_derivative_of_the_survival_is_finite_where_an_event_is_certain(loss: EventLoss, z: float) -> None:
    dZ = loss.inverse_link_vjp(np.full((2, loss.outputs(3)), z), np.ones((2, 3)))
    assert np.isfinite(dZ).all()


@LOSSES
def test_a_training_starts_from_the_hazards_of_all_rows(loss: EventLoss) -> None:
    event = np.eye(4)[RNG.integers(0, 4, 4000)]
    y = np.concatenate([np.cumsum(event[:, ::-1], axis=1)[:, ::-1] - event, event], axis=1)
    Z = np.tile(loss.initial_outputs(y), (len(y), 1))
    bound = loss.bind(Z, y, None)
    bound.forward()
    assert np.abs(bound.backward().sum(axis=0)).max() < 1e-3


def test_events_and_risks_beyond_float32_are_finite() -> None:
    y = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.5, 0.0, 0.0]], np.float32)
    for z in (-5000.0, 5000.0):
        bound = CoxLoss().bind(np.array([[z, 0.0, 0.0]] * 2, np.float32), y, np.array([1e4, 1.0], np.float32))
        assert np.isfinite(bound.forward())
        assert np.isfinite(bound.backward()).all()


@pytest.mark.slow
def test_the_coefficients_of_a_linear_risk_are_those_of_coxs_regression() -> None:
    rng, n = np.random.default_rng(3), 600
    X = rng.normal(size=(n, 2))
    exact = rng.exponential(np.exp(-X @ [0.8, -0.5]) * 10.0)
    month, event = np.ceil(np.minimum(exact, 12.0)).astype(int), exact < 12.0  # 10 to 90 events are tied in each month
    lived = (np.arange(1, 13) < month[:, None]) | ((np.arange(1, 13) == 12) & ~event[:, None])
    y = np.concatenate([lived, (np.arange(1, 13) == month[:, None]) & event[:, None]], axis=1).astype(float)
    beta = _maximum_likelihood(X, y)
    breslow, efron = (_cox_regression(X, month, event, efron=is_efron) for is_efron in (False, True))
    of_exact_times = _cox_regression(X, exact, event, efron=True)
    np.testing.assert_allclose(beta, efron, rtol=0.02)
    np.testing.assert_allclose(beta, of_exact_times, rtol=0.02)
    assert (np.abs(breslow) < 0.95 * np.abs(of_exact_times)).all()  # which many ties are known to bias


def _maximum_likelihood(X: Floats, y: Floats) -> Floats:
    """The coefficients at the minimum of the loss, by Newton's method with differences of the gradient."""
    d = X.shape[1]
    theta = np.concatenate([np.zeros(d), CoxLoss().initial_outputs(y)[1:]])
    Z = np.empty((len(X), 1 + len(theta) - d))
    bound = CoxLoss().bind(Z, y, None)

    def gradient(theta: Floats) -> Floats:
        Z[:, 0], Z[:, 1:] = X @ theta[:d] / RISK_FACTOR, theta[d:]
        bound.forward()
        dZ = bound.backward()
        return np.concatenate([dZ[:, 0] @ X / RISK_FACTOR, dZ[:, 1:].sum(axis=0)])

    for _ in range(20):
        steps = 1e-5 * np.eye(len(theta))
        hessian = np.array([(gradient(theta + step) - gradient(theta - step)) / 2e-5 for step in steps])
        theta = theta - np.linalg.solve(hessian, gradient(theta))
    assert np.abs(gradient(theta)).max() < 1e-9
    return theta[:d]


def _cox_regression(X: Floats, time: Floats | Codes, event: Mask, *, efron: bool) -> Floats:
    """The coefficients at the maximum of the partial likelihood, with Efron's or Breslow's method for ties."""
    beta = np.zeros(X.shape[1])
    for _ in range(20):
        risk, gradient, hessian = np.exp(X @ beta), np.zeros(X.shape[1]), np.zeros((X.shape[1],) * 2)
        for t in np.unique(time[event]):
            tied = event & (time == t)
            for place in range(int(tied.sum())):
                share = place / tied.sum() if efron else 0.0
                w = risk * ((time >= t) - share * tied)
                mean = w @ X / w.sum()
                hessian += (X * w[:, None]).T @ X / w.sum() - np.outer(mean, mean)
                gradient -= mean
            gradient += X[tied].sum(axis=0)
        beta = beta + np.linalg.solve(hessian, gradient)
    return beta
