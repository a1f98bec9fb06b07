"""The mixture of normal distributions: derivatives, quantiles by a search, CRPS and cumulative shares."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nncli.nn.losses import MixtureLoss, NormalLoss
from tests.nn.losses.support import numeric_gradient

Floats = NDArray[np.float64]
LOSSES = (MixtureLoss(), MixtureLoss(components=2, levels=(0.1, 0.5, 0.8)), MixtureLoss(components=5))


def components_of(loss: MixtureLoss, z: Floats) -> list[tuple[float, NormalDist]]:
    """The weights and the distributions of the raw output z of one target."""
    m, s, r = z.reshape(3, -1)
    starts = [NormalDist().inv_cdf((i + 0.5) / loss.components) for i in range(loss.components)]
    scales, weights = np.exp(4.0 * np.tanh(s / 2.0 + 1.0) - 3.0), np.exp(r) / np.exp(r).sum()
    return [(w, NormalDist(m + d, s)) for w, m, d, s in zip(weights, m, starts, scales, strict=True)]


def cdf(parts: list[tuple[float, NormalDist]], x: float) -> float:
    return sum(w * part.cdf(x) for w, part in parts)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_differences(loss: MixtureLoss, weighted: bool) -> None:
    rng = np.random.default_rng(1)
    Z, y = rng.normal(size=(12, loss.outputs(2))), rng.normal(size=(12, 2))
    bound = loss.bind(Z, y, rng.uniform(0.5, 2.0, 12) if weighted else None)
    bound.forward()
    np.testing.assert_allclose(bound.backward().copy(), numeric_gradient(bound, Z), atol=1e-7)


@pytest.mark.parametrize("y", [-2.5, 0.0, 1.3, 6.0])
def test_the_loss_is_the_integral_of_the_squared_distance_to_the_step_at_y(y: float) -> None:
    loss, z = MixtureLoss(), np.array([-1.0, 0.2, 2.0, -1.5, -0.3, 0.4, 0.1, -0.7, 0.9])
    parts, x = components_of(loss, z), np.linspace(-15.0, 15.0, 15_001)
    middle = (x[1:] + x[:-1]) / 2.0
    F = np.array([cdf(parts, float(a)) for a in middle])
    value = loss.bind(z[None], np.array([[y]]), None).forward()
    assert value == pytest.approx(float(np.sum((F - (middle >= y)) ** 2 * np.diff(x))), abs=2e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_distribution_function_at_a_quantile_is_its_level(loss: MixtureLoss) -> None:
    Z = np.random.default_rng(3).normal(scale=2.0, size=(20, loss.outputs(1)))
    for z, of_row in zip(Z, loss.quantiles(Z)[:, 0], strict=True):
        shares = [cdf(components_of(loss, z), float(x)) for x in of_row]
        np.testing.assert_allclose(shares, loss.levels, atol=1e-4)


def test_the_quantiles_of_equal_components_are_those_of_the_normal_distribution() -> None:
    loss, levels = MixtureLoss(), NormalLoss().levels
    m = 0.7 - np.array([NormalDist().inv_cdf((i + 0.5) / 3) for i in range(3)])  # locations start side by side
    Z = np.concatenate([m, np.full(3, -0.4), [0.3, -2.0, 1.0]])[None]
    wanted = NormalLoss().quantiles(np.array([[0.7, -0.4]]))[0, 0]
    places = [loss.levels.index(level) for level in levels]
    np.testing.assert_allclose(loss.quantiles(Z)[0, 0, places], wanted, atol=1e-5)
    assert loss.inverse_link(Z)[0, 0] == loss.quantiles(Z)[0, 0, loss.levels.index(0.5)]


@pytest.mark.slow
@given(
    z=st.lists(st.floats(-1e3, 1e3), min_size=12, max_size=12),
    levels=st.sets(st.floats(0.01, 0.99)),
    is_far=st.booleans(),
)
def test_quantiles_never_cross(z: list[float], levels: set[float], is_far: bool) -> None:
    loss = MixtureLoss(components=2, levels=tuple(sorted({*levels, 0.5, 0.995})))
    Z = np.array([z]) / (1.0 if is_far else 1e3)
    assert (np.diff(loss.quantiles(Z)) >= 0.0).all()


@given(seed=st.integers(0, 2**16), rise=st.floats(1e-12, 3.0))
def test_every_quantile_rises_with_a_location(seed: int, rise: float) -> None:
    loss, rng = MixtureLoss(components=2), np.random.default_rng(seed)
    Z = np.repeat(rng.normal(scale=2.0, size=(1, 6)), 2, axis=0)
    Z[1, :2] += rise * rng.uniform(size=2)
    low, high = loss.quantiles(Z)[:, 0]
    assert (high >= low).all()
    assert loss.output_signs(6) == (1, 1, 0, 0, 0, 0)


def test_the_bits_of_a_row_depend_on_the_row_alone() -> None:
    loss, Z = MixtureLoss(), np.random.default_rng(4).normal(size=(300, 18))
    np.testing.assert_array_equal(loss.quantiles(Z)[170:171], loss.quantiles(Z[170:171]))


def test_the_score_and_the_share_below_are_those_of_a_linear_distribution_function() -> None:
    loss = MixtureLoss(levels=(0.2, 0.5, 0.9))
    quantiles, y = np.array([[[1.0, 3.0, 3.5]]]), np.array([[2.0]])
    wanted = {-1.0: 0.0, 0.9: 0.0, 2.0: 0.35, 3.25: 0.7, 3.6: 1.0}
    for value, share in wanted.items():
        assert loss.cdf(quantiles, np.array([[value]]))[0, 0] == pytest.approx(share)
    knots = [(1.0, 0.2), (3.0, 0.5), (3.5, 0.9)]
    x = np.linspace(-2.0, 6.0, 80_001)
    middle, F = (x[1:] + x[:-1]) / 2.0, np.zeros(80_000)
    for (low, a), (high, b) in pairwise(knots):
        F = np.where((middle >= low) & (middle < high), a + (b - a) * (middle - low) / (high - low), F)
    F[middle >= 3.5] = 1.0
    for value in (-1.0, 2.0, 3.2, 5.0):
        integral = float(np.sum((F - (middle >= value)) ** 2 * np.diff(x)))
        assert loss.per_row(quantiles, y * 0.0 + value)[0] == pytest.approx(integral, abs=2e-4)


def test_the_standard_deviation_is_that_of_the_told_distribution() -> None:
    loss = MixtureLoss(levels=(0.2, 0.5, 0.9))
    told = np.concatenate([np.full(20_000, 1.0), np.linspace(1.0, 3.0, 30_000), np.linspace(3.0, 3.5, 40_000)])
    told = np.concatenate([told, np.full(10_000, 3.5)])
    assert loss.standard_deviations(np.array([[[1.0, 3.0, 3.5]]]))[0, 0] == pytest.approx(told.std(), rel=1e-4)


def test_the_standard_deviation_of_the_default_levels_is_near_that_of_the_mixture() -> None:
    loss, Z = MixtureLoss(), np.random.default_rng(6).normal(size=(30, 9))
    predicted = loss.standard_deviations(loss.quantiles(Z))[:, 0]
    for z, sd in zip(Z, predicted, strict=True):
        parts = components_of(loss, z)
        mean = sum(w * part.mean for w, part in parts)
        exact = sum(w * (part.variance + (part.mean - mean) ** 2) for w, part in parts) ** 0.5
        assert sd == pytest.approx(exact, rel=0.06)


@pytest.mark.slow
def test_the_score_of_the_default_levels_is_near_that_of_the_mixture() -> None:
    rng = np.random.default_rng(5)
    loss, Z = MixtureLoss(), np.repeat(rng.normal(scale=1.5, size=(20, 9)), 200, axis=0)
    y = np.array([[rng.choice([-1.0, 1.0]) * 1.5 + 0.4 * rng.normal()] for _ in Z])
    exact = loss.bind(Z, y, None).forward()
    assert loss.per_row(loss.quantiles(Z), y).mean() == pytest.approx(exact, rel=5e-3)


def test_a_number_without_a_spread_has_its_absolute_error() -> None:
    predicted, y = np.array([[1.0], [5.0]]), np.array([[3.0], [4.5]])
    np.testing.assert_array_equal(MixtureLoss().per_row(predicted, y), [2.0, 0.5])
    narrow = np.repeat(predicted[:, :, None], len(MixtureLoss().levels), axis=2)
    np.testing.assert_allclose(MixtureLoss().per_row(narrow, y), [2.0, 0.5])
