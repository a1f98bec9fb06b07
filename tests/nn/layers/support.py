"""Bind a single layer for a test."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.arrays import BoundLayer
from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.parameters import Parameters, ParamLayout


def bind(
    layer: LayerBase, X: Any, *, seed: int = 0, training: bool = True, needs_dX: bool = True
) -> tuple[BoundLayer, Parameters]:
    """Bind a layer with initialized parameters to a copy of X."""
    X = np.array(X, np.float64) if np.asarray(X).dtype != np.float32 else np.array(X)
    layout = ParamLayout(layer.parameters(X.shape[1]))
    parameters = layout.initialize(np.random.default_rng(seed), "float64")
    rng = np.random.default_rng(seed)
    bound = layer.bind(
        parameters.by_name,
        parameters.gradients,
        X,
        training=TrainingContext(rng) if training else None,
        needs_dX=needs_dX,
    )
    return bound, parameters
