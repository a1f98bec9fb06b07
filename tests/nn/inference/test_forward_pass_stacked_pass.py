"""Several networks in the calls of one have the bits of each alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.base.threads import limit_blas_threads
from nncli.nn import embeddings
from nncli.nn.inference import folding as piecewise_tables
from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.network import Network
from tests.nn.inference.test_forward_pass import NETWORKS

ROWS, MEMBERS = 8, 3


def folded(network: Network, seed: int) -> FoldedNetwork:
    rng = np.random.default_rng(seed)
    parameters = network.initialize(rng)
    parameters.theta[...] += rng.normal(0.0, 0.3, parameters.theta.shape)
    for edges in (view for name, view in parameters.by_name.items() if name == "numeric.edges"):
        edges.sort(axis=1)
    return FoldedNetwork.of(network, stages_of(network) or (), parameters)


@pytest.mark.parametrize("group_values", [embeddings.GROUP_VALUES, 1])
@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
def test_every_layer_of_every_member_has_the_bits_of_its_own_forward_pass(
    fields: dict[str, Any], group_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(piecewise_tables, "GROUP_VALUES", group_values)
    network = Network.model_validate({**fields, "n_outputs": 2})
    stages = stages_of(network)
    assert stages is not None
    networks = [folded(network, seed) for seed in range(MEMBERS)]
    alone, together = ForwardPass(network, stages, ROWS), ForwardPass(network, stages, ROWS, MEMBERS)
    rng, stacked = np.random.default_rng(9), FoldedNetwork.joined(networks)
    for _ in range(2):
        for X, codes in zip(together.X, together.codes, strict=True):
            X[...], codes[...] = rng.normal(size=X.shape), rng.integers(0, 3, codes.shape)
        with limit_blas_threads(1):
            together.run(stacked)
            for i, separate in enumerate(networks):
                alone.X[0][...], alone.codes[0][...] = together.X[i], together.codes[i]
                alone.run(separate)
                for Z, expected in zip(together.outputs, alone.outputs, strict=True):
                    np.testing.assert_array_equal(Z[i], expected[0])
                np.testing.assert_array_equal(together.Z[i], alone.Z[0])


def test_the_weights_of_each_network_are_views_of_those_of_all() -> None:
    network = Network.model_validate({**NETWORKS["every input"], "n_outputs": 2})
    stacked = FoldedNetwork.joined([folded(network, seed) for seed in range(MEMBERS)])
    for i, item in enumerate(stacked.networks):
        assert all(np.shares_memory(W, all_[i]) for W, all_ in zip(item.weights, stacked.weights, strict=True))
