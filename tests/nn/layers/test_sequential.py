"""Layers in sequence: widths, names of parameters, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.activations import Tanh
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import Residual
from nncli.nn.layers.sequential import Sequential
from nncli.nn.parameters import ParamLayout

SEQUENCE = Sequential.of((Dense(units=4, activation=Tanh()), Dense(units=3)), Dense(units=2))


def test_each_layer_gets_the_width_of_the_one_before() -> None:
    widths = [(name, d) for name, _, d in SEQUENCE.infer_widths(5)]
    assert widths == [("layers.0", 5), ("layers.1", 4), ("output", 3)]


def test_the_error_of_an_impossible_width_names_the_layer() -> None:
    sequence = Sequential.of((Dense(units=4), Residual(layers=(Dense(units=3),))))
    with pytest.raises(ValueError, match=r"layers\.1"):
        list(sequence.infer_widths(5))


def test_parameters_are_named_by_their_layer() -> None:
    assert [spec.name for spec in SEQUENCE.parameters(5)] == [
        *("layers.0.weight", "layers.0.bias"),
        *("layers.1.weight", "layers.1.bias"),
        *("output.weight", "output.bias"),
    ]


def test_forward_and_backward_compose_the_layers() -> None:
    rng = np.random.default_rng(0)
    X, dY = rng.normal(size=(6, 5)), rng.normal(size=(6, 2))
    parameters = ParamLayout(tuple(SEQUENCE.parameters(5))).initialize(rng, "float64")
    bound = SEQUENCE.bind(parameters.by_name, parameters.gradients, X, training=None, needs_dX=True)
    bound.forward()
    p, g = parameters.by_name, parameters.gradients
    H = np.tanh(X @ p["layers.0.weight"] + p["layers.0.bias"])
    Z = H @ p["layers.1.weight"] + p["layers.1.bias"]
    np.testing.assert_allclose(bound.Y, Z @ p["output.weight"] + p["output.bias"])
    dX = bound.backward(dY)
    dZ = dY @ p["output.weight"].T
    dH = dZ @ p["layers.1.weight"].T * (1.0 - H**2)
    np.testing.assert_allclose(g["layers.1.weight"], H.T @ dZ)
    np.testing.assert_allclose(g["layers.0.weight"], X.T @ dH)
    np.testing.assert_allclose(dX, dH @ p["layers.0.weight"].T)


def test_no_layers_are_the_identity() -> None:
    X = np.ones((2, 3))
    bound = Sequential.of(()).bind({}, {}, X, training=None, needs_dX=True)
    bound.forward()
    assert bound.Y is X
    assert bound.backward(X) is X
