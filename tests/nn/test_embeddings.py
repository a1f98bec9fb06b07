"""What comes into the first layer: in which order, and with whose gradient."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from nncli.nn.embeddings import GROUP_VALUES, Embedding
from nncli.nn.network import Network
from nncli.nn.numeric_embeddings import NumericEmbedding, Periodic, PiecewiseLinear
from tests.nn.networks import network_of


def entrance(network: Network, rows: int = 4) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    X = rng.normal(size=(rows, network.n_features))
    codes = np.stack([rng.integers(e.n_embeddings, size=rows) for e in network.embeddings] or [np.zeros(rows, int)], 1)
    codes = codes[:, : len(network.embeddings)]
    bound = network.bind_inputs(parameters.by_name, parameters.gradients, X, codes, needs_dX=True)
    bound.forward()
    return bound, parameters, X, codes


def test_with_nothing_to_embed_the_input_is_X_itself() -> None:
    for network in (
        network_of(features=3),
        network_of(features=3, numeric_features=(0, 2)),
        network_of(features=3, numeric_embedding=Periodic()),
    ):
        bound, parameters, X, _ = entrance(network)
        assert bound.Y is X
        assert network.input_width == 3
        assert not any(name.startswith("numeric") for name in parameters.by_name)


def test_embedded_numbers_come_first_then_the_other_features_then_categories() -> None:
    network = network_of(
        features=4,
        numeric_features=(1, 3),
        numeric_embedding=Periodic(),
        embeddings=(Embedding(name="a", n_embeddings=3, width=2),),
    )
    bound, parameters, X, codes = entrance(network)
    assert bound.Y.shape == (4, network.input_width) == (4, 2 * 4 + 2 + 2)
    np.testing.assert_array_equal(bound.Y[:, [3, 7]], X[:, [1, 3]])  # each embedding ends with x itself
    np.testing.assert_array_equal(bound.Y[:, [8, 9]], X[:, [0, 2]])
    np.testing.assert_array_equal(bound.Y[:, 10:], parameters.by_name["embeddings.a"][codes[:, 0]])


def test_the_names_of_the_parameters() -> None:
    network = network_of(features=2, numeric_features=(0,), numeric_embedding=Periodic(frequencies=5, width=3))
    shapes = {name: a.shape for name, a in network.initialize(np.random.default_rng(0)).by_name.items()}
    assert shapes == {
        "numeric.frequency": (1, 5),
        "numeric.phase": (1, 5),
        "numeric.weight": (1, 5, 2),
        "numeric.bias": (1, 2),
        "output.weight": (4, 3),
        "output.bias": (3,),
    }


def test_a_vector_gets_the_sum_of_the_gradients_of_its_rows() -> None:
    network = network_of(
        features=1,
        embeddings=(Embedding(name="a", n_embeddings=5, width=3), Embedding(name="b", n_embeddings=2, width=1)),
    )
    bound, parameters, _, codes = entrance(network, rows=50)
    dY = np.random.default_rng(1).normal(size=bound.Y.shape)
    expected = {"a": np.zeros((5, 3)), "b": np.zeros((2, 1))}
    for (a, b), d in zip(codes, dY, strict=True):
        expected["a"][a] += d[1:4]
        expected["b"][b] += d[4:]
    parameters.grad[...] = np.nan
    np.testing.assert_array_equal(bound.backward(dY), dY[:, :1])
    for name, value in expected.items():
        np.testing.assert_allclose(parameters.gradients[f"embeddings.{name}"], value, rtol=1e-13)


@pytest.mark.parametrize(("std", "expected"), [(None, 0.25), (1.0, 1.0), (0.5, 0.5)])
def test_vectors_start_with_the_spread_asked_for(std: float | None, expected: float) -> None:
    network = network_of(embeddings=(Embedding(name="a", n_embeddings=2000, width=16, init_std=std),))
    E = network.initialize(np.random.default_rng(0)).by_name["embeddings.a"]
    assert float(E.std()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("numeric", [(3,), (1, 0), (1, 1), (-1,)])
def test_positions_must_be_ascending_and_within_the_features(numeric: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        network_of(features=3, numeric_features=numeric)


def test_a_network_of_before_is_read_as_it_was() -> None:
    text = '{"n_features":2,"embeddings":[{"name":"a","n_embeddings":3,"width":2}],"layers":[{"type":"dense","units":4,\
"activation":null,"bias":true,"init":null}],"n_outputs":1,"output_activation":null,"precision":"float32"}'
    network = Network.model_validate_json(text)
    assert (network.input_width, network.numeric_features, network.numeric_embedding) == (4, (), None)


EMBEDDINGS = pytest.mark.parametrize("embedding", [Periodic(), PiecewiseLinear(), PiecewiseLinear(bins=1, width=1)])


@EMBEDDINGS
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("columns", "rows"), [(1, 384), (3, 384), (23, 384), (23, 1), (90, 384), (90, 50)])
def test_a_network_bound_only_for_the_forward_pass_gives_the_same_bits(
    embedding: NumericEmbedding, precision: str, columns: int, rows: int
) -> None:
    network = Network(
        n_features=columns + 2,
        numeric_features=tuple(range(1, columns + 1)),
        numeric_embedding=embedding,
        embeddings=(Embedding(name="a", n_embeddings=3, width=2),),
        layers=(),
        n_outputs=2,
        precision=precision,
    )
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    parameters.theta[...] += rng.normal(0.0, 0.1, parameters.theta.shape)
    both = [network.bind(parameters, rows, training=None, forward_only=only) for only in (False, True)]
    for _ in range(2):
        X, codes = rng.normal(size=(rows, columns + 2)), rng.integers(0, 3, (rows, 1))
        for bound in both:
            bound.X[...], bound.codes[...] = X, codes
            bound.forward()
        assert both[0].Z.tobytes() == both[1].Z.tobytes()


@EMBEDDINGS
def test_the_forward_pass_of_many_columns_needs_little_more_than_its_output(embedding: NumericEmbedding) -> None:
    network = Network(
        n_features=600, numeric_features=tuple(range(600)), numeric_embedding=embedding, layers=(), n_outputs=1
    )
    parameters = network.initialize(np.random.default_rng(0))
    tracemalloc.start()
    bound = network.bind(parameters, 384, training=None, forward_only=True)
    bound.forward()
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    output = 4 * 384 * (network.input_width + network.n_features)
    assert used < output + 10 * 4 * GROUP_VALUES + 2 * parameters.theta.nbytes
