"""The dense layer: worked by hand, its initializers, and gradients without dX."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.activations import Relu, Tanh
from nncli.nn.initializers import Glorot, He, Orthogonal, Zeros
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm
from nncli.nn.layers.residual import Residual
from tests.nn.layers.support import bind


def test_dense_is_worked_by_hand() -> None:
    # X W + b = (1 2) (1 0; -1 3) + (0.5, -0.5) = (-0.5, 5.5), and for (0 1): (-0.5, 2.5)
    bound, parameters = bind(Dense(units=2), [[1.0, 2.0], [0.0, 1.0]])
    parameters.by_name["weight"][...] = [[1.0, 0.0], [-1.0, 3.0]]
    parameters.by_name["bias"][...] = [0.5, -0.5]
    bound.forward()
    np.testing.assert_array_equal(bound.Y, [[-0.5, 5.5], [-0.5, 2.5]])
    dX = bound.backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    # dW = Xᵀ dY, db = column sums, dX = dY Wᵀ
    np.testing.assert_array_equal(parameters.gradients["weight"], [[1.0, 2.0], [5.0, 8.0]])
    np.testing.assert_array_equal(parameters.gradients["bias"], [4.0, 6.0])
    np.testing.assert_array_equal(dX, [[1.0, 5.0], [3.0, 9.0]])


def test_dense_with_an_activation_is_worked_by_hand() -> None:
    bound, parameters = bind(Dense(units=2, activation=Relu()), [[1.0, 2.0]])
    parameters.by_name["weight"][...] = [[1.0, 0.0], [-1.0, 3.0]]
    bound.forward()  # Z = (-1, 6)
    np.testing.assert_array_equal(bound.Y, [[0.0, 6.0]])
    dX = bound.backward(np.array([[10.0, 10.0]]))  # dZ = (0, 10)
    np.testing.assert_array_equal(parameters.gradients["weight"], [[0.0, 10.0], [0.0, 20.0]])
    np.testing.assert_array_equal(dX, [[0.0, 30.0]])


def test_dense_without_a_bias_has_none() -> None:
    bound, parameters = bind(Dense(units=2, bias=False), [[0.0, 0.0]])
    bound.forward()
    assert set(parameters.by_name) == {"weight"}
    np.testing.assert_array_equal(bound.Y, 0.0)


def test_dense_uses_its_initializer_or_that_of_its_activation() -> None:
    def init_of(layer: Dense) -> Any:
        return layer.parameters(3)[0].init

    assert init_of(Dense(units=2)) == Glorot()
    assert init_of(Dense(units=2, activation=Relu())) == He()
    assert init_of(Dense(units=2, activation=Relu(), init=Orthogonal())) == Orthogonal()
    assert Dense(units=2).parameters(3)[1].init == Zeros()


def test_without_dX_the_gradients_of_the_parameters_are_the_same() -> None:
    X, dY = np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=(5, 3))
    layer = Residual(layers=(Dense(units=4, activation=Tanh()), BatchNorm(), Dense(units=3)))
    result = []
    for needs_dX in (True, False):
        bound, parameters = bind(layer, X, needs_dX=needs_dX)
        bound.forward()
        bound.backward(dY.copy())
        result.append(parameters.grad.tobytes())
    assert result[0] == result[1]
