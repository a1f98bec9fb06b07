"""Batch and layer normalisation: by hand, by their rules, and on one row or one unit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.nn.layers.layer import LayerBase, TrainingContext
from nncli.nn.layers.normalization import BatchNorm, LayerNorm
from nncli.nn.parameters import ParamLayout
from tests.nn.layers.support import bind


def test_batch_norm_is_worked_by_hand() -> None:
    # columns (1, 3) and (10, 30): means 2 and 20, variances 1 and 100, epsilon 3 and so sqrt(4) = 2 and sqrt(103)
    X = np.array([[1.0, 10.0], [3.0, 30.0]])
    bound, parameters = bind(BatchNorm(epsilon=3.0, momentum=0.25), X)
    parameters.by_name["gamma"][...] = [4.0, 1.0]
    parameters.by_name["beta"][...] = [0.5, 0.0]
    bound.forward()
    a = 10.0 / np.sqrt(103.0)
    np.testing.assert_allclose(bound.Y, [[4.0 * -0.5 + 0.5, -a], [4.0 * 0.5 + 0.5, a]])
    # running ← 0.75 · running + 0.25 · batch, from 0 and 1; the variance of n - 1 is 2 and 200
    np.testing.assert_allclose(parameters.by_name["running_mean"], [0.5, 5.0])
    np.testing.assert_allclose(parameters.by_name["running_variance"], [0.75 + 0.5, 0.75 + 50.0])


@given(rows=st.integers(2, 9), units=st.integers(1, 5), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_batch_norm_gives_every_unit_mean_0_and_variance_1(rows: int, units: int, seed: int) -> None:
    X = np.random.default_rng(seed).normal(5.0, 3.0, (rows, units))
    bound, _ = bind(BatchNorm(epsilon=1e-12), X)
    bound.forward()
    np.testing.assert_allclose(bound.Y.mean(axis=0), 0.0, atol=1e-9)
    spread = X.var(axis=0)  # of two rows that happen to be close, little more than epsilon
    np.testing.assert_allclose(bound.Y.var(axis=0), spread / (spread + 1e-12), rtol=1e-6)


@given(rows=st.integers(1, 9), units=st.integers(2, 5), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_layer_norm_gives_every_row_mean_0_and_variance_1(rows: int, units: int, seed: int) -> None:
    X = np.random.default_rng(seed).normal(5.0, 3.0, (rows, units))
    bound, _ = bind(LayerNorm(epsilon=1e-12), X)
    bound.forward()
    np.testing.assert_allclose(bound.Y.mean(axis=1), 0.0, atol=1e-9)
    spread = X.var(axis=1)  # of two units that happen to be close, little more than epsilon
    np.testing.assert_allclose(bound.Y.var(axis=1), spread / (spread + 1e-12), rtol=1e-6)


def test_layer_norm_is_worked_by_hand() -> None:
    # row (1, 3): mean 2, variance 1, epsilon 3, so H = (-1/2, 1/2)
    bound, parameters = bind(LayerNorm(epsilon=3.0), np.array([[1.0, 3.0]]))
    parameters.by_name["gamma"][...] = [2.0, 6.0]
    parameters.by_name["beta"][...] = [0.0, 1.0]
    bound.forward()
    np.testing.assert_allclose(bound.Y, [[-1.0, 4.0]])


def test_running_statistics_converge_to_those_of_the_data() -> None:
    X = np.random.default_rng(0).normal([2.0, -1.0], [0.5, 3.0], (64, 2))
    bound, parameters = bind(BatchNorm(momentum=0.1), X)
    for _ in range(300):
        bound.forward()
    np.testing.assert_allclose(parameters.by_name["running_mean"], X.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(parameters.by_name["running_variance"], X.var(axis=0, ddof=1), rtol=1e-9)


def test_prediction_uses_the_running_statistics_row_by_row_and_leaves_them_alone() -> None:
    X = np.array([[1.0, 4.0]])
    bound, parameters = bind(BatchNorm(epsilon=1.0), X, training=False)
    parameters.by_name["running_mean"][...] = [3.0, 4.0]
    parameters.by_name["running_variance"][...] = [3.0, 8.0]
    before = parameters.statistics.copy()
    bound.forward()
    np.testing.assert_allclose(bound.Y, [[-1.0, 0.0]])  # (1 - 3) / sqrt(3 + 1), 0
    np.testing.assert_array_equal(parameters.statistics, before)


def test_backward_in_prediction_treats_the_statistics_as_constants() -> None:
    bound, parameters = bind(BatchNorm(epsilon=1.0), np.array([[1.0], [2.0]]), training=False)
    parameters.by_name["running_variance"][...] = 3.0
    parameters.by_name["gamma"][...] = 5.0
    bound.forward()
    np.testing.assert_allclose(bound.backward(np.array([[1.0], [2.0]])), [[2.5], [5.0]])  # dY · gamma / sqrt(4)


def test_a_batch_of_one_row_yields_beta_and_leaves_the_statistics_alone() -> None:
    bound, parameters = bind(BatchNorm(), np.array([[7.0, -3.0]]))
    parameters.by_name["beta"][...] = [0.25, 0.5]
    before = parameters.statistics.copy()
    bound.forward()
    np.testing.assert_array_equal(bound.Y, [[0.25, 0.5]])
    np.testing.assert_array_equal(parameters.statistics, before)
    np.testing.assert_array_equal(bound.backward(np.array([[1.0, 2.0]])), 0.0)
    np.testing.assert_array_equal(parameters.gradients["beta"], [1.0, 2.0])
    np.testing.assert_array_equal(parameters.gradients["gamma"], 0.0)


def test_layer_norm_of_one_unit_yields_beta() -> None:
    bound, parameters = bind(LayerNorm(), np.array([[7.0], [-3.0]]))
    parameters.by_name["beta"][...] = 0.25
    bound.forward()
    np.testing.assert_array_equal(bound.Y, 0.25)
    np.testing.assert_array_equal(bound.backward(np.ones((2, 1))), 0.0)


@pytest.mark.parametrize("layer", [BatchNorm(), LayerNorm()])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_a_constant_input_stays_finite(layer: LayerBase, dtype: Any, size: float) -> None:
    X = np.full((6, 3), size, dtype)
    rng = np.random.default_rng(0)
    precision: Any = np.dtype(dtype).name
    parameters = ParamLayout(layer.parameters(3)).initialize(rng, precision)
    bound = layer.bind(parameters.by_name, parameters.gradients, X, training=TrainingContext(rng), needs_dX=True)
    bound.forward()
    np.testing.assert_allclose(bound.Y, 0.0, atol=1e-3)
    assert np.isfinite(bound.backward(np.ones((6, 3), dtype))).all()


@given(scale=st.floats(0.5, 20.0), shift=st.floats(-50.0, 50.0))
@settings(max_examples=30, deadline=None)
def test_layer_norm_ignores_the_scale_and_the_shift_of_a_row(scale: float, shift: float) -> None:
    X = np.random.default_rng(0).normal(0.0, 3.0, (4, 6))
    Y = []
    for values in (X, X * scale + shift):
        bound, _ = bind(LayerNorm(epsilon=1e-12), values)
        bound.forward()
        Y.append(bound.Y.copy())
    np.testing.assert_allclose(Y[0], Y[1], atol=1e-9)


@pytest.mark.parametrize("wrong", [{"momentum": 0.0}, {"momentum": 1.1}, {"epsilon": 0.0}, {"momentum": "0.1"}])
def test_wrong_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        BatchNorm.model_validate(wrong)
