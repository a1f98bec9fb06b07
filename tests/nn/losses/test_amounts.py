"""Losses of counts and amounts against SciPy, scikit-learn and statsmodels (amounts.json), and their derivatives."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import (
    GammaLoss,
    LogNormalLoss,
    LossBase,
    NegativeBinomialLoss,
    PoissonLoss,
    TweedieLoss,
    ZeroInflatedPoissonLoss,
)
from nncli.nn.losses.amounts import _log_gamma

REFERENCE: dict[str, Any] = json.loads(Path(__file__).with_name("amounts.json").read_text("utf-8"))
LOSSES = (
    PoissonLoss(),
    GammaLoss(),
    LogNormalLoss(),
    TweedieLoss(power=1.2),
    TweedieLoss(),
    NegativeBinomialLoss(),
    ZeroInflatedPoissonLoss(),
)


def column(name: str) -> Any:
    return np.array(REFERENCE[name], np.float64)[:, None]


def outputs(loss: LossBase) -> Any:
    return np.hstack([column("z"), column("s")][: loss.outputs(1)])


def values(loss: LossBase, Z: Any, y: Any) -> Any:
    """The value of each row."""
    return np.array([loss.bind(Z[i : i + 1], y[i : i + 1], None).forward() for i in range(len(Z))])


@pytest.mark.parametrize("loss", [NegativeBinomialLoss(), ZeroInflatedPoissonLoss()])
def test_counts_have_the_likelihood_of_a_second_implementation(loss: LossBase) -> None:
    y = column("counts")
    constant = np.array([math.lgamma(count + 1.0) for count in y[:, 0]])
    if isinstance(loss, ZeroInflatedPoissonLoss):
        constant *= y[:, 0] > 0.0
    np.testing.assert_allclose(
        values(loss, outputs(loss), y) + constant, REFERENCE[loss.model_dump()["type"]], rtol=1e-8
    )


def test_a_zero_inflated_prediction_is_the_mean_with_the_zeros() -> None:
    loss = ZeroInflatedPoissonLoss()
    np.testing.assert_allclose(loss.inverse_link(outputs(loss))[:, 0], REFERENCE["zero_inflated_mean"], rtol=1e-12)


@pytest.mark.parametrize(
    ("loss", "targets", "deviance"),
    [
        (PoissonLoss(), "counts", REFERENCE["poisson_deviance"]),
        (GammaLoss(), "amounts", REFERENCE["gamma_deviance"]),
        *((TweedieLoss(power=float(p)), "some", d) for p, d in REFERENCE["tweedie_deviance"].items()),
    ],
)
def test_amounts_have_half_the_deviance_of_a_second_implementation(
    loss: LossBase, targets: str, deviance: float
) -> None:
    y, w = column(targets), column("weight")[:, 0]
    z = np.log(np.where(y > 0.0, y, 1e-300))  # the deviance is relative to the loss at m = y
    own = values(loss, outputs(loss), y) - np.where(y[:, 0] > 0.0, values(loss, z, y), 0.0)
    assert 2.0 * np.average(own, weights=w) == pytest.approx(deviance, rel=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_differences(loss: LossBase, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    Z, y = rng.normal(size=(30, loss.outputs(2))), rng.poisson(1.5, (30, 2)).astype(np.float64)
    y += isinstance(loss, GammaLoss | LogNormalLoss)
    bound = loss.bind(Z, y, rng.uniform(0.5, 2.0, 30) if weighted else None)
    bound.forward()
    dZ, numeric = bound.backward().copy(), np.zeros_like(Z)
    for i in np.ndindex(Z.shape):
        z = Z[i]
        ends = []
        for Z[i] in (z + 1e-5, z - 1e-5):
            ends.append(bound.forward())
        Z[i], numeric[i] = z, (ends[0] - ends[1]) / 2e-5
    assert np.abs(numeric - dZ).max() <= 1e-7 * np.abs(dZ).max()


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_of_predictions_is_that_of_differences(loss: LossBase) -> None:
    rng = np.random.default_rng(2)
    Z = rng.normal(size=(8, loss.outputs(2)))
    dP, numeric = rng.normal(size=loss.inverse_link(Z).shape), np.zeros_like(Z)
    for i in np.ndindex(Z.shape):
        high, low = Z.copy(), Z.copy()
        high[i] += 1e-6
        low[i] -= 1e-6
        numeric[i] = ((loss.inverse_link(high) - loss.inverse_link(low)) * dP).sum() / 2e-6
    np.testing.assert_allclose(loss.inverse_link_vjp(Z, dP), numeric, atol=1e-7)


@pytest.mark.parametrize("loss", [GammaLoss(), TweedieLoss(power=1.3), TweedieLoss(power=1.8)])
def test_the_best_constant_prediction_is_the_mean(loss: LossBase) -> None:
    y = np.array([[0.5], [1.0], [2.0], [4.0], [9.0]])
    grid = np.log(np.arange(0.5, 9.0, 0.001))
    best = grid[int(np.argmin([loss.bind(np.full_like(y, z), y, None).forward() for z in grid]))]
    assert math.exp(best) == pytest.approx(3.3, abs=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_row_in_reports_is_least_at_its_target(loss: LossBase) -> None:
    y = np.array([[2.0]])
    grid = np.arange(0.5, 5.0, 0.01)
    rows = [float(loss.per_row(np.array([[m]]), y)[0]) for m in grid]
    assert grid[int(np.argmin(rows))] == pytest.approx(2.0, abs=0.011)


@pytest.mark.parametrize("loss", [NegativeBinomialLoss(), ZeroInflatedPoissonLoss()])
def test_shards_add_up_to_the_batch(loss: LossBase) -> None:
    Z, y = outputs(loss), column("counts")
    whole = loss.bind(Z, y, None)
    parts = [loss.bind(Z[rows], y[rows], None, batch=len(y)) for rows in (slice(0, 15), slice(15, None))]
    assert sum(part.forward() for part in parts) == pytest.approx(whole.forward())
    np.testing.assert_allclose(np.vstack([part.backward() for part in parts]), whole.backward())


@pytest.mark.parametrize(
    ("loss", "valid"),
    [
        (PoissonLoss(), [False, True, True, True]),
        (TweedieLoss(), [False, True, True, True]),
        (GammaLoss(), [False, False, True, True]),
        (LogNormalLoss(), [False, False, True, True]),
        (NegativeBinomialLoss(), [False, True, False, True]),
        (ZeroInflatedPoissonLoss(), [False, True, False, True]),
    ],
)
def test_targets_out_of_the_domain_are_invalid(loss: LossBase, valid: list[bool]) -> None:
    assert loss.are_valid(np.array([[-1.0], [0.0], [0.5], [3.0]]))[:, 0].tolist() == valid


def test_a_log_normal_prediction_is_the_mean_of_the_target_itself() -> None:
    loss, rng = LogNormalLoss(), np.random.default_rng(0)
    y = np.exp(rng.normal(1.0, 0.8, (200_000, 1)))
    s = np.full_like(y, 2.0 * math.atanh((math.log(0.8) + 1.0) / 2.0) - 1.0)
    Z = np.hstack([np.full_like(y, 1.0), s])
    assert loss.inverse_link(Z[:1]).item() == pytest.approx(y.mean(), rel=0.01)
    bound = loss.bind(Z, y, None)
    bound.forward()
    np.testing.assert_allclose(bound.backward().sum(axis=0), 0.0, atol=0.01)  # both parameters are the best ones


@given(st.floats(1e-5, 1e12))
def test_log_gamma_has_the_digits_of_the_standard_library(x: float) -> None:
    (value,), _ = _log_gamma(np.array([x]))
    assert float(value) == pytest.approx(math.lgamma(x), rel=1e-12, abs=1e-11)


def test_counts_start_at_their_mean() -> None:
    y = np.array([[1.0, 20.0], [3.0, 40.0]])
    start = NegativeBinomialLoss().initial_outputs(y)
    np.testing.assert_allclose(NegativeBinomialLoss().inverse_link(start[None]), [[2.0, 30.0]])
    np.testing.assert_allclose(PoissonLoss().inverse_link(PoissonLoss().initial_outputs(y)[None]), [[2.0, 30.0]])


@pytest.mark.parametrize("power", [1.2, 1.5, 1.8])
def test_the_power_is_that_of_sums_of_gamma_amounts(power: float) -> None:
    rng, m, spread = np.random.default_rng(0), 3.0, 1.4
    counts = rng.poisson(m ** (2.0 - power) / (spread * (2.0 - power)), 200_000)
    shape, unit = (2.0 - power) / (power - 1.0), spread * (power - 1.0) * m ** (power - 1.0)
    y = np.where(counts > 0, rng.gamma(np.maximum(counts, 1) * shape, unit), 0.0)[:, None]
    assert TweedieLoss().with_auto_values(lambda: y).power == pytest.approx(power, abs=0.03)
    assert TweedieLoss(power=1.3).with_auto_values(lambda: y).power == 1.3


@pytest.mark.parametrize(
    ("y", "power"), [([0.0, 0.0], 1.5), ([], "auto"), ([1.0, 2.0, 4.0], 1.9), ([0.0, 3.0, 3.0, 3.0, 3.0], 1.1)]
)
def test_the_power_of_targets_that_say_little_is_within_bounds(y: list[float], power: float | str) -> None:
    assert TweedieLoss().with_auto_values(lambda: np.array(y)[:, None]).power == power


def test_of_a_negative_amount_no_other_loss_of_amounts_is_named() -> None:
    zero, negative = (GammaLoss().invalid_target(lambda y=y: np.array([[1.0], [y]])) for y in (0.0, -0.2))  # type: ignore[misc]
    assert zero is not None
    assert negative is not None
    assert (zero.row, negative.row) == (1, 1)
    assert "tweedie" in zero.hint
    assert "tweedie" not in negative.hint
