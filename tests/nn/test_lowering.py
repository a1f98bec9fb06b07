"""The operations that parts of networks are lowered to, against their forward passes in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nncli.nn.activations import Activation, ActivationBase, ElementwiseActivation, Tanh
from nncli.nn.layers import Layer
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase
from nncli.nn.layers.residual import ParametricActivation, Residual
from nncli.nn.layers.sequential import ActivationLayer
from nncli.nn.losses import LossBase, QuantilesLoss
from nncli.nn.numeric_embeddings import NumericEmbedding, NumericEmbeddingBase
from nncli.nn.parameters import ParamLayout
from nncli.nn.program.values import Value
from tests.nn.layers.support import bind
from tests.nn.networks import network_of
from tests.nn.program.support import compute
from tests.unions import members, plain_losses, tag

Z = np.array([[-1e3, -88.0, -20.0, -1.5], [-1e-30, -0.0, 0.0, 1e-30], [0.3, 2.0, 20.0, 25.0], [88.0, 1e3, -0.7, 0.25]])
RNG = np.random.default_rng(19)
REQUIRED: dict[str, dict[str, Any]] = {
    "dense": {"units": 3, "activation": Tanh()},
    "activation": {"activation": Tanh()},
    "parametric_activation": {"activation": Tanh()},
    "residual": {"layers": (Dense(units=4, activation=Tanh()),)},
}


@pytest.mark.parametrize("cls", members(Activation), ids=tag)
def test_an_activation_is_lowered_to_its_formula(cls: type[ActivationBase]) -> None:
    Y, forward, _ = cls().bind(Z.copy())
    forward()
    assert_allclose(compute(cls().lower, Z), Y, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("cls", members(ElementwiseActivation), ids=tag)
def test_the_difference_of_an_activation_from_the_identity_is_lowered(cls: type[ActivationBase]) -> None:
    D, forward, _ = cls().bind_delta(Z.copy())
    forward()
    assert_allclose(compute(cls().lower_delta, Z), D, rtol=1e-14, atol=1e-13)


def randomized(layer: LayerBase, X: Any) -> tuple[Any, Any]:
    """A layer bound for prediction, whose parameters are random and, as variances must be, above 0."""
    bound, parameters = bind(layer, X, training=False)
    for values in (parameters.theta, *parameters.by_name.values()):
        values[...] = RNG.uniform(0.2, 1.5, values.shape)
    return bound, parameters.by_name


@pytest.mark.parametrize("cls", members(Layer), ids=tag)
def test_a_layer_is_lowered_to_its_forward_pass(cls: type[LayerBase]) -> None:
    layer = cls.model_validate(REQUIRED.get(tag(cls), {}))
    X = RNG.normal(size=(6, 4))
    bound, p = randomized(layer, X)
    bound.forward()
    assert_allclose(compute(lambda x: layer.lower(p, x), X), bound.Y, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_dense_layer_is_lowered_with_its_factor_and_bias(parametrization: Any, bias: bool) -> None:
    layer = Dense(units=3, parametrization=parametrization, bias=bias)
    X = RNG.normal(size=(5, 4))
    bound, p = randomized(layer, X)
    bound.forward()
    assert_allclose(compute(lambda x: layer.lower(p, x), X), bound.Y, rtol=1e-13)


def test_layers_within_layers_are_lowered() -> None:
    inner = (Dense(units=4), ActivationLayer(activation=Tanh()), ParametricActivation(activation=Tanh()))
    layer = Residual(layers=(Residual(layers=inner), Dense(units=4)))
    X = RNG.normal(size=(5, 4))
    bound, p = randomized(layer, X)
    bound.forward()
    assert_allclose(compute(lambda x: layer.lower(p, x), X), bound.Y, rtol=1e-13)


@pytest.mark.parametrize("cls", members(NumericEmbedding), ids=tag)
@pytest.mark.parametrize("size", [{}, {"bins": 1}, {"bins": 3}])
def test_a_numeric_embedding_is_lowered_to_its_forward_pass(cls: type[NumericEmbeddingBase], size: Any) -> None:
    if size and "bins" not in cls.model_fields:
        pytest.skip("it has no bins")
    embedding = cls.model_validate(size)
    X = np.concatenate([RNG.normal(size=(40, 2)), np.zeros((8, 2))])
    X[:, 1] = np.round(X[:, 1])  # few distinct values: some bins are empty
    layout = ParamLayout(embedding.parameters(2))
    parameters = layout.initialize(RNG, "float64")
    embedding.init_from_data(parameters.by_name, X)
    for name, values in parameters.by_name.items():
        if name != "edges":
            values[...] = RNG.normal(size=values.shape)
    X = np.concatenate([X, X * 30.0])  # beyond the training rows, too
    x = np.ones((2, 2, len(X)))
    x[:, 0] = X.T
    bound = embedding.bind(parameters.by_name, parameters.gradients, x, needs_dx=False)
    bound.forward()
    wanted = bound.Y.transpose(2, 0, 1).reshape(len(X), -1)
    assert_allclose(compute(lambda v: embedding.lower(parameters.by_name, v), X), wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("cls", plain_losses(), ids=tag)
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_link_of_a_loss_is_lowered(cls: type[LossBase], outputs: int) -> None:
    loss = cls()
    raw = RNG.normal(scale=8.0, size=(50, max(1, loss.outputs(outputs))))
    assert_allclose(compute(loss.lower_inverse_link, raw), loss.inverse_link(raw), rtol=1e-14, atol=1e-300)


def test_quantiles_are_sorted_for_each_target() -> None:
    loss, raw = QuantilesLoss(), RNG.normal(size=(20, 6))
    wanted = loss.quantiles(raw).reshape(20, 6)
    assert compute(loss.lower_quantiles, raw).tolist() == wanted.tolist()


@pytest.mark.parametrize("embedding", [None, "piecewise_linear", "periodic"])
def test_a_network_is_lowered_to_its_forward_pass(embedding: Any) -> None:
    network = network_of(
        Dense(units=5, activation=Tanh()),
        features=3,
        numeric_features=(0, 2),
        numeric_embedding=embedding,
        output_activation="softplus",
    )
    parameters = network.initialize(RNG)
    X = RNG.normal(size=(9, 3))
    network.init_from_data(parameters, X, np.zeros((9, 0), np.int64), RNG)
    bound = network.bind(parameters, 9, training=None)
    bound.X[...] = X
    bound.forward()
    assert_allclose(compute(lambda x: network.lower(parameters, x, ()), X), bound.Z, rtol=1e-12)


def test_a_network_of_embedded_categories_alone_is_lowered() -> None:
    vectors = np.array([[1.0, 2.0], [3.0, -4.0]])
    network = network_of(features=0, outputs=1, embeddings=({"name": "c", "n_embeddings": 2, "width": 2},))
    parameters = network.initialize(RNG)

    def lower(codes: Value) -> Value:
        return network.lower(parameters, None, (codes.look_up(vectors),))

    p = parameters.by_name
    wanted = vectors @ p["output.weight"] + p["output.bias"]
    assert_allclose(compute(lower, [[0.0], [1.0]]), wanted, rtol=1e-14)


@pytest.mark.parametrize("infinite", [np.inf, -np.inf, np.nan])
def test_the_output_is_nan_where_an_input_is_not_finite(infinite: float) -> None:
    network = network_of(
        Dense(units=5, activation="relu"), numeric_features=(0, 1), numeric_embedding="piecewise_linear"
    )
    parameters = network.initialize(RNG)
    X = RNG.normal(size=(3, 2))
    network.init_from_data(parameters, X, np.zeros((3, 0), np.int64), RNG)
    X[1, 0] = infinite
    values = compute(lambda x: network.lower(parameters, x, ()), X)
    assert np.isnan(values).all(axis=1).tolist() == [False, True, False]
