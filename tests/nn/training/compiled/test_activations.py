"""Compiled activations give the numbers of the NumPy code that each stands for, and let no NaN or infinity vanish."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given

from nncli.nn.activations import Elu, Gelu, Identity, LeakyRelu, Mish, Relu, Selu, Sigmoid, Silu, Tanh
from nncli.nn.layers.residual import ParametricActivation
from tests.nn.training.compiled.support import (
    BEYOND,
    EXTREMES,
    GRID,
    NONE,
    Vector,
    array,
    close,
    compiling,
    ulps,
    wild_vectors,
)

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.nn.training.compiled import activations
from nncli.nn.training.compiled.activations import RESOLUTION, mask_keys
from nncli.nn.training.compiled.blocks import FROM_OUTPUT, hyperparameters, number_of

ACTIVATIONS = [Identity(), Relu(), LeakyRelu(), LeakyRelu(slope=0.3), LeakyRelu(slope=0.0), Sigmoid(), Tanh()]
STORED = [*ACTIVATIONS, Elu(), Elu(alpha=0.3), Selu(), Gelu(), Silu(), Mish()]


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """As in a training, where values that overflow are met as such."""
    with np.errstate(all="ignore"):
        yield


@pytest.mark.slow
def test_exp_is_within_2_units_of_the_truth() -> None:
    x = np.concatenate([np.linspace(-87.33, 88.37, 20_001), [0.0, -0.0, 1e-40, -1e-40]]).astype(np.float32)
    result = array([activations.exp(v) for v in x])
    assert ulps(result, np.exp(x.astype(np.float64))) <= 2.0


@pytest.mark.parametrize(("x", "bound"), [(1e30, 2e38), (math.inf, 2e38), (88.5, 2e38), (-1e30, 0.0), (-math.inf, 0.0)])
def test_exp_saturates_where_float32_ends(x: float, bound: float) -> None:
    result = float(activations.exp(np.float32(x)))
    assert math.isfinite(result)
    assert bound <= result <= bound + 1e38 if bound else 0.0 <= result < 1.2e-38


def activated(f: Any, Z: Vector, b: Vector = NONE) -> Vector:
    result = Z.copy()
    activations.add_bias(result, b, 1.0)
    activations.activate(result, FROM_OUTPUT.index(type(f)), getattr(f, "slope", 0.0))
    return result


@pytest.mark.slow
def test_tanh_is_within_4_units_of_the_truth_everywhere() -> None:
    x = np.concatenate([GRID, -GRID])
    assert ulps(activated(Tanh(), x.reshape(1, -1))[0], np.tanh(x.astype(np.float64))) <= 4.0


@pytest.mark.slow
def test_sigmoid_is_within_4_units_of_the_truth_while_it_is_not_all_but_0() -> None:
    x = np.concatenate([GRID, -GRID])
    result = activated(Sigmoid(), x.reshape(1, -1))[0]
    truth = np.where(x < 0, np.exp(np.minimum(x, 0.0).astype(np.float64)), 1.0) / (
        1.0 + np.exp(-np.abs(x, dtype=float))
    )
    ordinary = x > -87.0
    assert ulps(result[ordinary], truth[ordinary]) <= 4.0
    np.testing.assert_allclose(result[~ordinary], truth[~ordinary], rtol=0, atol=1.8e-38)


@pytest.mark.slow
@pytest.mark.parametrize("f", ACTIVATIONS, ids=lambda f: f.model_dump_json())
@compiling
@given(values=wild_vectors)
@example(values=EXTREMES + BEYOND)
def test_an_activation_is_that_of_numpy_there_and_back(f: Any, values: list[float]) -> None:
    with np.errstate(all="ignore"):
        Z = array(values, 1, -1)
        bound = f.bind(Z)
        bound.forward()
        result = activated(f, Z)
        if isinstance(f, Sigmoid):  # NumPy's is (1 + tanh(z/2)) / 2: exact to a unit of 1, not of itself
            close(result, bound.Y, scale=0.5)
        else:
            close(result, bound.Y)
        Y = bound.Y.copy()
        for dY in (array(values[::-1], 1, -1), np.full_like(Z, np.nan), np.full_like(Z, np.inf)):
            expected, dZ = bound.backward(dY.copy()), dY.copy()
            activations.activation_grad(dZ, Y, FROM_OUTPUT.index(type(f)), getattr(f, "slope", 0.0))
            close(dZ, expected)


@pytest.mark.parametrize("f", ACTIVATIONS, ids=lambda f: f.model_dump_json())
def test_a_bias_is_added_first(f: Any) -> None:
    rng = np.random.default_rng(0)
    Z, b = rng.normal(size=(7, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    np.testing.assert_array_equal(activated(f, Z, b), activated(f, Z + b))


# --- with the strength of the activation, and dropout


def stored(f: Any, Z: Vector, alpha: Vector, dropped: int = 0, key: tuple[int, int] = (1, 2)) -> tuple[Vector, ...]:
    """Y, dY/dalpha and dY/dz for the inputs Z."""
    Y, D, S = Z.copy(), np.empty_like(Z), np.empty_like(Z)
    h, keys = np.array(hyperparameters(f), np.float32), (np.uint32(key[0]), np.uint32(key[1]))
    activations.activate_and_store(Y, NONE, 1.0, number_of(f), h, alpha, keys, dropped, D, S)
    return Y, D, S


@pytest.mark.slow
@pytest.mark.parametrize("f", STORED, ids=lambda f: f.model_dump_json())
@compiling
@given(values=wild_vectors)
@example(values=EXTREMES + BEYOND)
def test_a_parametric_activation_is_that_of_numpy_there_and_back(f: Any, values: list[float]) -> None:
    Z = array(values, 1, -1)
    alpha, size = np.linspace(-0.5, 1.5, Z.size, dtype=np.float32), np.maximum(1.0, np.abs(np.nan_to_num(Z)))
    gradients = {"alpha": np.empty_like(alpha)}
    bound = ParametricActivation(activation=f).bind({"alpha": alpha}, gradients, Z, training=None, needs_dX=True)
    bound.forward()
    Y, D, S = stored(f, Z, alpha)
    finite = np.abs(Z) < 1e6  # beyond, squares and cubes may overflow in one of the two
    close(Y[finite], bound.Y[finite], scale=4.0 * size[finite])
    dY, dalpha = np.ones_like(Z), np.empty_like(alpha)
    expected = bound.backward(dY.copy())
    activations.stored_grad(dY, D, S, dalpha)
    np.testing.assert_allclose(dY[finite], expected[finite], rtol=1e-5, atol=2e-6)
    close(dalpha[finite[0]], gradients["alpha"][finite[0]], scale=4.0 * size[finite])


@pytest.mark.slow
def test_nan_stays_nan_in_every_activation() -> None:
    for f in STORED:
        Y, _, _ = stored(f, array([np.nan, 1.0], 1, 2), np.ones(2, np.float32))
        assert np.isnan(Y[0, 0])
        assert np.isfinite(Y[0, 1])


@pytest.mark.parametrize("rate", [0.05, 0.15, 0.5])
def test_dropout_sets_units_to_0_at_its_rate_and_scales_the_others(rate: float) -> None:
    Z = np.random.default_rng(0).normal(size=(200, 100)).astype(np.float32)
    alpha, dropped = np.full(100, 0.7, np.float32), int(rate * RESOLUTION)
    whole, masked = stored(Mish(), Z, alpha), stored(Mish(), Z, alpha, dropped)
    kept = masked[0] != 0.0
    assert kept.mean() == pytest.approx(1.0 - rate, abs=4.0 * (rate * (1.0 - rate) / Z.size) ** 0.5)
    for part, with_mask in zip(whole, masked, strict=True):
        np.testing.assert_allclose(with_mask, np.where(kept, part / (1.0 - rate), 0.0), rtol=1e-6)
    for axis in (0, 1):  # no row or unit is favored
        assert abs(kept.mean(axis) - (1.0 - rate)).max() < 6.0 * (rate * (1.0 - rate) / Z.shape[axis]) ** 0.5


def test_masks_of_other_steps_and_layers_are_independent() -> None:
    Z, alpha = np.ones((100, 100), np.float32), np.ones(100, np.float32)
    seed = np.uint64(12345)
    keys = [mask_keys(seed, step, layer) for step in (1, 2, 3) for layer in (0, 1, 2)]
    masks = [stored(Mish(), Z, alpha, RESOLUTION // 2, key)[0] != 0.0 for key in (*keys, keys[0])]
    np.testing.assert_array_equal(masks[0], masks[-1])
    for item, other in combinations(masks[:-1], 2):
        assert (item == other).mean() == pytest.approx(0.5, abs=0.025)
