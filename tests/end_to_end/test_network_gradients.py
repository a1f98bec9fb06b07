"""Every gradient of whole networks: against differences, and against the textbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nncli.nn.activations import Activation, ElementwiseActivation, Mish, Tanh
from nncli.nn.embeddings import Embedding
from nncli.nn.gradcheck import GradientCheck, gradcheck
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.layers.residual import Layer, ParametricActivation, Residual, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.losses import (
    CrossEntropyLoss,
    HingeLoss,
    HuberLoss,
    LossBase,
    MAELoss,
    MSELoss,
    PoissonLoss,
    QuantileLoss,
)
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding, Periodic, PiecewiseLinear
from tests.nn.networks import network_of
from tests.thorough import IS_THOROUGH, pairs_of, partly
from tests.unions import members, plain_losses, tag

ACTIVATIONS = [cls() for cls in members(Activation)]
ELEMENTWISE = [cls() for cls in members(ElementwiseActivation)]
LOSSES = [cls() for cls in plain_losses()]

TOLERANCE = 1e-7
MOST_KINKS = 0.2


def layers_of(cls: type[Any], units: int, activation: Any) -> tuple[LayerBase, ...]:
    """A layer of each class, as wide out as `units` units in, with the activation in it or behind it."""
    if cls is Dense:
        return (Dense(units=units, activation=activation),)
    if cls is Residual:
        return (Residual(layers=(Dense(units=units, activation=activation), Dense(units=units))),)
    if cls in (ActivationLayer, ParametricActivation):
        return (cls(activation=activation),)
    return (cls(), ActivationLayer(activation=activation))


def targets(loss: LossBase, rng: np.random.Generator, rows: int, outputs: int) -> NDArray[Any]:
    if loss.task == "classification":
        return rng.integers(0, 2 if outputs == 1 else outputs, rows)
    if loss.task == "ordinal":
        return rng.integers(0, outputs + 1, rows)
    if loss.task == "survival":
        return np.abs(rng.normal(size=(rows, 2 * (outputs - loss.outputs(0)))))
    return np.abs(rng.normal(size=(rows, outputs)))  # a count may not be negative


def check(
    network: Network, loss: LossBase, *, rows: int = 4, seed: int = 0, weighted: bool = False, spread: float = 0.6
) -> GradientCheck:
    """The gradient at a random point; at another one where most coordinates lay beside a kink.

    The network gets an output for each quantile of a number.
    """
    n_targets = network.n_outputs
    if loss.task == "regression":
        network = Network(**{**dict(network), "n_outputs": loss.outputs(n_targets)})
    for attempt in range(30):
        rng = np.random.default_rng([seed, attempt])
        parameters = network.initialize(rng)
        parameters.theta[...] = rng.normal(0.0, spread, parameters.theta.shape)
        result = gradcheck(
            network,
            loss,
            parameters,
            rng.normal(size=(rows, network.n_features)),
            targets(loss, rng, rows, n_targets),
            codes=np.array([[rng.integers(e.n_embeddings) for e in network.embeddings] for _ in range(rows)], np.int64),
            weights=rng.uniform(0.2, 2.0, rows) if weighted else None,
            seed=seed,
        )
        total = parameters.theta.size + rows * network.n_features
        assert result.compared + result.n_nonsmooth == total
        if result.n_nonsmooth <= MOST_KINKS * total:
            return result
    raise AssertionError(f"every point lay beside a kink: {result}")


def name_of(value: Any) -> str:
    """As a configuration names a class or a value of it; other values as they are."""
    cls = value if isinstance(value, type) else type(value)
    return tag(cls) if hasattr(cls, "model_fields") else str(value)


def sample_of(first: Sequence[Any], second: Sequence[Any], third: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Each value with three of each other list, in turn; all pairs of two values when it is thorough.

    The random networks below combine them too.
    """
    if IS_THOROUGH:
        return pairs_of(first, second, third)
    return [
        (first[i % len(first)], second[(i + turn * 7) % len(second)], third[(i + turn) % len(third)])
        for turn in range(3)
        for i in range(max(map(len, (first, second, third))))
    ]


