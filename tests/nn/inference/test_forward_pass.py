"""The forward pass of a folded network gives what the bound network gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.inference.forward_pass import ForwardPass
from nncli.nn.network import Network

PARAMETRIC = {"type": "parametric_activation", "activation": "mish"}
EMBEDDINGS = [{"name": "a", "n_embeddings": 6, "width": 2}, {"name": "b", "n_embeddings": 3, "width": 4}]
PIECEWISE = {"type": "piecewise_linear", "bins": 5, "width": 3}
NETWORKS: dict[str, dict[str, Any]] = {
    "no feature": {"n_features": 0, "layers": [4]},
    "no hidden layer": {"n_features": 3, "layers": ["scale"]},
    "activations": {"n_features": 3, "layers": [{"type": "dense", "units": 4, "activation": "selu"}, 4, "dropout"]},
    "categories only": {"n_features": 0, "embeddings": EMBEDDINGS, "layers": [4]},
    "every input": {
        "n_features": 7,
        "numeric_features": [1, 2, 5],
        "numeric_embedding": PIECEWISE,
        "embeddings": EMBEDDINGS,
        "layers": ["scale", {"type": "dense", "units": 6, "parametrization": "ntk"}, PARAMETRIC, 4, PARAMETRIC],
    },
    "periodic": {
        "n_features": 7,
        "numeric_features": [0, 1, 6],
        "numeric_embedding": "periodic",
        "embeddings": EMBEDDINGS,
        "layers": [4, {"type": "parametric_activation", "activation": "gelu"}],
    },
    "only numbers": {"n_features": 2, "numeric_features": [0, 1], "numeric_embedding": PIECEWISE, "layers": []},
}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("fields", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_outputs_are_those_of_the_bound_network(fields: dict[str, Any], precision: Any) -> None:
    network = Network.model_validate({**fields, "n_outputs": 2, "precision": precision})
    stages = stages_of(network)
    assert stages is not None
    rng, rows = np.random.default_rng(0), 9
    parameters = network.initialize(rng)
    parameters.theta[...] += rng.normal(0.0, 0.3, parameters.theta.shape)
    exact = network.model_copy(update={"precision": "float64"})
    bound_parameters = exact.layout.empty("float64")
    bound_parameters.copy_from(parameters)
    bound, forward_pass = (
        exact.bind(bound_parameters, rows, training=None),
        ForwardPass(network, stages, rows, copies=False),
    )
    folded = FoldedNetwork.of(network, stages, parameters)
    for _ in range(2):
        (X,), (codes,) = forward_pass.X, forward_pass.codes
        X[...] = rng.normal(size=X.shape)
        codes[...] = rng.integers(0, 3, codes.shape)
        bound.X[...], bound.codes[...] = X, codes
        bound.forward()
        forward_pass.run(folded)
        np.testing.assert_allclose(forward_pass.Z[0], bound.Z, rtol=0.0, atol=1e-12)


def test_equal_networks_share_a_forward_pass() -> None:
    network = Network.model_validate({**NETWORKS["every input"], "n_outputs": 1})
    stages = stages_of(network)
    assert stages is not None
    shared = ForwardPass(network, stages, 4)
    members = [FoldedNetwork.of(network, stages, network.initialize(np.random.default_rng(seed))) for seed in (0, 1)]
    alone = []
    for folded in members:
        separate = ForwardPass(network, stages, 4)
        separate.run(folded)
        alone.append(separate.Z.copy())
    for folded, Z in zip([*members, *members], [*alone, *alone], strict=True):
        shared.run(folded)
        np.testing.assert_array_equal(shared.Z, Z)
