"""Activations in place give the values of training."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.activations import ElementwiseActivation
from nncli.nn.inference.forward_pass import bind_activation
from tests.unions import members, tag

EXTREMES = (-1e3, -88.0, -20.0, -1e-30, -0.0, 0.0, 1e-30, 20.0, 88.0, 1e3)


@pytest.mark.parametrize("parametric", [False, True])
@pytest.mark.parametrize("activation", [pytest.param(cls(), id=tag(cls)) for cls in members(ElementwiseActivation)])
def test_the_values_are_those_of_training(activation: ElementwiseActivation, parametric: bool) -> None:
    Z = np.concatenate([np.array(EXTREMES), np.random.default_rng(0).normal(size=54)]).reshape(4, 16)
    Y, forward, _ = activation.bind(Z)
    forward()
    strengths = np.array([[1.0], [0.3], [0.0], [-2.0]]) if parametric else None
    expected = Z + (1.0 if strengths is None else strengths) * (Y - Z)
    buffer = np.empty_like(Z)
    activate = bind_activation(activation, buffer, parametric=parametric)
    for _ in range(2):
        np.copyto(buffer, Z)
        activate(strengths)
        np.testing.assert_allclose(buffer, expected, rtol=1e-12, atol=1e-12)
