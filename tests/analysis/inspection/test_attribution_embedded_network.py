"""A network opened behind its look-ups: the same outputs, and slopes that differences confirm."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.analysis.inspection.attribution import BLOCK_ROWS, EmbeddedNetwork
from nncli.nn.inference.predictor import InferenceSession
from nncli.nn.network import Network
from nncli.nn.parameters import Parameters
from tests.nn.inference.test_predictor import NETWORKS
from tests.nn.networks import network_of

every = pytest.mark.parametrize("network", [pytest.param(n, id=name) for name, n in NETWORKS.items()])
EMBEDDED = network_of(embeddings=({"name": "a", "n_embeddings": 3, "width": 2},), layers=(), features=1, outputs=1)


def trained(network: Network) -> Parameters:
    """Parameters no one of which is where it started, so that all of them matter."""
    rng = np.random.default_rng(0)
    parameters = network.initialize(rng)
    np.add(
        parameters.theta,
        rng.normal(0.0, 0.2, parameters.theta.shape).astype(parameters.theta.dtype),
        out=parameters.theta,
    )
    return parameters


def rows_of(network: Network, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, network.n_features)).astype(network.precision)
    codes = [rng.integers(0, e.n_embeddings, n) for e in network.embeddings]
    return X, np.stack(codes, axis=1) if codes else np.zeros((n, 0), np.int64)


@every
@pytest.mark.parametrize("rows", [1, BLOCK_ROWS, BLOCK_ROWS + 3])
def test_outputs_are_those_of_the_network(network: Network, rows: int) -> None:
    parameters, (X, codes) = trained(network), rows_of(network, rows)
    opened = EmbeddedNetwork(network, parameters)
    U = opened.embed(X, codes)
    assert U.shape == (rows, opened.inputs)
    np.testing.assert_allclose(
        opened.run(U), InferenceSession(network, parameters).run(X, codes), rtol=1e-10, atol=1e-12
    )


@every
def test_gradients_are_those_of_finite_differences(network: Network) -> None:
    opened, rng = EmbeddedNetwork(network, trained(network)), np.random.default_rng(2)
    U = opened.embed(*rows_of(network, 5))
    dZ = rng.normal(size=(5, network.n_outputs))
    (_, G), h = opened.gradients(U, lambda Z, rows: dZ[rows]), 1e-6
    for i in range(opened.inputs):  # the gradient by the inner inputs, times their change with an input
        step = np.zeros(opened.inputs)
        step[i] = h
        (after, _), (before, _) = (opened.gradients(point, lambda Z, rows: dZ[rows]) for point in (U + step, U - step))
        difference = ((opened.run(U + step) - opened.run(U - step)) * dZ).sum(axis=1) / (2.0 * h)
        np.testing.assert_allclose((G * (after - before)).sum(axis=1) / (2.0 * h), difference, rtol=1e-5, atol=1e-7)


@every
def test_changes_of_inner_inputs_are_summed_by_input(network: Network) -> None:
    opened = EmbeddedNetwork(network, trained(network))
    U = opened.embed(*rows_of(network, 5))
    E, _ = opened.gradients(U, lambda Z, rows: np.zeros(Z.shape))
    for i in range(opened.inputs):
        moved = U.copy()
        moved[:, i] += 0.7
        change = opened.gradients(moved, lambda Z, rows: np.zeros(Z.shape))[0] - E
        sums = opened.by_input(change)
        np.testing.assert_allclose(sums[:, i], change.sum(axis=1), atol=1e-12)
        assert not np.delete(sums, i, axis=1).any()


def test_embedding_vectors_follow_the_numbers() -> None:
    parameters = trained(EMBEDDED)
    U = EmbeddedNetwork(EMBEDDED, parameters).embed(np.array([[5.0], [6.0]]), np.array([[2], [0]]))
    assert U[:, 0].tolist() == [5.0, 6.0]
    assert np.array_equal(U[:, 1:], parameters.by_name["embeddings.a"][[2, 0]])


def test_a_row_may_lie_between_two_categories() -> None:
    parameters = trained(EMBEDDED)
    opened = EmbeddedNetwork(EMBEDDED, parameters)
    U = opened.embed(np.array([[1.0], [1.0]]), np.array([[1], [2]]))
    between = opened.run(U.mean(axis=0, keepdims=True))
    np.testing.assert_allclose(between[0], opened.run(U).mean(axis=0))  # as the network is linear


def test_the_gradient_function_is_given_the_outputs_of_its_rows() -> None:
    opened = EmbeddedNetwork(EMBEDDED, trained(EMBEDDED))
    X = np.arange(BLOCK_ROWS + 2.0)[:, None]
    U = opened.embed(X, np.zeros((len(X), 1), np.int64))
    Z = opened.run(U)
    slices = []

    def slope(some: np.ndarray, rows: slice) -> np.ndarray:
        slices.append(rows)
        np.testing.assert_array_equal(some, Z[rows])
        return 2.0 * some

    E, G = opened.gradients(U, slope)
    np.testing.assert_array_equal(E, U)  # as nothing is embedded any more
    assert slices == [slice(0, BLOCK_ROWS), slice(BLOCK_ROWS, BLOCK_ROWS + 2)]
    weight = opened.run(U[1:2])[0, 0] - opened.run(U[:1])[0, 0]
    np.testing.assert_allclose(G[:, 0], 2.0 * Z[:, 0] * weight)  # the derivative of z² is 2 z dz/dx
