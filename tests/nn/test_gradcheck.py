"""The gradient check itself: it finds what is wrong, passes what is right, and leaves no trace."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest

from nncli.nn.activations import ActivationBase, Tanh
from nncli.nn.arrays import Array, BoundLayer
from nncli.nn.embeddings import Embedding
from nncli.nn.gradcheck import GradientCheck, gradcheck
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.sequential import Dropout
from nncli.nn.losses import BoundLoss, LossBase, MAELoss, MSELoss
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from nncli.nn.program.values import Value, tanh

RIGHT = 1e-7
WRONG = 1e-3


class WrongTanh(ActivationBase):
    """tanh, whose derivative leaves out `missing` of y²."""

    type: Literal["wrong_tanh"] = "wrong_tanh"
    missing: float

    def bind(self, Z: Array, *, in_place: bool = False) -> BoundLayer:
        Y = np.empty_like(Z)

        def forward() -> None:
            np.tanh(Z, out=Y)

        def backward(dY: Array) -> Array:
            return np.multiply(dY, 1.0 - (1.0 - self.missing) * Y * Y, out=dY)

        return BoundLayer(Y, forward, backward)

    def lower(self, z: Value) -> Value:
        return tanh(z)


class WrongWeights(Dense):
    """A dense layer whose gradient of the weights is a hundredth too long."""

    def bind(self, p: Any, g: Any, X: Array, **options: Any) -> BoundLayer:
        bound, dW = super().bind(p, g, X, **options), g["weight"]

        def backward(dY: Array) -> Array:
            dX = bound.backward(dY)
            np.multiply(dW, 1.01, out=dW)
            return dX

        return BoundLayer(bound.Y, bound.forward, backward)


class HalfMse(LossBase):
    """(z - y)² / 2 with the derivative of (z - y)²."""

    type: Literal["half_mse"] = "half_mse"

    def bind(self, Z: Array, y: Any, w: Array | None, *, batch: int | None = None) -> BoundLoss:
        whole = MSELoss().bind(Z, y, w, batch=batch)
        return BoundLoss(lambda: whole.forward() / 2.0, whole.backward)

    def per_row(self, predictions: Any, y: Any, *, scale: Any = 1.0) -> Any:
        return MSELoss().per_row(predictions, y) / 2.0


def network_of(*layers: Any, **options: Any) -> Network:
    """A network that may hold classes of no union."""
    return Network.model_construct(
        n_features=3, embeddings=(), layers=layers, n_outputs=2, output_activation=None, precision="float64", **options
    )


def check(network: Network, loss: LossBase, *, rows: int = 5, seed: int = 0, **options: Any) -> GradientCheck:
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(rows, network.n_features)), rng.normal(size=(rows, network.n_outputs))
    return gradcheck(network, loss, parameters_of(network), X, y, **options)


def parameters_of(network: Network) -> Parameters:
    rng = np.random.default_rng(3)
    parameters = network.initialize(rng)
    parameters.theta[...] = rng.normal(0.0, 0.5, parameters.theta.shape)
    return parameters


def dense_with(activation: Any) -> Dense:
    """A dense layer with an activation of no union."""
    return Dense.model_construct(type="dense", units=4, activation=activation, bias=True, init=None)


def test_a_right_gradient_passes_with_every_coordinate_compared() -> None:
    result = check(network_of(Dense(units=4, activation=Tanh())), MSELoss())
    assert result.error <= RIGHT
    assert result.compared == 3 * 4 + 4 + 4 * 2 + 2 + 5 * 3  # two dense layers and the numbers of the input
    assert result.n_nonsmooth == 0


@pytest.mark.parametrize("missing", [1.0, 0.1, 0.01])
def test_a_wrong_derivative_of_an_activation_is_found(missing: float) -> None:
    assert check(network_of(dense_with(WrongTanh(missing=missing))), MSELoss()).error > 1e-4


def test_the_wrong_activation_passes_where_it_is_right() -> None:
    assert check(network_of(dense_with(WrongTanh(missing=0.0))), MSELoss()).error <= RIGHT


def test_weights_wrong_by_a_hundredth_are_found() -> None:
    assert check(network_of(WrongWeights(units=4), Dense(units=4)), MSELoss()).error > WRONG


def test_a_loss_that_is_not_what_its_gradient_minimizes_is_found() -> None:
    assert check(network_of(), HalfMse()).error == pytest.approx(0.5, abs=1e-6)  # |g/2 - g| / |g|


def test_a_kink_is_counted_and_not_held_against_the_gradient() -> None:
    network = network_of()
    parameters = parameters_of(network)
    X = np.random.default_rng(0).normal(size=(4, 3))
    y = X @ parameters.by_name["output.weight"] + parameters.by_name["output.bias"] + 0.5
    y[0, 0] -= 0.5 - 1e-5  # one residual within a step of the kink of |d|
    result = gradcheck(network, MAELoss(), parameters, X, y)
    # on the way of this residual lie 3 weights and 1 bias of the first output and 3 numbers of the first row
    assert result.n_nonsmooth == 7
    assert result.compared == parameters.theta.size + X.size - 7
    assert result.error <= RIGHT


def test_parameters_input_and_statistics_are_left_as_they_were() -> None:
    network = network_of(Dense(units=4), BatchNorm(), LayerNorm(), Dropout(rate=0.2))
    parameters = parameters_of(network)
    rng = np.random.default_rng(1)
    parameters.statistics[...] = rng.uniform(0.5, 1.5, parameters.statistics.shape)
    X, y, w = rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), rng.uniform(0.5, 1.5, 6)
    held = (parameters.theta, parameters.statistics, X, y, w)
    before = [a.copy() for a in held]
    gradcheck(network, MSELoss(), parameters, X, y, weights=w)
    for a, b in zip(held, before, strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_gradient_found_is_left_in_the_parameters() -> None:
    network = network_of()
    parameters = parameters_of(network)
    X, y = np.ones((1, 3)), np.zeros((1, 2))
    gradcheck(network, MSELoss(), parameters, X, y)
    z = np.ones(3) @ parameters.by_name["output.weight"] + parameters.by_name["output.bias"]
    np.testing.assert_allclose(parameters.gradients["output.bias"], z)  # mean of z² over two outputs


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_same_dropout_mask_is_drawn_for_every_difference(rate: float) -> None:
    result = check(network_of(Dense(units=8, activation=Tanh()), Dropout(rate=rate)), MSELoss(), seed=4)
    assert result.error <= RIGHT
    assert result.n_nonsmooth == 0


def test_the_seed_chooses_the_mask() -> None:
    network = network_of(Dropout(rate=0.5), Dense(units=8))
    parameters = parameters_of(network)
    X, y = np.ones((3, 3)), np.zeros((3, 2))
    gradients = []
    for seed in (0, 0, 1):
        gradcheck(network, MSELoss(), parameters, X, y, seed=seed)
        gradients.append(parameters.grad.tobytes())
    assert gradients[0] == gradients[1] != gradients[2]


def test_codes_and_weights_reach_the_network_and_the_loss() -> None:
    network = Network(
        n_features=3,
        embeddings=(Embedding(name="a", n_embeddings=4, width=2),),
        layers=(),
        n_outputs=2,
        precision="float64",
    )
    parameters = parameters_of(network)
    X, y = np.ones((3, 3)), np.zeros((3, 2))
    codes, w = np.array([[2], [2], [3]]), np.array([1.0, 2.0, 0.0])
    result = gradcheck(network, MSELoss(), parameters, X, y, codes=codes, weights=w)
    assert result.error <= RIGHT
    used = np.abs(parameters.gradients["embeddings.a"]).sum(axis=1) > 0
    assert used.tolist() == [False, False, True, False]  # the row of code 3 weighs nothing
