"""Residual blocks, and the short forms of layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from nncli.nn.activations import Relu, Tanh
from nncli.nn.initializers import Constant, He
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import Layer, Residual
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from tests.nn.layers.support import bind


def test_residual_is_worked_by_hand() -> None:
    # F = 2 X, so Y = 3 X and dX = 3 dY
    bound, parameters = bind(
        Residual(layers=(Dense(units=2, bias=False, init=Constant(value=1.0)),)), [[1.0, 5.0], [2.0, 0.0]]
    )
    parameters.by_name["layers.0.weight"][...] = 2.0 * np.eye(2)
    bound.forward()
    np.testing.assert_array_equal(bound.Y, [[3.0, 15.0], [6.0, 0.0]])
    np.testing.assert_array_equal(bound.backward(np.array([[1.0, 0.0], [0.0, 1.0]])), [[3.0, 0.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    "inner",
    [ActivationLayer(activation=Relu()), Dropout(rate=0.0), ActivationLayer.model_validate({"activation": "identity"})],
)
def test_a_residual_does_not_overwrite_its_input(inner: Any) -> None:
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    bound, _ = bind(Residual(layers=(inner,)), X)
    for _ in range(2):
        bound.forward()
        np.testing.assert_array_equal(bound.Y, 2.0 * X)
        np.testing.assert_array_equal(bound.backward(np.ones((2, 2))), 2.0)


def test_a_residual_inside_a_residual_adds_twice() -> None:
    bound, parameters = bind(Residual(layers=(Residual(layers=(Dense(units=1),)),)), [[7.0]])
    parameters.theta[...] = 0.0
    bound.forward()
    assert bound.Y.tolist() == [[14.0]]  # x + (x + 0)
    assert bound.backward(np.array([[1.0]])).tolist() == [[2.0]]


@pytest.mark.parametrize("inner", [Dropout(rate=0.5), BatchNorm()], ids=["dropout", "batch_norm"])
def test_layers_in_a_residual_get_the_training_context(inner: Any) -> None:
    X = np.random.default_rng(1).normal(size=(6, 3))
    for training in (True, False):
        (whole, _), (alone, _) = (bind(layer, X, training=training) for layer in (Residual(layers=(inner,)), inner))
        whole.forward()
        alone.forward()
        np.testing.assert_allclose(whole.Y, X + alone.Y, rtol=1e-12)


def test_a_residual_needs_as_many_outputs_as_inputs() -> None:
    with pytest.raises(ValueError, match="3 in, 2 out"):
        Residual(layers=(Dense(units=2),)).out_features(3)
    assert Residual(layers=(Dense(units=2), Dense(units=3))).out_features(3) == 3


@pytest.mark.parametrize(
    ("text", "layer"),
    [
        (64, Dense(units=64)),
        ({"type": "dense", "units": 3, "activation": "relu"}, Dense(units=3, activation=Relu())),
        ({"type": "dense", "units": 3, "init": "he_uniform"}, Dense(units=3, init=He(distribution="uniform"))),
        ("dropout", Dropout(rate=0.5)),
        ("batch_norm", BatchNorm()),
        ("layer_norm", LayerNorm()),
        ({"type": "activation", "activation": "tanh"}, ActivationLayer(activation=Tanh())),
        ({"type": "residual", "layers": [8, "layer_norm"]}, Residual(layers=(Dense(units=8), LayerNorm()))),
    ],
)
def test_short_forms_of_layers(text: Any, layer: LayerBase) -> None:
    assert TypeAdapter(Layer).validate_python(text) == layer


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -3,
        True,
        2.5,
        "64",
        "dens",
        {"type": "dense"},
        {"type": "dense", "units": 2.0},
        {"type": "dense", "units": True},
        {"type": "dense", "units": 2, "bias": 1},
        {"type": "dropout", "rate": 1.0},
        {"type": "dropout", "rate": -0.1},
        {"type": "residual", "layers": []},
        {"type": "dense", "units": 2, "activation": "softmax"},
    ],
)
def test_an_invalid_layer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Layer).validate_python(wrong)
