"""Which networks can be folded, and that nothing is lost by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.nn.inference.folding import FoldedNetwork, stages_of
from nncli.nn.network import Network

MISH: dict[str, Any] = {"type": "parametric_activation", "activation": "mish"}
NTK = {"type": "dense", "units": 4, "parametrization": "ntk"}


def network(*layers: Any, **fields: Any) -> Network:
    return Network.model_validate({"n_features": 3, "layers": layers, "n_outputs": 2, **fields})


@pytest.mark.parametrize(
    "layers",
    [
        ["batch_norm"],
        [4, "layer_norm"],
        [{"type": "residual", "layers": [3]}],
        [MISH],
        [{"type": "activation", "activation": "relu"}],
        [NTK, "scale", MISH],
        [{"type": "dense", "units": 4, "activation": "relu"}, MISH],
    ],
    ids=repr,
)
def test_other_layers_cannot_be_folded(layers: list[Any]) -> None:
    assert stages_of(network(*layers)) is None


def test_an_output_with_an_activation_cannot_be_folded() -> None:
    assert stages_of(network(4, output_activation="softmax")) is None


def test_layers_become_one_stage_for_each_dense_layer() -> None:
    stages = stages_of(network("scale", "scale", NTK, MISH, "dropout", "scale", NTK))
    assert stages is not None
    assert [stage.name for stage in stages] == ["layers.2", "layers.6", "output"]
    assert [stage.scales for stage in stages] == [("layers.0.scale", "layers.1.scale"), ("layers.5.scale",), ()]
    assert [stage.alpha for stage in stages] == ["layers.3.alpha", None, None]
    assert [stage.inputs for stage in stages] == [3, 4, 4]


def test_scales_factor_and_bias_are_in_the_weights() -> None:
    net = network("scale", NTK, {"type": "dense", "units": 5, "bias": False})
    stages = stages_of(net)
    assert stages is not None
    parameters = net.initialize(np.random.default_rng(0))
    parameters.theta[...] = np.random.default_rng(1).normal(size=parameters.theta.shape)
    p = {name: view.astype(np.float64) for name, view in parameters.by_name.items()}
    folded = FoldedNetwork.of(net, stages, parameters)
    A = np.random.default_rng(2).normal(size=(7, 3))
    Z = (A * p["layers.0.scale"]) @ p["layers.1.weight"] / np.sqrt(3.0) + p["layers.1.bias"]
    (W,) = folded.weights[0]
    np.testing.assert_allclose(A @ W[:, :-1].T + W[:, -1], Z, rtol=1e-12)
    assert (folded.weights[1][0, :, -1] == 0.0).all()
    assert folded.nbytes == 8 * (4 * 4 + 5 * 5 + 2 * 6)
