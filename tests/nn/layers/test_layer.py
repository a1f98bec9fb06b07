"""The interface of a layer: its defaults, and the groups of its parameters."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.layers import Layer
from nncli.nn.layers.dense import Dense
from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.parameters import ParamGroup
from tests.unions import members, tag


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


def test_only_batch_norm_mixes_rows() -> None:
    assert BatchNorm().mixes_rows
    assert not any(layer.mixes_rows for layer in (Dense(units=2), LayerNorm()))


@pytest.mark.parametrize("cls", members(Layer), ids=tag)
def test_every_layer_implements_the_interface(cls: type[LayerBase]) -> None:
    assert issubclass(cls, LayerBase)
    assert cls.lower is not LayerBase.lower
    assert cls.bind is not LayerBase.bind


def test_a_layer_without_dense_layers_inside_ignores_defaults_and_auto_units() -> None:
    layer = LayerNorm()
    assert layer.with_defaults({"init": "he"}) is layer
    assert layer.with_auto_units(64) is layer
    assert not layer.needs_data_init


def test_initialization_from_data_returns_the_output_of_the_layer() -> None:
    X = np.array([[1.0, 3.0], [2.0, 2.0]])
    p = {"gamma": np.ones(2), "beta": np.full(2, 5.0)}
    Y = LayerNorm().init_from_data(p, X, np.random.default_rng(0))
    np.testing.assert_allclose(Y, [[4.0, 6.0], [5.0, 5.0]], atol=1e-4)


def test_training_starts_at_progress_zero() -> None:
    context = TrainingContext(np.random.default_rng(0))
    assert context.progress.shape == ()
    assert context.progress == 0.0
