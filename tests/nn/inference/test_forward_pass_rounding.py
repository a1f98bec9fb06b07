"""The bounds of the errors in float32 hold, and are not useless."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.activations import Identity, Mish, Relu
from nncli.nn.inference.folding import stages_of
from nncli.nn.inference.forward_pass import SLOPES, RoundedStage, has_bound, spectral_norm
from nncli.nn.network import Network


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (64, 20), (200, 256)])
def test_the_spectral_norm_is_bounded_closely(shape: tuple[int, int]) -> None:
    for W in (np.random.default_rng(0).normal(size=shape), np.ones(shape), np.eye(*shape) * 1e-8):
        exact = float(np.linalg.norm(W, 2))
        assert exact <= spectral_norm(W) <= 1.07 * exact


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.0), (np.inf, np.inf)])
def test_the_spectral_norm_of_zeros_and_of_infinities(value: float, expected: float) -> None:
    with np.errstate(invalid="ignore"):
        assert not spectral_norm(np.full((3, 2), value)) < expected


@pytest.mark.parametrize("activation", [Identity(), Relu(), Mish()], ids=lambda a: a.type)
def test_slopes_lie_within_their_limits(activation: Identity | Relu | Mish) -> None:
    Z = np.linspace(-30.0, 30.0, 600_001)
    Y, forward, _ = activation.bind(Z)
    forward()
    slopes = np.diff(Y) / np.diff(Z)
    lowest, highest = SLOPES[type(activation)]
    assert lowest <= slopes.min() + 1e-9
    assert slopes.max() - 1e-9 <= highest
    assert slopes.min() - lowest < 1e-3
    assert highest - slopes.max() < 1e-3


def test_strengths_count_in_the_gain() -> None:
    W = np.hstack([np.eye(2), np.zeros((2, 1))])
    gain = RoundedStage.of(Relu(), W, np.array([[1.0], [3.0]])).gain
    assert gain == pytest.approx(2.0, rel=0.02)  # the slope below 0 is 1 - 3


def test_only_some_activations_have_a_bound() -> None:
    def bounded(activation: str) -> bool:
        layer = {"type": "dense", "units": 3, "activation": activation}
        stages = stages_of(Network.model_validate({"n_features": 2, "layers": [layer], "n_outputs": 1}))
        return stages is not None and has_bound(stages)

    assert bounded("mish")
    assert bounded("relu")
    assert not bounded("tanh")
