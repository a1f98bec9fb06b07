"""Scales and parametric activations: worked by hand, and as their formulas say for every activation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nncli.nn.activations import ElementwiseActivation, Relu
from nncli.nn.layers.layer import LayerBase
from nncli.nn.layers.residual import ParametricActivation, Scale
from nncli.nn.parameters import ParamGroup
from tests.nn.layers.support import bind
from tests.unions import members, tag

Matrix = NDArray[np.float64]

elementwise = pytest.mark.parametrize(
    "activation", [pytest.param(cls(), id=tag(cls)) for cls in members(ElementwiseActivation)]
)


def test_scale_is_worked_by_hand() -> None:
    bound, parameters = bind(Scale(), [[1.0, 2.0], [3.0, 4.0]])
    parameters.by_name["scale"][...] = [2.0, -1.0]
    bound.forward()
    np.testing.assert_array_equal(bound.Y, [[2.0, -2.0], [6.0, -4.0]])
    dX = bound.backward(np.array([[1.0, 10.0], [2.0, 20.0]]))
    np.testing.assert_array_equal(parameters.gradients["scale"], [7.0, 100.0])  # Σ dY · X
    np.testing.assert_array_equal(dX, [[2.0, -10.0], [4.0, -20.0]])


def test_parametric_is_worked_by_hand() -> None:
    # x + alpha (relu(x) - x): where x < 0 it is (1 - alpha) x
    bound, parameters = bind(ParametricActivation(activation=Relu()), [[-2.0, -2.0, 3.0], [-4.0, 5.0, 3.0]])
    parameters.by_name["alpha"][...] = [0.25, 0.5, 0.75]
    bound.forward()
    np.testing.assert_array_equal(bound.Y, [[-1.5, -1.0, 3.0], [-3.0, 5.0, 3.0]])
    dX = bound.backward(np.array([[1.0, 1.0, 1.0], [10.0, 10.0, 10.0]]))
    np.testing.assert_array_equal(parameters.gradients["alpha"], [42.0, 2.0, 0.0])  # Σ dY (relu(x) - x)
    np.testing.assert_array_equal(dX, [[0.75, 0.5, 1.0], [7.5, 10.0, 10.0]])


@pytest.mark.parametrize("layer", [Scale(), ParametricActivation(activation=Relu())], ids=lambda layer: layer.type)
def test_they_start_at_one_in_groups_of_their_own(layer: LayerBase) -> None:
    (spec,) = layer.parameters(3)
    assert (
        spec.group is {"scale": ParamGroup.SCALE, "parametric_activation": ParamGroup.ALPHA}[layer.model_dump()["type"]]
    )
    assert spec.init.sample(np.random.default_rng(0), spec.shape).tolist() == [1.0, 1.0, 1.0]


@elementwise
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_an_alpha_of_one_is_the_activation_and_of_zero_the_identity(activation: Any, precision: Any) -> None:
    X = np.random.default_rng(0).normal(0.0, 3.0, (40, 2)).astype(precision)
    bound = activation.bind(X.copy())
    bound.forward()
    layer = ParametricActivation(activation=activation)
    parameter = np.array([1.0, 0.0], precision)
    mine = layer.bind({"alpha": parameter}, {"alpha": np.empty(2, precision)}, X, training=None, needs_dX=True)
    mine.forward()
    tolerance = 20.0 * float(np.finfo(precision).eps)
    np.testing.assert_allclose(mine.Y[:, 0], bound.Y[:, 0], rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(mine.Y[:, 1], X[:, 1])
    dY = np.ones_like(X)
    expected = bound.backward(dY.copy())
    result = mine.backward(dY)
    np.testing.assert_allclose(result[:, 0], expected[:, 0], rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(result[:, 1], 1.0)


@pytest.mark.slow
@elementwise
@given(Z=arrays(np.float64, (3, 2), elements=st.floats(-30.0, 30.0)))
@settings(max_examples=30, deadline=None)
def test_the_bend_is_the_function_less_the_straight_line(activation: Any, Z: Matrix) -> None:
    plain, bend = activation.bind(Z.copy()), activation.bind_delta(Z.copy())
    plain.forward()
    bend.forward()
    np.testing.assert_allclose(bend.Y, plain.Y - Z, rtol=1e-13, atol=1e-13)
    dD = np.linspace(-2.0, 2.0, Z.size).reshape(Z.shape)
    np.testing.assert_allclose(bend.backward(dD.copy()), plain.backward(dD.copy()) - dD, rtol=1e-12, atol=1e-13)


@elementwise
@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_the_bend_of_extreme_numbers_is_finite(activation: Any, precision: Any) -> None:
    Z = np.array([[-1e3, -88.0, -20.0, -1e-30, -0.0, 0.0, 1e-30, 20.0, 88.0, 1e3]], precision)
    bound = activation.bind_delta(Z)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        bound.forward()
        dZ = bound.backward(np.ones_like(Z))
    assert np.isfinite(bound.Y).all()
    assert np.isfinite(dZ).all()
