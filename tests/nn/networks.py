"""A small network in float64, for tests of several files."""

from __future__ import annotations

from typing import Any

from nncli.nn.layers.layer import LayerBase
from nncli.nn.network import Network


def network_of(*layers: LayerBase, features: int = 2, outputs: int = 3, **options: Any) -> Network:
    return Network.model_validate(
        {"n_features": features, "layers": layers, "n_outputs": outputs, "precision": "float64", **options}
    )
