"""The activation layer is its activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.activations import Sigmoid
from nncli.nn.arrays import BoundLayer
from nncli.nn.layers.activation import ActivationLayer
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.parameters import Parameters, ParamLayout


def bind(
    layer: LayerBase, X: Any, *, seed: int = 0, training: bool = True, needs_dX: bool = True
) -> tuple[BoundLayer, Parameters]:
    """The layer alone, with fresh parameters, tied to a copy of X."""
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


def test_an_activation_layer_is_its_activation() -> None:
    X = np.array([[-2.0, 0.5]])
    bound, parameters = bind(ActivationLayer(activation=Sigmoid()), X)
    bound.forward()
    np.testing.assert_allclose(bound.Y, 1.0 / (1.0 + np.exp(-X)), rtol=1e-14)
    assert parameters.theta.size == 0
