"""Losses of distributions: derivatives, quantiles, CRPS and cumulative shares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import LocationScaleLoss, Normal, StudentT
from tests.nn.losses.support import numeric_gradient

LOSSES = (Normal(), StudentT(degrees_of_freedom=3), StudentT(), StudentT(degrees_of_freedom=9))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_differences(loss: LocationScaleLoss, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    Z, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    bound = loss.bind(Z, y, rng.uniform(0.5, 2.0, 30) if weighted else None)
    bound.forward()
    np.testing.assert_allclose(bound.backward().copy(), numeric_gradient(bound, Z), atol=1e-7)


@pytest.mark.parametrize(
    ("loss", "quantile"),
    [
        (Normal(), 1.6448536),
        (StudentT(degrees_of_freedom=3), 2.3533634),
        (StudentT(degrees_of_freedom=4), 2.1318468),
        (StudentT(degrees_of_freedom=5), 2.0150484),
        (StudentT(degrees_of_freedom=30), 1.6972609),
    ],
)
def test_the_quantile_of_level_95_is_that_of_the_tables(loss: LocationScaleLoss, quantile: float) -> None:
    assert loss.standard_quantile(0.95) == pytest.approx(quantile, abs=1e-6)
    assert loss.standard_quantile(0.05) == pytest.approx(-quantile, abs=1e-6)
    np.testing.assert_allclose(loss.standard_cdf(np.array([quantile, 0.0, -quantile])), [0.95, 0.5, 0.05], atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("y", [-2.5, 0.0, 0.4, 6.0])
def test_the_crps_is_the_integral_of_the_squared_distance_to_the_step_at_y(loss: LocationScaleLoss, y: float) -> None:
    x = np.concatenate([np.linspace(-3000.0, -30.0, 20_001)[:-1], np.linspace(-30.0, 30.0, 40_001)])
    x = np.unique(np.concatenate([x, -x, [y]]))
    middle = (x[1:] + x[:-1]) / 2.0
    integral = float(np.sum((loss.standard_cdf(middle) - (middle >= y)) ** 2 * np.diff(x)))
    assert float(loss.standard_crps(np.array([y]))[0]) == pytest.approx(integral, abs=2e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_location_scale_and_shares_follow_from_the_quantiles(loss: LocationScaleLoss) -> None:
    rng = np.random.default_rng(2)
    Z, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    s = np.exp(4.0 * np.tanh(Z[:, 2:] / 2.0 + 1.0) - 3.0)
    u = (y - Z[:, :2]) / s
    quantiles = loss.quantiles(Z)
    np.testing.assert_allclose(quantiles[:, :, 2], loss.inverse_link(Z), rtol=1e-12)
    np.testing.assert_allclose(loss.per_row(quantiles, y), (s * loss.standard_crps(u)).mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(loss.cdf(quantiles, y), loss.standard_cdf(u), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(
    ("loss", "factor"), [(Normal(), 1.0), (StudentT(degrees_of_freedom=3), 3.0**0.5), (StudentT(), 2.0**0.5)]
)
def test_the_standard_deviation_is_that_of_the_scale(loss: LocationScaleLoss, factor: float) -> None:
    Z = np.random.default_rng(3).normal(size=(20, 4))
    s = np.exp(4.0 * np.tanh(Z[:, 2:] / 2.0 + 1.0) - 3.0)
    np.testing.assert_allclose(loss.standard_deviations(loss.quantiles(Z)), s * factor, rtol=1e-9)


def test_the_crps_of_a_number_is_its_absolute_error() -> None:
    predicted, y = np.array([[1.0], [5.0]]), np.array([[3.0], [4.5]])
    np.testing.assert_array_equal(Normal().per_row(predicted, y), [2.0, 0.5])
    narrow = np.repeat(predicted[:, :, None], 5, axis=2)
    np.testing.assert_allclose(Normal().per_row(narrow, y), [2.0, 0.5])


@given(
    loss=st.sampled_from(LOSSES), z=st.floats(-1e3, 1e3), s=st.floats(-1e3, 1e3), levels=st.sets(st.floats(0.01, 0.99))
)
def test_quantiles_never_cross(loss: LocationScaleLoss, z: float, s: float, levels: set[float]) -> None:
    loss = loss.model_copy(update={"levels": tuple(sorted({*levels, 0.5, 0.995}))})
    assert (np.diff(loss.quantiles(np.array([[z, s]]))) >= 0.0).all()