every_loss = pytest.mark.parametrize("loss", LOSSES, ids=name_of)


@partly
@pytest.mark.parametrize(("activation", "loss", "layer"), sample_of(ELEMENTWISE, LOSSES, members(Layer)), ids=name_of)
def test_gradient_through_every_layer_activation_and_loss(layer: type[Any], activation: Any, loss: LossBase) -> None:
    network = network_of(Dense(units=3, activation=Tanh()), *layers_of(layer, 3, activation))
    assert check(network, loss, weighted=True).error <= TOLERANCE


@partly
@pytest.mark.parametrize(("activation", "loss", "outputs"), sample_of(ACTIVATIONS, LOSSES, [1, 2, 3]), ids=name_of)
def test_gradient_through_every_forced_output_activation_and_loss(
    activation: Any, outputs: int, loss: LossBase
) -> None:
    network = network_of(Dense(units=3, activation=Tanh()), outputs=outputs, output_activation=activation)
    assert check(network, loss).error <= TOLERANCE


@partly
@pytest.mark.parametrize(
    ("layer", "loss", "size"), sample_of(members(Layer), LOSSES, [(1, 3), (1, 1), (4, 1)]), ids=name_of
)
def test_gradient_of_one_row_and_of_one_unit(layer: type[Any], loss: LossBase, size: tuple[int, int]) -> None:
    rows, units = size
    network = network_of(Dense(units=units, activation=Tanh()), *layers_of(layer, units, Tanh()), outputs=1)
    assert check(network, loss, rows=rows).error <= TOLERANCE


@every_loss
@pytest.mark.parametrize("outputs", [1, 4])
def test_gradient_of_a_network_without_layers(loss: LossBase, outputs: int) -> None:
    assert check(network_of(outputs=outputs), loss, weighted=True).error <= TOLERANCE


@pytest.mark.parametrize("layer", members(Layer), ids=tag)
def test_gradient_of_a_layer_that_comes_first(layer: type[Any]) -> None:
    network = network_of(*layers_of(layer, 2, Tanh()))
    assert check(network, CrossEntropyLoss()).error <= TOLERANCE


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_gradient_of_the_ntk_parametrization(bias: bool, first: bool) -> None:
    dense = Dense(units=3, activation=Tanh(), bias=bias, parametrization="ntk")
    layers = (dense, Scale(), dense) if first else (Scale(), dense, Dense(units=2), dense)
    assert check(network_of(*layers, features=5, output_parametrization="ntk"), MSELoss()).error <= TOLERANCE


EMBEDDINGS = [
    Periodic(),
    Periodic(frequencies=3, width=2, sigma=1.0),
    PiecewiseLinear(),
    PiecewiseLinear(bins=1, width=1),
]


@pytest.mark.parametrize("numeric", [(0, 1, 2), (1,), (0, 2)], ids=str)
@pytest.mark.parametrize("embedding", EMBEDDINGS, ids=lambda e: f"{e.type}-{e.width}")
@pytest.mark.parametrize("categories", [False, True], ids=["numbers alone", "with categories"])
def test_gradient_through_embedded_numbers(
    embedding: NumericEmbedding, numeric: tuple[int, ...], categories: bool
) -> None:
    network = network_of(
        Scale(),
        Dense(units=3, activation=Tanh()),
        features=3,
        numeric_features=numeric,
        numeric_embedding=embedding,
        embeddings=(Embedding(name="a", n_embeddings=3, width=2),) if categories else (),
    )
    assert check(network, CrossEntropyLoss(), rows=5).error <= TOLERANCE


def test_every_embedding_of_numbers_has_its_gradient_checked() -> None:
    assert {type(e) for e in EMBEDDINGS} == set(members(NumericEmbedding))


