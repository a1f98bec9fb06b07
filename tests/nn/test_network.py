"""Whole networks: every gradient against differences, the forward pass against a naive one, the order of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from nncli.nn.activations import Activation, ElementwiseActivation, Relu, Softmax, Tanh
from nncli.nn.checks import GradientCheck, gradient_error
from nncli.nn.layer import LayerBase
from nncli.nn.layers import ActivationLayer, Dense, Dropout, Layer, Residual
from nncli.nn.losses import CrossEntropy, Hinge, Huber, Loss, LossBase, Mae, Mse, Poisson, Quantile
from nncli.nn.network import Embedding, Network
from nncli.nn.normalization import BatchNorm, LayerNorm
from nncli.nn.parameters import Parameters
from tests.unions import members, tag

Matrix = NDArray[np.float64]

ACTIVATIONS = [cls() for cls in members(Activation)]
ELEMENTWISE = [cls() for cls in members(ElementwiseActivation)]
LOSSES = [cls() for cls in members(Loss)]

TOLERANCE = 1e-7
MOST_KINKS = 0.2


def layers_of(cls: type[Any], units: int, activation: Any) -> tuple[LayerBase, ...]:
    """A layer of each class, as wide out as `units` units in, with the activation in it or behind it."""
    if cls is Dense:
        return (Dense(units=units, activation=activation),)
    if cls is Residual:
        return (Residual(layers=(Dense(units=units, activation=activation), Dense(units=units))),)
    if cls is ActivationLayer:
        return (ActivationLayer(activation=activation),)
    return (cls(), ActivationLayer(activation=activation))


def targets(loss: LossBase, rng: np.random.Generator, rows: int, outputs: int) -> NDArray[Any]:
    if loss.task == "classes":
        return rng.integers(0, 2 if outputs == 1 else outputs, rows)
    return np.abs(rng.normal(size=(rows, outputs)))  # a count may not be negative


def check(
    network: Network, loss: LossBase, *, rows: int = 4, seed: int = 0, weighted: bool = False, spread: float = 0.6
) -> GradientCheck:
    """The gradient at a random point; at another one where most coordinates lay beside a kink."""
    for attempt in range(30):
        rng = np.random.default_rng([seed, attempt])
        parameters = network.initialise(rng)
        parameters.theta[...] = rng.normal(0.0, spread, parameters.theta.shape)
        found = gradient_error(
            network,
            loss,
            parameters,
            rng.normal(size=(rows, network.features)),
            targets(loss, rng, rows, network.outputs),
            codes=np.array([[rng.integers(e.slots) for e in network.embeddings] for _ in range(rows)], np.int64),
            weights=rng.uniform(0.2, 2.0, rows) if weighted else None,
            seed=seed,
        )
        total = parameters.theta.size + rows * network.features
        assert found.compared + found.kinks == total
        if found.kinks <= MOST_KINKS * total:
            return found
    raise AssertionError(f"every point lay beside a kink: {found}")


def network_of(*layers: LayerBase, features: int = 2, outputs: int = 3, **options: Any) -> Network:
    return Network.model_validate(
        {"features": features, "layers": layers, "outputs": outputs, "precision": "float64", **options}
    )


# --- gradients ------------------------------------------------------------------------------------------------------

every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: tag(type(loss)))


@every_loss
@pytest.mark.parametrize("activation", ELEMENTWISE, ids=lambda f: tag(type(f)))
@pytest.mark.parametrize("layer", members(Layer), ids=tag)
def test_gradient_through_every_layer_activation_and_loss(layer: type[Any], activation: Any, loss: LossBase) -> None:
    network = network_of(Dense(units=3, activation=Tanh()), *layers_of(layer, 3, activation))
    assert check(network, loss, weighted=True).error <= TOLERANCE


@every_loss
@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda f: tag(type(f)))
def test_gradient_through_every_forced_output_activation_and_loss(
    activation: Any, outputs: int, loss: LossBase
) -> None:
    network = network_of(Dense(units=3, activation=Tanh()), outputs=outputs, output_activation=activation)
    assert check(network, loss).error <= TOLERANCE


@every_loss
@pytest.mark.parametrize("layer", members(Layer), ids=tag)
@pytest.mark.parametrize(("rows", "units"), [(1, 3), (1, 1), (4, 1)])
def test_gradient_of_one_row_and_of_one_unit(layer: type[Any], loss: LossBase, rows: int, units: int) -> None:
    network = network_of(Dense(units=units, activation=Tanh()), *layers_of(layer, units, Tanh()), outputs=1)
    assert check(network, loss, rows=rows).error <= TOLERANCE


@every_loss
@pytest.mark.parametrize("outputs", [1, 4])
def test_gradient_of_a_network_without_layers(loss: LossBase, outputs: int) -> None:
    assert check(network_of(outputs=outputs), loss, weighted=True).error <= TOLERANCE


@pytest.mark.parametrize("layer", members(Layer), ids=tag)
def test_gradient_of_a_layer_that_comes_first(layer: type[Any]) -> None:
    network = network_of(*layers_of(layer, 2, Tanh()))
    assert check(network, CrossEntropy()).error <= TOLERANCE


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.95])
def test_gradient_through_dropout_of_any_rate(rate: float) -> None:
    network = network_of(Dense(units=6, activation=Tanh()), Dropout(rate=rate), Dense(units=3), Dropout(rate=rate))
    assert check(network, Mse()).error <= TOLERANCE


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(label_smoothing=0.9),
        Huber(delta=0.1),
        Huber(delta=10.0),
        Quantile(q=0.05),
        Quantile(q=0.95),
    ],
)
@pytest.mark.parametrize("outputs", [1, 3])
def test_gradient_of_a_loss_with_its_own_settings(loss: LossBase, outputs: int) -> None:
    assert check(network_of(Dense(units=3, activation=Tanh()), outputs=outputs), loss).error <= TOLERANCE


def test_gradient_of_a_category_met_twice_counts_twice() -> None:
    network = network_of(features=0, embeddings=(Embedding(name="a", slots=2, width=3),))
    assert check(network, Mse(), rows=8).error <= TOLERANCE


@dataclass(frozen=True)
class Case:
    network: Network
    loss: LossBase
    rows: int
    weighted: bool
    seed: int


@st.composite
def random_layers(draw: st.DrawFn, d: int, depth: int, most: int) -> tuple[tuple[LayerBase, ...], int]:
    """Layers that may follow `d` units, and the units that come out of them."""
    layers: list[LayerBase] = []
    for _ in range(draw(st.integers(0, most))):
        kinds = ["dense", "dropout", "batch_norm", "layer_norm", "activation"] + ["residual"] * (depth > 0)
        kind, activation = draw(st.sampled_from(kinds)), draw(st.sampled_from(ELEMENTWISE))
        if kind == "dense":
            d = draw(st.integers(1, 4))
            layers.append(
                Dense(units=d, activation=draw(st.sampled_from([None, activation])), bias=draw(st.booleans()))
            )
        elif kind == "residual":
            inside, width = draw(random_layers(d, depth - 1, 2))
            end = () if inside and width == d else (Dense(units=d, activation=activation),)
            layers.append(Residual.model_validate({"layers": (*inside, *end)}))
        elif kind == "dropout":
            layers.append(Dropout(rate=draw(st.sampled_from([0.0, 0.1, 0.5]))))
        elif kind == "activation":
            layers.append(ActivationLayer(activation=activation))
        else:
            layers.append(BatchNorm() if kind == "batch_norm" else LayerNorm())
    return tuple(layers), d


@st.composite
def cases(draw: st.DrawFn) -> Case:
    widths = draw(st.lists(st.integers(1, 3), max_size=2))
    features = draw(st.integers(0 if widths else 1, 4))
    layers, _ = draw(random_layers(features + sum(widths), 2, 4))
    losses: list[LossBase] = [
        Mse(),
        Mae(),
        Huber(delta=draw(st.floats(0.1, 3.0))),
        Quantile(q=draw(st.floats(0.05, 0.95))),
        Poisson(),
        CrossEntropy(label_smoothing=draw(st.floats(0.0, 0.9))),
        Hinge(),
    ]
    network = network_of(
        *layers,
        features=features,
        embeddings=tuple(
            Embedding(name=f"column {i}", slots=draw(st.integers(1, 4)), width=w) for i, w in enumerate(widths)
        ),
        outputs=draw(st.integers(1, 5)),
        output_activation=draw(st.sampled_from([None, None, None, *ACTIVATIONS])),
    )
    rows, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**16))
    return Case(network, draw(st.sampled_from(losses)), rows, draw(st.booleans()), seed)


@given(case=cases())
@settings(max_examples=100, deadline=None)
def test_gradient_of_a_random_network(case: Case) -> None:
    found = check(case.network, case.loss, rows=case.rows, seed=case.seed, weighted=case.weighted)
    assert found.error <= TOLERANCE


def test_gradient_of_linear_regression_is_the_textbooks() -> None:
    # 1/(B k) Σ (x W + b - y)²: dW = 2/(B k) Xᵀ (X W + b - y)
    rng = np.random.default_rng(0)
    network = network_of(features=3, outputs=2)
    parameters, X, y = network.initialise(rng), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    bound = network.bind(parameters, 7, rng=rng, training=True)
    bound.X[...] = X
    loss = Mse().bind(bound.Z, y, None)
    bound.forward()
    loss.forward()
    bound.backward(loss.backward())
    W, b = parameters.named["output.weight"], parameters.named["output.bias"]
    R = X @ W + b - y
    np.testing.assert_allclose(parameters.gradients["output.weight"], 2.0 / 14 * X.T @ R, rtol=1e-12)
    np.testing.assert_allclose(parameters.gradients["output.bias"], 2.0 / 14 * R.sum(axis=0), rtol=1e-12)


def test_gradient_of_logistic_regression_is_the_textbooks() -> None:
    # dW = 1/B Xᵀ (sigmoid(z) - y)
    rng = np.random.default_rng(0)
    network = network_of(features=3, outputs=1)
    parameters, X, y = network.initialise(rng), rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
    bound = network.bind(parameters, 7, rng=rng, training=True)
    bound.X[...] = X
    loss = CrossEntropy().bind(bound.Z, y, None)
    bound.forward()
    loss.forward()
    bound.backward(loss.backward())
    z = X @ parameters.named["output.weight"] + parameters.named["output.bias"]
    expected = X.T @ (1.0 / (1.0 + np.exp(-z)) - y[:, None]) / 7
    np.testing.assert_allclose(parameters.gradients["output.weight"], expected, rtol=1e-12)


# --- the forward pass -----------------------------------------------------------------------------------------------


def naive_forward(network: Network, parameters: Parameters, X: Matrix, codes: NDArray[np.int64]) -> Matrix:
    """A network of dense tanh layers, a row and a unit at a time, in the words of the definition."""
    p = parameters.named
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
        embeddings=(Embedding(name="city", slots=4, width=2), Embedding(name="a.b", slots=3, width=1)),
    )
    rng = np.random.default_rng(0)
    parameters = network.initialise(rng)
    X, codes = rng.normal(size=(6, 2)), np.stack([rng.integers(0, 4, 6), rng.integers(0, 3, 6)], axis=1)
    bound = network.bind(parameters, 6, rng=rng, training=False)
    bound.X[...], bound.codes[...] = X, codes
    bound.forward()
    np.testing.assert_allclose(bound.Z, naive_forward(network, parameters, X, codes), rtol=1e-12)


def run(network: Network, parameters: Parameters, X: Any, *, training: bool = False, seed: int = 0) -> Any:
    bound = network.bind(parameters, len(X), rng=np.random.default_rng(seed), training=training)
    bound.X[...] = X
    bound.forward()
    return bound.Z.copy()


def test_a_forced_softmax_makes_the_raw_output_a_distribution() -> None:
    network = network_of(output_activation=Softmax())
    Z = run(network, network.initialise(np.random.default_rng(0)), np.random.default_rng(1).normal(size=(5, 2)))
    np.testing.assert_allclose(Z.sum(axis=1), 1.0)
    assert (Z > 0.0).all()


def test_the_input_is_never_written_to() -> None:
    network = network_of(
        ActivationLayer(activation=Relu()), Residual(layers=(ActivationLayer(activation=Relu()),)), Dense(units=3)
    )
    X = np.random.default_rng(1).normal(size=(5, 2))
    bound = network.bind(network.initialise(np.random.default_rng(0)), 5, rng=np.random.default_rng(0), training=True)
    bound.X[...] = X
    bound.forward()
    bound.backward(np.ones((5, 3)))
    np.testing.assert_array_equal(bound.X, X)


def test_two_bindings_share_parameters_and_no_buffers() -> None:
    network = network_of(Dense(units=4, activation=Tanh()))
    rng = np.random.default_rng(0)
    parameters = network.initialise(rng)
    small, large = (network.bind(parameters, n, rng=rng, training=True) for n in (1, 3))
    small.X[...], large.X[...] = 1.0, 2.0
    small.forward()
    before = small.Z.copy()
    large.forward()
    np.testing.assert_array_equal(small.Z, before)
    parameters.named["output.bias"][...] += 1.0
    small.forward()
    np.testing.assert_allclose(small.Z, before + 1.0)


def test_running_statistics_are_for_prediction_and_batch_statistics_for_training() -> None:
    network = network_of(BatchNorm(momentum=1.0), outputs=1)
    parameters = network.initialise(np.random.default_rng(0))
    X = np.array([[1.0, 5.0], [3.0, 9.0]])
    trained = run(network, parameters, X, training=True)
    np.testing.assert_allclose(parameters.named["layers.0.running_mean"], [2.0, 7.0])
    predicted = run(network, parameters, X)
    # the running variance is that of n - 1, twice the batch's here: the spread of the outputs is smaller by sqrt 2
    ratio = (trained[1, 0] - trained[0, 0]) / (predicted[1, 0] - predicted[0, 0])
    assert ratio == pytest.approx(np.sqrt(2.0), rel=1e-5)


def test_prediction_draws_nothing() -> None:
    network = network_of(Dropout(rate=0.5), Dense(units=4), Dropout(rate=0.5))
    parameters = network.initialise(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    bound = network.bind(parameters, 3, rng=rng, training=False)
    bound.X[...] = 1.0
    bound.forward()
    assert rng.bit_generator.state == before
    np.testing.assert_array_equal(bound.Z[0], bound.Z[1])


# --- parameters -----------------------------------------------------------------------------------------------------


def test_names_shapes_and_counts() -> None:
    network = network_of(
        Dense(units=4, activation=Tanh()),
        Residual(layers=(Dense(units=4, bias=False), BatchNorm())),
        embeddings=(Embedding(name="city", slots=5, width=3),),
    )
    parameters = network.initialise(np.random.default_rng(0))
    assert {name: a.shape for name, a in parameters.named.items()} == {
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
    assert network.inputs == 5
    assert network.layout.size == 15 + 20 + 4 + 16 + 4 + 4 + 12 + 3
    assert network.layout.decayed == 15 + 20 + 16 + 12
    assert parameters.statistics.size == 8


def test_ten_layers_keep_their_parameters_apart() -> None:
    network = network_of(*(Dense(units=2, activation=Tanh()) for _ in range(12)))
    assert check(network, Mse(), rows=2).error <= TOLERANCE
    assert len(network.layout.slots) == 2 * 13


def test_a_residual_that_changes_the_width_is_refused_by_name() -> None:
    inner = Residual(layers=(Dense(units=3),))
    with pytest.raises(ValueError, match=r"^layers\.1: the layers of a residual must end as wide .* 4 .* 3 go out"):
        _ = network_of(Dense(units=4), inner).layout
    with pytest.raises(ValueError, match=r"^layers\.0: layers\.1: "):
        _ = network_of(Residual(layers=(Dense(units=4), inner, Dense(units=2)))).layout


def test_the_output_starts_as_its_forced_activation_advises() -> None:
    network = network_of(output_activation=Relu())
    assert network.layout.slots[0].init == Relu().default_init
    assert network_of().layout.slots[0].init != Relu().default_init


def test_both_precisions_start_from_one_draw() -> None:
    wide = network_of(Dense(units=4), embeddings=(Embedding(name="a", slots=3, width=2),))
    narrow = wide.model_copy(update={"precision": "float32"})
    single, double = (n.initialise(np.random.default_rng(5)) for n in (narrow, wide))
    assert single.theta.dtype == np.float32
    assert double.theta.dtype == np.float64
    np.testing.assert_array_equal(single.theta, double.theta.astype(np.float32))


def test_embeddings_start_with_rows_of_length_one_on_average() -> None:
    network = network_of(embeddings=(Embedding(name="a", slots=4000, width=16),))
    E = network.initialise(np.random.default_rng(0)).named["embeddings.a"]
    assert float((E**2).sum(axis=1).mean()) == pytest.approx(1.0, rel=0.03)


def test_layers_are_read_in_shorthand_and_compare_as_values() -> None:
    text = {"features": 2, "layers": [4, "batch_norm", {"type": "dropout", "rate": 0.2}], "outputs": 1}
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
        {"features": -1},
        {"outputs": 0},
        {"precision": "float16"},
        {"layers": [0]},
        {"layers": [True]},
        {"layers": ["dense"]},
        {"layers": [{"type": "dense", "units": 2, "activation": "softmax"}]},
        {"layers": [{"type": "residual", "layers": []}]},
        {"embeddings": [{"name": "a", "slots": 0, "width": 1}]},
        {"units": 3},
    ],
)
def test_what_is_no_network_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Network.model_validate({"features": 2, "layers": [], "outputs": 1, **wrong})
