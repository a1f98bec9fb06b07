"""Layers one at a time: numbers worked by hand, dropout's statistics, and how a layer is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nncli.nn.arrays import BoundLayer
from nncli.nn.layers.base import LayerBase, TrainingContext
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.dropout import Dropout
from nncli.nn.layers.normalization import BatchNorm
from nncli.nn.parameters import Parameters, ParamGroup, ParamLayout


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


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_rate_and_scales_the_rest(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((400, 100)))
    bound.forward()
    kept = bound.Y != 0.0
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=2e-4)  # as the rate is met within 2^-16
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=4.0 * (rate * (1.0 - rate) / 40_000) ** 0.5)
    assert float(bound.Y.mean()) == pytest.approx(1.0, abs=0.07)  # prediction needs no correction


def test_dropout_masks_the_gradient_as_the_value() -> None:
    bound, _ = bind(Dropout(rate=0.4), np.full((20, 10), 3.0))
    bound.forward()
    np.testing.assert_allclose(bound.backward(np.full((20, 10), 3.0)), bound.Y)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.0, False), (0.5, False)])
def test_dropout_that_is_off_is_the_identity_and_draws_nothing(rate: float, training: bool) -> None:
    X = np.random.default_rng(0).normal(size=(4, 3))
    rng = np.random.default_rng(1)
    before = rng.bit_generator.state
    bound = Dropout(rate=rate).bind({}, {}, X, training=TrainingContext(rng) if training else None, needs_dX=True)
    bound.forward()
    np.testing.assert_array_equal(bound.Y, X)
    np.testing.assert_array_equal(bound.backward(np.ones((4, 3))), 1.0)
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(("t", "rate"), [(0.0, 0.4), (0.49, 0.4), (0.75, 0.2), (1.0, 0.0)])
def test_dropout_follows_its_schedule(t: float, rate: float) -> None:
    X, progress = np.ones((400, 100)), np.zeros(())
    training = TrainingContext(np.random.default_rng(1), progress)
    bound = Dropout(rate=0.4, schedule="flat_cosine").bind({}, {}, X, training=training, needs_dX=True)
    bound.forward()
    progress.fill(t)  # as training goes on
    bound.forward()
    kept = bound.Y != 0.0
    assert float(kept.mean()) == pytest.approx(1.0 - rate, abs=0.01)
    np.testing.assert_allclose(bound.Y[kept], 1.0 / (1.0 - rate), rtol=1e-4)
    np.testing.assert_array_equal(bound.backward(np.ones((400, 100))), bound.Y)


@pytest.mark.parametrize("rate", [1e-9, 0.999999999])
def test_dropout_rates_near_0_and_1_give_finite_numbers(rate: float) -> None:
    bound, _ = bind(Dropout(rate=rate), np.ones((40, 100)))
    bound.forward()
    assert np.isfinite(bound.Y).all()


def test_dropout_in_float32_keeps_the_type() -> None:
    X = np.ones((300, 100), np.float32)
    bound, _ = bind(Dropout(rate=0.25), X)
    bound.forward()
    assert bound.Y.dtype == np.float32
    assert float((bound.Y != 0).mean()) == pytest.approx(0.75, abs=0.01)


def test_every_parameter_is_in_its_group() -> None:
    groups = {spec.name: spec.group for layer in (Dense(units=2), BatchNorm()) for spec in layer.parameters(2)}
    assert groups == {
        "weight": ParamGroup.WEIGHT,
        "bias": ParamGroup.BIAS,
        "gamma": ParamGroup.SCALE,
        "beta": ParamGroup.BIAS,
        "running_mean": ParamGroup.STATISTIC,
        "running_variance": ParamGroup.STATISTIC,
    }
