"""First weights that follow from the data: what spread each unit then has, and where its kink lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from nncli import train
from nncli.models.scores import headlines
from nncli.nn.activations import Mish, Relu, Tanh
from nncli.nn.embeddings import Embedding
from nncli.nn.initializers import MIN_SPREAD, DataDependent, init_dense_from_data
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.residual import ParametricActivation, Residual, Scale
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import Periodic, PiecewiseLinear
from nncli.nn.parameters import Parameters
from tests.nn.networks import network_of

Matrix = NDArray[Any]


def initialized(network: Network, X: Matrix, codes: Matrix | None = None, seed: int = 0) -> Parameters:
    rng = np.random.default_rng(seed)
    parameters = network.initialize(rng)
    network.init_from_data(parameters, X, np.empty((len(X), 0), np.int64) if codes is None else codes, rng)
    return parameters


def pre_activations(network: Network, parameters: Parameters, X: Matrix) -> list[Matrix]:
    """The Z of every dense layer of a chain, without its bias."""
    p, out = parameters.by_name, []
    for name, layer in network.sequential.named_layers:
        if isinstance(layer, Dense):
            factor = X.shape[1] ** -0.5 if layer.parametrization == "ntk" else 1.0
            out.append(factor * X @ p[f"{name}.weight"])
            Z = out[-1] + p.get(f"{name}.bias", 0.0)
            bound = layer.activation.bind(Z) if layer.activation else None
            if bound:
                bound.forward()
            X = bound.Y if bound else Z
    return out


def assert_spread(Z: Matrix) -> None:
    """The units of Z have standard deviation 1, but for some that varied far less than the others."""
    std = Z.std(axis=0)
    assert float(std.max()) == pytest.approx(1.0, rel=1e-12)
    assert float(np.mean(std > 1.0 - 1e-12)) >= 0.3


@pytest.mark.parametrize("parametrization", ["standard", "ntk"])
def test_every_pre_activation_has_spread_one_and_the_output_is_constant(parametrization: Any) -> None:
    dense = Dense(units=30, activation=Mish(), init=DataDependent(), parametrization=parametrization)
    network = network_of(
        dense, dense, features=5, output_init=DataDependent(), output_parametrization=parametrization, outputs=4
    )
    X = np.random.default_rng(1).normal(3.0, [1.0, 10.0, 0.1, 5.0, 2.0], (700, 5))
    *hidden, output = pre_activations(network, initialized(network, X), X)
    assert len(hidden) == 2
    for Z in hidden:
        assert_spread(Z)
    assert not output.any()


def test_an_output_that_an_activation_changes_does_not_start_constant() -> None:
    """At 0 relu passes no gradient on, so that nothing would be learned."""
    network = network_of(features=2, output_init=DataDependent(), output_activation=Relu(), outputs=1)
    X = np.random.default_rng(1).normal(size=(50, 2))
    assert pre_activations(network, initialized(network, X), X)[0].any()


def test_units_that_vary_far_less_than_others_get_no_huge_weights() -> None:
    drawn = np.random.default_rng(0).normal(size=(1, 400))
    X, W = np.random.default_rng(1).normal(3.0, 2.0, (200, 1)), drawn.copy()
    init_dense_from_data(W, None, X, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(W * X.std(), drawn / np.maximum(np.abs(drawn), MIN_SPREAD), rtol=1e-12)


def test_the_default_learns_from_a_single_column(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(0.0, 10.0, 120)
    pl.DataFrame({"x": x, "y": 20.0 + 4.0 * x + rng.normal(0.0, 8.0, 120)}).write_csv(tmp_path / "t.csv")
    finished = train(tmp_path / "t.csv", target="y", quality="fast", output=tmp_path / "run")
    assert finished.validation is not None
    assert (dict(headlines(finished.validation.model))["r2"] or 0.0) > 0.5


def test_each_kink_lies_within_the_data() -> None:
    network = network_of(Dense(units=200, activation=Relu(), init=DataDependent()), features=3)
    X = np.random.default_rng(1).normal(5.0, 1.0, (400, 3))  # far from 0, where zero biases would put all the kinks
    parameters = initialized(network, X)
    Z = pre_activations(network, parameters, X)[0] + parameters.by_name["layers.0.bias"]
    on = (Z > 0.0).mean(axis=0)
    assert (on > 0.0).all()
    assert (on < 1.0).all()
    assert float(on.mean()) == pytest.approx(0.5, abs=0.05)


def test_a_bias_is_minus_a_mean_of_five_rows() -> None:
    X, W, b = np.arange(1.0, 9.0)[:, None], np.ones((1, 1000)), np.empty(1000)
    init_dense_from_data(W, b, X, 1.0, np.random.default_rng(0))
    kinks = -b / W[0]  # where x W + b = 0
    assert kinks.min() >= 1.0
    assert kinks.max() <= 8.0
    # a Dirichlet(1, …) mean of five draws of variance s² has variance s² Σ E[v²] = s² / 3
    assert float(kinks.var()) == pytest.approx(float(X.var()) / 3.0, rel=0.15)


@pytest.mark.parametrize("X", [np.zeros((6, 2)), np.full((6, 2), 0.1), np.ones((1, 2))], ids=["0", "0.1", "one row"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_units_that_never_vary_keep_their_weights(X: Matrix, precision: Any) -> None:
    network = Network(n_features=2, layers=(Dense(units=3, init=DataDependent()),), n_outputs=1, precision=precision)
    parameters = initialized(network, X)
    drawn = network.initialize(np.random.default_rng(0))
    np.testing.assert_array_equal(parameters.by_name["layers.0.weight"], drawn.by_name["layers.0.weight"])
    assert np.isfinite(parameters.theta).all()


def test_what_is_not_to_follow_from_the_data_stays_as_it_was_drawn() -> None:
    network = network_of(
        Scale(), Dense(units=3, activation=Tanh()), ParametricActivation(activation=Mish()), features=4
    )
    assert not network.needs_data_init
    parameters = initialized(network, np.random.default_rng(1).normal(size=(20, 4)))
    assert parameters.theta.tobytes() == network.initialize(np.random.default_rng(0)).theta.tobytes()


def test_layers_inside_a_residual_and_behind_embeddings_follow_too() -> None:
    inside = (Dense(units=8, activation=Tanh(), init=DataDependent()), Dense(units=13, init=DataDependent()))
    network = network_of(
        Residual(layers=inside),
        features=5,
        numeric_features=(1, 4),
        numeric_embedding=Periodic(),
        embeddings=(Embedding(name="a", n_embeddings=3, width=2),),
    )
    assert network.needs_data_init
    rng = np.random.default_rng(3)
    X, codes = rng.normal(size=(300, 5)), rng.integers(0, 3, (300, 1))
    parameters = initialized(network, X, codes)
    wide = network.bind_inputs(parameters.by_name, parameters.by_name, X, codes)
    wide.forward()
    Z = wide.Y @ parameters.by_name["layers.0.layers.0.weight"]
    assert_spread(Z)
    H = np.tanh(Z + parameters.by_name["layers.0.layers.0.bias"])
    assert_spread(H @ parameters.by_name["layers.0.layers.1.weight"])


def test_a_layer_without_a_bias_follows_without_one() -> None:
    network = network_of(Dense(units=3, bias=False, init=DataDependent()), features=2)
    X = np.random.default_rng(0).normal(size=(50, 2))
    assert_spread(pre_activations(network, initialized(network, X), X)[0])


def test_the_edges_of_bins_follow_though_no_dense_layer_does() -> None:
    network = network_of(features=2, numeric_features=(1,), numeric_embedding=PiecewiseLinear(bins=4, width=2))
    assert network.needs_data_init
    X = np.stack([np.zeros(101), np.linspace(0.0, 100.0, 101)], axis=1)
    np.testing.assert_allclose(initialized(network, X).by_name["numeric.edges"], [[-1000.0, 0.0, 50.0, 100.0, 1100.0]])
