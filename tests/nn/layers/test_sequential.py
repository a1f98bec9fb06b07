"""Layers one at a time: numbers worked by hand, dropout's statistics, and how a layer is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from nncli.nn.activations import Relu, Sigmoid, Tanh
from nncli.nn.arrays import BoundLayer
from nncli.nn.initializers import Constant, Glorot, He, Orthogonal, Zeros
from nncli.nn.layers.activation import ActivationLayer
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.dropout import Dropout
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import Layer, Residual
from nncli.nn.parameters import Parameters, ParamGroup, ParamLayout


def bind(
    layer: LayerBase, X: Any, *, seed: int = 0, training: bool = True, needs_dX: bool = True
) -> tuple[BoundLayer, Parameters]:
    """The layer alone, with fresh parameters, tied to a copy of X."""
    X = np.array(X, np.float64) if np.asarray(X).dtype != np.float32 else np.array(X)
    layout = ParamLayout(layer.parameters(X.shape[1]))
    parameters = layout.initialize(np.random.default_rng(seed), "float64")
    rng = np.random.default_rng(seed)
    bound = layer.bind(
        parameters.by_name,
        parameters.gradients,
        X,
        training=TrainingContext(rng) if training else None,
        needs_dX=needs_dX,
    )
    return bound, parameters


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


def test_dense_starts_as_asked_or_as_its_activation_advises() -> None:
    def init_of(layer: Dense) -> Any:
        return layer.parameters(3)[0].init

    assert init_of(Dense(units=2)) == Glorot()
    assert init_of(Dense(units=2, activation=Relu())) == He()
    assert init_of(Dense(units=2, activation=Relu(), init=Orthogonal())) == Orthogonal()
    assert Dense(units=2).parameters(3)[1].init == Zeros()


def test_without_dX_the_gradients_of_the_parameters_are_the_same() -> None:
    X, dY = np.random.default_rng(0).normal(size=(5, 3)), np.random.default_rng(1).normal(size=(5, 3))
    layer = Residual(layers=(Dense(units=4, activation=Tanh()), BatchNorm(), Dense(units=3)))
    found = []
    for needs_dX in (True, False):
        bound, parameters = bind(layer, X, needs_dX=needs_dX)
        bound.forward()
        bound.backward(dY.copy())
        found.append(parameters.grad.tobytes())
    assert found[0] == found[1]


# --- dropout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_silences_its_share_and_scales_the_rest(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((400, 100)))
    bound.forward()
    kept = bound.Y != 0.0
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=2e-4)  # as the rate is met within 2^-16
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=4.0 * (rate * (1.0 - rate) / 40_000) ** 0.5)
    assert float(bound.Y.mean()) == pytest.approx(1.0, abs=0.07)  # prediction needs no correction


def test_dropout_sends_the_gradient_where_it_sent_the_value() -> None:
    bound, _ = bind(Dropout(rate=0.4), np.full((20, 10), 3.0))
    bound.forward()
    np.testing.assert_allclose(bound.backward(np.full((20, 10), 3.0)), bound.Y)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.0, False), (0.5, False)])
def test_dropout_that_is_off_is_the_identity_and_draws_nothing(rate: float, training: bool) -> None:
    X = np.random.default_rng(0).normal(size=(4, 3))
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    bound = Dropout(rate=rate).bind({}, {}, X, training=TrainingContext(rng) if training else None, needs_dX=True)
    bound.forward()
    np.testing.assert_array_equal(bound.Y, X)
    np.testing.assert_array_equal(bound.backward(np.ones((4, 3))), 1.0)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(("t", "rate"), [(0.0, 0.4), (0.49, 0.4), (0.75, 0.2), (1.0, 0.0)])
def test_a_scheduled_dropout_silences_what_its_schedule_leaves(t: float, rate: float) -> None:
    X, progress = np.ones((400, 100)), np.zeros(())
    training = TrainingContext(np.random.default_rng(1), progress)
    bound = Dropout(rate=0.4, schedule="flat_cosine").bind({}, {}, X, training=training, needs_dX=True)
    bound.forward()
    progress.fill(t)  # as training goes on
    bound.forward()
    kept = bound.Y != 0.0
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=0.01)
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=1e-4)
    np.testing.assert_array_equal(bound.backward(np.ones((400, 100))), bound.Y)


@pytest.mark.parametrize("rate", [1e-9, 0.999999999])
def test_a_dropout_of_nearly_nothing_or_all_is_finite(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((40, 100)))
    bound.forward()
    assert np.isfinite(bound.Y).all()


def test_dropout_in_float32_keeps_the_type() -> None:
    X = np.ones((300, 100), np.float32)
    bound, _ = bind(Dropout(rate=0.25), X)
    bound.forward()
    assert bound.Y.dtype == np.float32
    assert float((bound.Y != 0).mean()) == pytest.approx(0.75, abs=0.01)


# --- residual, activation -------------------------------------------------------------------------------------------


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
def test_a_residual_around_what_has_no_buffer_of_its_own_does_not_write_into_its_input(inner: Any) -> None:
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
def test_what_stands_in_a_residual_knows_whether_it_is_trained(inner: Any) -> None:
    X = np.random.default_rng(1).normal(size=(6, 3))
    for training in (True, False):
        (whole, _), (alone, _) = (bind(layer, X, training=training) for layer in (Residual(layers=(inner,)), inner))
        whole.forward()
        alone.forward()
        np.testing.assert_allclose(whole.Y, X + alone.Y, rtol=1e-12)


def test_a_residual_must_end_as_wide_as_it_began() -> None:
    with pytest.raises(ValueError, match="3 in, 2 out"):
        Residual(layers=(Dense(units=2),)).out_features(3)
    assert Residual(layers=(Dense(units=2), Dense(units=3))).out_features(3) == 3


def test_an_activation_layer_is_its_activation() -> None:
    X = np.array([[-2.0, 0.5]])
    bound, parameters = bind(ActivationLayer(activation=Sigmoid()), X)
    bound.forward()
    np.testing.assert_allclose(bound.Y, 1.0 / (1.0 + np.exp(-X)), rtol=1e-14)
    assert parameters.theta.size == 0


# --- how a layer is written -----------------------------------------------------------------------------------------


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
def test_a_layer_may_be_written_short(text: Any, layer: LayerBase) -> None:
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
def test_what_is_no_layer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Layer).validate_python(wrong)


def test_weights_are_weights_biases_biases_and_scales_scales() -> None:
    groups = {slot.name: slot.group for layer in (Dense(units=2), BatchNorm()) for slot in layer.parameters(2)}
    assert groups == {
        "weight": ParamGroup.WEIGHT,
        "bias": ParamGroup.BIAS,
        "gamma": ParamGroup.SCALE,
        "beta": ParamGroup.BIAS,
        "running_mean": ParamGroup.STATISTIC,
        "running_variance": ParamGroup.STATISTIC,
    }
