"""The outputs of a network within its bounds are monotone, to the last bit."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.activations import Elu, LeakyRelu, Relu, Selu, Sigmoid, Tanh
from nncli.nn.arrays import Array, Precision
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.layers.dense import Dense, unit_signs
from nncli.nn.layers.layer import LayerBase, Units
from nncli.nn.layers.residual import ParametricActivation, Residual, Scale
from nncli.nn.layers.sequential import ActivationLayer, Dropout
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import Periodic, PiecewiseLinear
from nncli.nn.parameters import ParameterBounds, Parameters
from tests.nn.networks import network_of

ROWS = 64
ACTIVATIONS = [Relu(), LeakyRelu(), Elu(), Selu(), Tanh(), Sigmoid()]


def drawn(network: Network, rng: np.random.Generator) -> tuple[Parameters, Array]:
    """Random parameters within the bounds, and rows on which the embedding was placed."""
    X = rng.normal(size=(ROWS, network.n_features)).astype(network.precision)
    parameters = network.initialize(rng)
    network.init_from_data(parameters, X, np.empty((ROWS, 0), np.int64), rng)
    assert network.bounds is not None
    low, high = network.bounds
    noise = rng.normal(size=parameters.theta.shape)
    np.clip(parameters.theta + noise, low, high, out=parameters.theta)
    parameters.theta[rng.random(noise.shape) < rng.choice([0.0, 0.9])] = 0.0  # as where a function is level
    return parameters, X


@st.composite
def networks(draw: st.DrawFn) -> Network:
    activation: st.SearchStrategy[Any] = st.sampled_from(ACTIVATIONS)
    hidden = list[LayerBase]()
    if draw(st.booleans()):
        hidden.append(Scale())
    for _ in range(draw(st.integers(0, 2))):
        hidden += [Dense(units=draw(st.integers(1, 9)), activation=draw(activation)), Dropout()]
    if draw(st.booleans()):
        hidden += [Dense(units=4), ActivationLayer(activation=draw(activation))]
        hidden += [Residual(layers=(Dense(units=3, activation=draw(activation)), Dense(units=4)))]
    signs = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=3, max_size=3).filter(any))
    outputs = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=2, max_size=2))
    embedding = draw(st.sampled_from([None, PiecewiseLinear(bins=6, width=3), PiecewiseLinear(bins=2, width=1)]))
    precision: Precision = draw(st.sampled_from(["float32", "float64"]))
    options: dict[str, Any] = {"monotone": signs, "output_signs": outputs, "precision": precision}
    embedded = {"numeric_embedding": embedding, "numeric_features": (0, 2)}
    return network_of(*hidden, features=3, outputs=2, **options, **embedded)


@pytest.mark.slow
@given(networks(), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 1e4]))
def test_outputs_follow_their_signs_for_every_pair_of_rows(network: Network, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    parameters, X = drawn(network, rng)
    signs, codes = np.array(network.monotone, X.dtype), np.empty((ROWS, 0), np.int64)
    steps = signs * rng.exponential(size, X.shape).astype(X.dtype)
    earlier = X - steps if size else np.nextafter(X, X - signs)  # X has the edges of bins
    for final in (True, False):
        predictor = InferenceSession(network, parameters, final=final)
        rise = predictor.run(X, codes) - predictor.run(earlier, codes)
        for sign, column in zip(network.output_signs, rise.T, strict=True):
            assert (column == 0.0).all() if sign == 0 else (sign * column >= 0.0).all()


@given(networks(), st.integers(0, 2**32 - 1))
def test_a_new_network_is_within_its_bounds(network: Network, seed: int) -> None:
    assert network.bounds is not None
    low, high = network.bounds
    theta = network.initialize(np.random.default_rng(seed)).theta
    assert ((low <= theta) & (theta <= high)).all()


def test_a_network_without_monotone_features_has_no_bounds() -> None:
    assert network_of(Dense(units=2)).bounds is None
    assert network_of(Dense(units=2), monotone=(0, 0)).bounds is None


@pytest.mark.slow
@given(st.sampled_from(ACTIVATIONS), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_outputs_are_sums_of_functions_of_each_set(activation: Any, embeds: bool, is_monotone: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = network_of(
        Scale(),
        Dense(units=7, activation=activation),
        Residual(layers=(Dense(units=7, activation=activation),)),
        features=4,
        outputs=2,
        monotone=(1, 0, 0, -1) if is_monotone else (),
        output_signs=(1, 1),
        numeric_embedding=PiecewiseLinear(bins=4, width=2) if embeds else None,
        numeric_features=(0, 1, 3),
        interactions=((0, 1), (1, 2), (3,)),
    )
    parameters, X = drawn(network, rng)
    predictor, codes = InferenceSession(network, parameters), np.empty((ROWS, 0), np.int64)
    other = X[::-1]
    for together, apart in (((0,), (2,)), ((0, 1, 2), (3,)), ((2, 1), (3,)), ((0,), (3,))):
        corners = []
        for first, second in ((X, X), (X, other), (other, X), (other, other)):
            rows = X.copy()
            rows[:, together], rows[:, apart] = first[:, together], second[:, apart]
            corners.append(predictor.run(rows, codes))
        size = np.abs(corners).max()
        np.testing.assert_allclose(corners[0] + corners[3], corners[1] + corners[2], rtol=0, atol=1e-10 * size)


@pytest.mark.parametrize("inner", [(Dense(units=3),), (Dense(units=8, activation="tanh"), Dense(units=3))])
def test_a_residual_on_the_inputs_keeps_the_sets_of_a_shared_column(inner: tuple[Dense, ...]) -> None:
    layers = (Residual(layers=inner), Dense(units=16, activation="tanh"))
    network = network_of(*layers, features=3, interactions=((0, 1), (1, 2)), precision="float64")
    rng = np.random.default_rng(0)
    parameters, X = drawn(network, rng)
    assert network.bounds is not None
    np.clip(rng.normal(size=parameters.theta.shape), *network.bounds, out=parameters.theta)
    first, third, both = X.copy(), X.copy(), X.copy()
    first[:, 0], third[:, 2], both[:, 0], both[:, 2] = X[::-1, 0], X[::-1, 2], X[::-1, 0], X[::-1, 2]
    run = partial(InferenceSession(network, parameters).run, codes=np.empty((ROWS, 0), np.int64))
    assert np.abs(run(first) - run(X)).max() > 1e-3
    np.testing.assert_allclose(run(X) + run(both), run(first) + run(third), rtol=0, atol=1e-9)


def test_sets_of_columns_need_a_unit_each_and_no_layer_normalization() -> None:
    sets = ((0,), (1,))
    assert network_of(Dense(units=2), interactions=sets).bounds is not None
    with pytest.raises(ValueError, match=r"^layers\.0: 1 units .* 2 sets"):
        _ = network_of(Dense(units=1), interactions=sets).bounds
    with pytest.raises(ValueError, match=r"^layers\.1: .*layer_norm"):
        _ = network_of(Dense(units=4), {"type": "layer_norm"}, interactions=sets).bounds  # type: ignore[arg-type]


def test_every_layer_but_layer_normalization_keeps_sets_apart() -> None:
    hidden: list[Any] = [{"type": "batch_norm"}, Scale(), ParametricActivation(activation="gelu"), Dropout()]
    hidden += [Dense(units=4), ActivationLayer(activation="mish")]
    assert network_of(*hidden, Residual(layers=hidden), interactions=((0,), (1,))).bounds is not None


def test_a_layer_that_may_mix_units_is_refused_under_interactions() -> None:
    class Mixer(ActivationLayer):
        mixes_units: ClassVar[bool] = True

    units = Units(np.zeros(2, np.int8), np.eye(2, dtype=np.bool_))
    with pytest.raises(ValueError, match="mix units"):
        LayerBase.bound(Mixer(activation="relu"), ParameterBounds({}, {}), units, None)


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (Dense(units=2, activation="gelu"), "layers.0"),
        (Residual(layers=(Dense(units=2, activation="mish"),)), "layers.0: layers.0"),
        (ActivationLayer(activation="silu"), "layers.0"),
        (ActivationLayer(activation="softplus"), "layers.0"),
        (ParametricActivation(activation="relu"), "layers.0"),
    ],
)
def test_a_layer_that_can_break_it_is_named(layer: LayerBase, where: str) -> None:
    with pytest.raises(ValueError, match=f"^{where}: .*monotone"):
        _ = network_of(layer, monotone=(1, 0), output_signs=(1, 1, 1)).bounds


@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm"])
def test_normalization_is_named(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^layers\.0: .*{kind}"):
        _ = network_of({"type": kind}, monotone=(1, 0), output_signs=(1, 1, 1)).bounds  # type: ignore[arg-type]


def test_a_periodic_embedding_is_named_unless_the_monotone_feature_is_not_embedded() -> None:
    options: dict[str, Any] = {"numeric_embedding": Periodic(), "numeric_features": (0,), "output_signs": (1, 1, 1)}
    with pytest.raises(ValueError, match=r"^numeric_embedding: .*periodic"):
        _ = network_of(monotone=(1, 0), **options).bounds
    assert network_of(monotone=(0, 1), **options).bounds is not None


def test_half_of_the_monotone_units_rise_and_half_fall_and_others_are_free() -> None:
    assert unit_signs(8, np.array([1, 0], np.int8)).tolist() == [1, 1, 1, -1, -1, -1, 0, 0]
    assert unit_signs(5, np.array([1, -1], np.int8)).tolist() == [1, 1, 1, -1, -1]
    assert unit_signs(1, np.array([1, 0], np.int8)).tolist() == [1]
    assert not unit_signs(4, np.array([0, 0], np.int8)).any()


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_an_embedding_does_not_step_down_between_its_segments(precision: Precision) -> None:
    options: dict[str, Any] = {"numeric_embedding": PiecewiseLinear(bins=8, width=2), "numeric_features": (0, 1, 2)}
    network = network_of(
        Dense(units=4, activation="relu"),
        features=3,
        outputs=2,
        monotone=(1, -1, 0),
        output_signs=(1, -1),
        precision=precision,
        **options,
    )
    codes = np.empty((ROWS, 0), np.int64)
    for seed in range(50):
        parameters, edges = drawn(network, np.random.default_rng(seed))
        below = np.nextafter(edges, edges - np.array(network.monotone, edges.dtype))
        predictor = InferenceSession(network, parameters, final=True)
        rise = predictor.run(edges, codes) - predictor.run(below, codes)
        assert (rise * network.output_signs >= 0.0).all()