def test_gradient_of_realmlp() -> None:
    hidden = (Dense(units=4, parametrization="ntk"), ParametricActivation(activation=Mish()), Dropout(rate=0.2))
    network = network_of(
        Scale(),
        *hidden,
        *hidden,
        features=4,
        numeric_features=(0, 3),
        numeric_embedding=Periodic(),
        output_parametrization="ntk",
    )
    assert check(network, CrossEntropyLoss(label_smoothing=0.1), rows=6).error <= TOLERANCE


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.95])
def test_gradient_through_dropout_of_any_rate(rate: float) -> None:
    network = network_of(Dense(units=6, activation=Tanh()), Dropout(rate=rate), Dense(units=3), Dropout(rate=rate))
    assert check(network, MSELoss()).error <= TOLERANCE


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropyLoss(label_smoothing=0.1),
        CrossEntropyLoss(label_smoothing=0.9),
        HuberLoss(delta=0.1),
        HuberLoss(delta=10.0),
        QuantileLoss(q=0.05),
        QuantileLoss(q=0.95),
    ],
)
@pytest.mark.parametrize("outputs", [1, 3])
def test_gradient_of_a_loss_with_its_own_settings(loss: LossBase, outputs: int) -> None:
    assert check(network_of(Dense(units=3, activation=Tanh()), outputs=outputs), loss).error <= TOLERANCE


def test_gradient_of_a_repeated_category_is_summed() -> None:
    network = network_of(features=0, embeddings=(Embedding(name="a", n_embeddings=2, width=3),))
    assert check(network, MSELoss(), rows=8).error <= TOLERANCE


@pytest.mark.parametrize("layer", members(Layer), ids=tag)
@pytest.mark.parametrize("embedded", [False, True], ids=["numbers alone", "with an embedding"])
def test_parameter_gradients_do_not_depend_on_needs_dX(layer: type[Any], embedded: bool) -> None:
    embeddings = (Embedding(name="a", n_embeddings=3, width=2),) if embedded else ()
    network = network_of(*layers_of(layer, 2 + 2 * embedded, Tanh()), embeddings=embeddings)
    rng = np.random.default_rng(0)
    parameters, X, codes = network.initialize(rng), rng.normal(size=(6, 2)), rng.integers(0, 3, (6, int(embedded)))

    def gradient(needs_dX: bool) -> NDArray[Any]:
        bound = network.bind(parameters, 6, training=TrainingContext(np.random.default_rng(1)), needs_dX=needs_dX)
        bound.X[...], bound.codes[...] = X, codes
        bound.forward()
        parameters.grad[...] = np.nan
        bound.backward(np.linspace(-1.0, 1.0, 18).reshape(6, 3))
        return parameters.grad.copy()

    np.testing.assert_array_equal(gradient(needs_dX=False), gradient(needs_dX=True))


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
        kinds = ["dense", "dropout", "batch_norm", "layer_norm", "scale", "activation", "parametric_activation"]
        kinds += ["residual"] * (depth > 0)
        kind, activation = draw(st.sampled_from(kinds)), draw(st.sampled_from(ELEMENTWISE))
        if kind == "dense":
            d = draw(st.integers(1, 4))
            layers.append(
                Dense(
                    units=d,
                    activation=draw(st.sampled_from([None, activation])),
                    bias=draw(st.booleans()),
                    parametrization=draw(st.sampled_from([None, "ntk"])),
                )
            )
        elif kind == "residual":
            inside, width = draw(random_layers(d, depth - 1, 2))
            end = () if inside and width == d else (Dense(units=d, activation=activation),)
            layers.append(Residual.model_validate({"layers": (*inside, *end)}))
        elif kind == "dropout":
            layers.append(Dropout(rate=draw(st.sampled_from([0.0, 0.1, 0.5]))))
        elif kind == "activation":
            layers.append(ActivationLayer(activation=activation))
        elif kind == "parametric_activation":
            layers.append(ParametricActivation(activation=activation))
        else:
            layers.append({"batch_norm": BatchNorm(), "layer_norm": LayerNorm(), "scale": Scale()}[kind])
    return tuple(layers), d


