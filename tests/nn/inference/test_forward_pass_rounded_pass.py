"""The forward pass in float32 is as near to that in float64 as it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.inference.forward_pass import ForwardPass, RoundedPass, rounded_stages
from nncli.nn.network import Network
from tests.nn.inference.test_forward_pass import NETWORKS

ROWS = 50
WIDE = {
    "n_features": 30,
    "layers": [
        {"type": "dense", "units": 100, "parametrization": "ntk"},
        {"type": "parametric_activation", "activation": "mish"},
        {"type": "dense", "units": 100, "activation": "relu"},
    ],
}


def passes(fields: dict[str, Any], size: float, seed: int = 0) -> tuple[ForwardPass, RoundedPass]:
    network = Network.model_validate({**fields, "n_outputs": 3})
    stages = stages_of(network)
    assert stages is not None
    rng = np.random.default_rng(seed)
    parameters = network.initialize(rng)
    parameters.theta[...] += rng.normal(0.0, 0.3, parameters.theta.shape)
    parameters.theta[...] *= size
    folded = FoldedNetwork.of(network, stages, parameters)
    exact, rounded = ForwardPass(network, stages, ROWS), RoundedPass(network, stages, ROWS)
    for each in (exact, rounded):
        rng = np.random.default_rng(seed + 1)
        (X,), (codes,) = each.X, each.codes
        X[...] = rng.normal(size=X.shape)
        codes[...] = rng.integers(0, 3, codes.shape)
    exact.run(folded)
    rounded.run_rounded(folded, rounded_stages(folded, stages))
    return exact, rounded


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fields", [NETWORKS["every input"], NETWORKS["no hidden layer"], WIDE], ids=["a", "b", "c"])
def test_the_error_is_within_its_bound(fields: dict[str, Any], seed: int, size: float) -> None:
    exact, rounded = passes(fields, size, seed)
    assert rounded.Z.dtype == np.float32
    error = np.linalg.norm(rounded.Z[0] - exact.Z[0], axis=1)
    assert error.max() > 0.0
    assert (error <= rounded.error).all()


def test_the_bound_is_small_for_a_network_as_trained() -> None:
    exact, rounded = passes(WIDE, 1.0)
    assert rounded.error.max() < 0.01 * float(np.abs(exact.Z[0]).max())


def test_outputs_that_overflow_have_no_finite_bound() -> None:
    with np.errstate(all="ignore"):
        _, rounded = passes(WIDE, 1e15)
    finite = np.isfinite(rounded.Z[0]).all(axis=1)
    assert not finite.all()
    assert not np.isfinite(rounded.error[~finite]).any()
