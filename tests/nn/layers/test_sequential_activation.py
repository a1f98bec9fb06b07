"""The activation layer is its activation."""

from __future__ import annotations

import numpy as np

from nncli.nn.activations import Sigmoid
from nncli.nn.layers.sequential import ActivationLayer
from tests.nn.layers.support import bind


def test_an_activation_layer_is_its_activation() -> None:
    X = np.array([[-2.0, 0.5]])
    bound, parameters = bind(ActivationLayer(activation=Sigmoid()), X)
    bound.forward()
    np.testing.assert_allclose(bound.Y, 1.0 / (1.0 + np.exp(-X)), rtol=1e-14)
    assert parameters.theta.size == 0
