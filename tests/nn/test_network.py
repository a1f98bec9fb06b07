"""Whole networks: the forward pass against a naive one, the names and the start of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from nncli.nn.activations import Relu, Softmax, Tanh
from nncli.nn.embeddings import Embedding
from nncli.nn.gradcheck import gradcheck
from nncli.nn.initializers import Glorot, Normal, Zeros
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import TrainingContext
from nncli.nn.layers.normalization import BatchNorm
from nncli.nn.layers.residual import Residual
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import PoissonLoss
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding, PiecewiseLinear
from nncli.nn.parameters import Parameters
from tests.nn.networks import network_of

Matrix = NDArray[np.float64]

# --- the forward pass -----------------------------------------------------------------------------------------------


def naive_forward(network: Network, parameters: Parameters, X: Matrix, codes: NDArray[np.int64]) -> Matrix:
    """A network of dense tanh layers, a row and a unit at a time, in the words of the definition."""
    p = parameters.by_name
    out = []
    for x, c in zip(X, codes, strict=True):
        h = [float(v) for v in x]
        for e, code in zip(network.embeddings, c, strict=True):
            h += [float(v) for v in p[f"embeddings.{e.name}"][code]]
        names = [*(f"layers.{i}" for i in range(len(network.layers))), "output"]
        for name in names:
            W, b = p[f"{name}.weight"], p[f"{name}.bias"]
            h = [sum(h[i] * float(W[i, j]) for i in range(len(h))) + float(b[j]) for j in range(len(b))]
            h = h if name == "output" else [float(np.tanh(v)) for v in h]
        out.append(h)
    return np.array(out)


def test_forward_is_numbers_then_embeddings_then_layers_then_output() -> None:
    network = network_of(
        Dense(units=5, activation=Tanh()),
        Dense(units=4, activation=Tanh()),
        embeddings=(Embedding(name="city", n_embeddings=4, width=2), Embedding(name="a.b", n_embeddings=3, width=1)),
    )
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    X, codes = rng.normal(size=(6, 2)), np.stack([rng.integers(0, 4, 6), rng.integers(0, 3, 6)], axis=1)
    bound = network.bind(parameters, 6, training=None)
    bound.X[...], bound.codes[...] = X, codes
    bound.forward()
    np.testing.assert_allclose(bound.Z, naive_forward(network, parameters, X, codes), rtol=1e-12)


def run(network: Network, parameters: Parameters, X: Any, *, training: bool = False, seed: int = 0) -> Any:
    bound = network.bind(
        parameters, len(X), training=TrainingContext(np.random.default_rng(seed)) if training else None
    )
    bound.X[...] = X
    bound.forward()
    return bound.Z.copy()


def test_a_forced_softmax_makes_the_raw_output_a_distribution() -> None:
    network = network_of(output_activation=Softmax())
    Z = run(network, network.initialize(np.random.default_rng(0)), np.random.default_rng(1).normal(size=(5, 2)))
    np.testing.assert_allclose(Z.sum(axis=1), 1.0)
    assert (Z > 0.0).all()


def test_the_input_is_never_written_to() -> None:
    network = network_of(
        ActivationLayer(activation=Relu()), Residual(layers=(ActivationLayer(activation=Relu()),)), Dense(units=3)
    )
    X = np.random.default_rng(1).normal(size=(5, 2))
    bound = network.bind(
        network.initialize(np.random.default_rng(0)), 5, training=TrainingContext(np.random.default_rng(0))
    )
    bound.X[...] = X
    bound.forward()
    bound.backward(np.ones((5, 3)))
    np.testing.assert_array_equal(bound.X, X)


def test_two_bindings_share_parameters_and_no_buffers() -> None:
    network = network_of(Dense(units=4, activation=Tanh()))
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    small, large = (network.bind(parameters, n, training=TrainingContext(rng)) for n in (1, 3))
    small.X[...], large.X[...] = 1.0, 2.0
    small.forward()
    before = small.Z.copy()
    large.forward()
    np.testing.assert_array_equal(small.Z, before)
    parameters.by_name["output.bias"][...] += 1.0
    small.forward()
    np.testing.assert_allclose(small.Z, before + 1.0)


def test_running_statistics_are_for_prediction_and_batch_statistics_for_training() -> None:
    network = network_of(BatchNorm(momentum=1.0), outputs=1)
    parameters = network.initialize(np.random.default_rng(0))
    X = np.array([[1.0, 5.0], [3.0, 9.0]])
    trained = run(network, parameters, X, training=True)
    np.testing.assert_allclose(parameters.by_name["layers.0.running_mean"], [2.0, 7.0])
    predicted = run(network, parameters, X)
    # the running variance is that of n - 1, twice the batch's here: the spread of the outputs is smaller by sqrt 2
    ratio = (trained[1, 0] - trained[0, 0]) / (predicted[1, 0] - predicted[0, 0])
    assert ratio == pytest.approx(np.sqrt(2.0), rel=1e-5)


def test_prediction_draws_nothing() -> None:
    network = network_of(Dropout(rate=0.5), Dense(units=4), Dropout(rate=0.5))
    parameters = network.initialize(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    bound = network.bind(parameters, 3, training=None)
    bound.X[...] = 1.0
    bound.forward()
    assert rng.bit_generator.state == before
    np.testing.assert_array_equal(bound.Z[0], bound.Z[1])


# --- parameters -----------------------------------------------------------------------------------------------------


def test_names_shapes_and_counts() -> None:
    network = network_of(
        Dense(units=4, activation=Tanh()),
        Residual(layers=(Dense(units=4, bias=False), BatchNorm())),
        embeddings=(Embedding(name="city", n_embeddings=5, width=3),),
    )
    parameters = network.initialize(np.random.default_rng(0))
    assert {name: a.shape for name, a in parameters.by_name.items()} == {
        "embeddings.city": (5, 3),
        "layers.0.weight": (5, 4),
        "layers.0.bias": (4,),
        "layers.1.layers.0.weight": (4, 4),
        "layers.1.layers.1.gamma": (4,),
        "layers.1.layers.1.beta": (4,),
        "layers.1.layers.1.running_mean": (4,),
        "layers.1.layers.1.running_variance": (4,),
        "output.weight": (4, 3),
        "output.bias": (3,),
    }
    assert network.input_width == 5
    assert network.layout.size == 15 + 20 + 4 + 16 + 4 + 4 + 12 + 3
    assert network.layout.n_decayed == 15 + 20 + 16 + 12
    assert parameters.statistics.size == 8


def test_a_residual_that_changes_the_width_is_refused_by_name() -> None:
    inner = Residual(layers=(Dense(units=3),))
    with pytest.raises(ValueError, match=r"^layers\.1: .* outputs as inputs: 4 in, 3 out"):
        _ = network_of(Dense(units=4), inner).layout
    with pytest.raises(ValueError, match=r"^layers\.0: layers\.1: "):
        _ = network_of(Residual(layers=(Dense(units=4), inner, Dense(units=2)))).layout


def test_the_widest_place_may_lie_inside_a_residual_or_an_embedding_or_be_either_end() -> None:
    inside = Residual(layers=(Dense(units=50), Dense(units=4)))
    assert network_of(Dense(units=4), inside).max_width == 50
    assert network_of(Dense(units=4), features=60).max_width == 60
    assert network_of(Dense(units=4), outputs=70).max_width == 70
    assert network_of(Dense(units=4), numeric_features=(0, 1), numeric_embedding="periodic").max_width == 2 * 16


def test_the_output_starts_and_is_parametrized_as_asked() -> None:
    assert network_of(output_parametrization="ntk").output.parameters(9)[0].init == Normal(std=1.0)
    assert network_of(output_parametrization="standard").output.parameters(9)[0].init == Glorot()
    assert network_of(output_parametrization="ntk", output_init="zeros").output.parameters(9)[0].init == Zeros()


def test_the_output_starts_as_its_forced_activation_advises() -> None:
    network = network_of(output_activation=Relu())
    assert network.layout.specs[0].init == Relu().default_init
    assert network_of().layout.specs[0].init != Relu().default_init


def test_both_precisions_start_from_one_draw() -> None:
    wide = network_of(Dense(units=4), embeddings=(Embedding(name="a", n_embeddings=3, width=2),))
    narrow = wide.model_copy(update={"precision": "float32"})
    single, double = (n.initialize(np.random.default_rng(5)) for n in (narrow, wide))
    assert single.theta.dtype == np.float32
    assert double.theta.dtype == np.float64
    np.testing.assert_array_equal(single.theta, double.theta.astype(np.float32))


def test_embeddings_start_with_rows_of_length_one_on_average() -> None:
    network = network_of(embeddings=(Embedding(name="a", n_embeddings=4000, width=16),))
    E = network.initialize(np.random.default_rng(0)).by_name["embeddings.a"]
    assert float((E**2).sum(axis=1).mean()) == pytest.approx(1.0, rel=0.03)


def test_layers_are_read_in_shorthand_and_compare_as_values() -> None:
    text = {"n_features": 2, "layers": [4, "batch_norm", {"type": "dropout", "rate": 0.2}], "n_outputs": 1}
    read = Network.model_validate(text)
    assert read.layers == (Dense(units=4), BatchNorm(), Dropout(rate=0.2))
    before = read.model_dump_json()
    _ = read.layout
    assert read == Network.model_validate(text)
    assert read.model_dump_json() == before
    assert Network.model_validate_json(before) == read


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_features": -1},
        {"n_outputs": 0},
        {"precision": "float16"},
        {"layers": [0]},
        {"layers": [True]},
        {"layers": ["dense"]},
        {"layers": [{"type": "dense", "units": 2, "activation": "softmax"}]},
        {"layers": [{"type": "residual", "layers": []}]},
        {"embeddings": [{"name": "a", "n_embeddings": 0, "width": 1}]},
        {"units": 3},
    ],
)
def test_what_is_no_network_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Network.model_validate({"n_features": 2, "layers": [], "n_outputs": 1, **wrong})


# --- the offset -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding", [None, PiecewiseLinear(bins=3, width=2)])
def test_an_offset_is_added_to_the_first_output_and_no_layer_sees_it(embedding: NumericEmbedding | None) -> None:
    hidden = Dense(units=4, activation=Tanh())
    network = Network(
        n_features=3,
        layers=(hidden,),
        n_outputs=2,
        precision="float64",
        numeric_features=(0, 2),
        numeric_embedding=embedding,
        offset=1,
    )
    rng = np.random.default_rng(0)
    parameters, X = network.initialize(rng), rng.normal(size=(6, 3))
    Z = []
    for offset in (0.0, 1.5):
        bound = network.bind(parameters, 6, training=None)
        bound.X[...] = np.column_stack([X[:, 0], np.full(6, offset), X[:, 2]])
        bound.forward()
        Z.append(bound.Z.copy())
    np.testing.assert_allclose(Z[1] - Z[0], [[1.5, 0.0]] * 6, atol=1e-12)
    y = rng.poisson(2.0, (6, 2)).astype(np.float64)
    assert gradcheck(network, PoissonLoss(), parameters, X, y).error < 1e-7


def test_an_offset_is_a_feature_that_is_not_embedded() -> None:
    for offset, numeric in ((3, ()), (1, (0, 1))):
        with pytest.raises(ValidationError, match="offset"):
            Network(n_features=3, layers=(), n_outputs=1, numeric_features=numeric, offset=offset)