@st.composite
def cases(draw: st.DrawFn) -> Case:
    widths = draw(st.lists(st.integers(1, 3), max_size=2))
    features = draw(st.integers(0 if widths else 1, 4))
    numeric = tuple(i for i in range(features) if draw(st.booleans()))
    embedding = draw(st.sampled_from([None, None, *EMBEDDINGS]))
    embedded = len(numeric) * (embedding.out_features - 1) if embedding else 0
    layers, _ = draw(random_layers(features + embedded + sum(widths), 2, 4))
    losses: list[LossBase] = [
        MSELoss(),
        MAELoss(),
        HuberLoss(delta=draw(st.floats(0.1, 3.0))),
        QuantileLoss(q=draw(st.floats(0.05, 0.95))),
        PoissonLoss(),
        CrossEntropyLoss(label_smoothing=draw(st.floats(0.0, 0.9))),
        HingeLoss(),
    ]
    network = network_of(
        *layers,
        features=features,
        numeric_features=numeric,
        numeric_embedding=embedding,
        output_parametrization=draw(st.sampled_from([None, "standard", "ntk"])),
        embeddings=tuple(
            Embedding(name=f"column {i}", n_embeddings=draw(st.integers(1, 4)), width=w) for i, w in enumerate(widths)
        ),
        outputs=draw(st.integers(1, 5)),
        output_activation=draw(st.sampled_from([None, None, None, *ACTIVATIONS])),
    )
    rows, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**16))
    return Case(network, draw(st.sampled_from(losses)), rows, draw(st.booleans()), seed)


@given(case=cases())
def test_gradient_of_a_random_network(case: Case) -> None:
    result = check(case.network, case.loss, rows=case.rows, seed=case.seed, weighted=case.weighted)
    assert result.error <= TOLERANCE


def test_gradient_of_linear_regression_is_the_textbook_formula() -> None:
    # 1/(B k) Σ (x W + b - y)²: dW = 2/(B k) Xᵀ (X W + b - y)
    rng = np.random.default_rng(0)
    network = network_of(features=3, outputs=2)
    parameters, X, y = network.initialize(rng), rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    bound = network.bind(parameters, 7, training=TrainingContext(rng))
    bound.X[...] = X
    loss = MSELoss().bind(bound.Z, y, None)
    bound.forward()
    loss.forward()
    bound.backward(loss.backward())
    W, b = parameters.by_name["output.weight"], parameters.by_name["output.bias"]
    R = X @ W + b - y
    np.testing.assert_allclose(parameters.gradients["output.weight"], 2.0 / 14 * X.T @ R, rtol=1e-12)
    np.testing.assert_allclose(parameters.gradients["output.bias"], 2.0 / 14 * R.sum(axis=0), rtol=1e-12)


def test_gradient_of_logistic_regression_is_the_textbook_formula() -> None:
    # dW = 1/B Xᵀ (sigmoid(z) - y)
    rng = np.random.default_rng(0)
    network = network_of(features=3, outputs=1)
    parameters, X, y = network.initialize(rng), rng.normal(size=(7, 3)), rng.integers(0, 2, 7)
    bound = network.bind(parameters, 7, training=TrainingContext(rng))
    bound.X[...] = X
    loss = CrossEntropyLoss().bind(bound.Z, y, None)
    bound.forward()
    loss.forward()
    bound.backward(loss.backward())
    z = X @ parameters.by_name["output.weight"] + parameters.by_name["output.bias"]
    expected = X.T @ (1.0 / (1.0 + np.exp(-z)) - y[:, None]) / 7
    np.testing.assert_allclose(parameters.gradients["output.weight"], expected, rtol=1e-12)


def test_parameters_of_ten_layers_are_separate() -> None:
    network = network_of(*(Dense(units=2, activation=Tanh()) for _ in range(12)))
    assert check(network, MSELoss(), rows=2).error <= TOLERANCE
    assert len(network.layout.specs) == 2 * 13
