"""Losses of numbers, worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nncli.nn.losses import HuberLoss, LossBase, MAELoss, MSELoss, PoissonLoss, QuantileLoss


def value_and_slope(loss: LossBase, Z: Any, y: Any, w: Any = None, dtype: Any = np.float64) -> tuple[float, Any]:
    Z = np.array(Z, dtype)
    y = np.array(y, np.int64 if loss.task == "classification" else dtype)
    bound = loss.bind(Z, y, None if w is None else np.array(w, dtype))
    return bound.forward(), bound.backward().copy()


def test_mse_by_hand() -> None:
    # d = (1, -2; 0, 3): squares 1 4 0 9, mean 14 / 4; the derivative is 2 d / 4
    value, dZ = value_and_slope(MSELoss(), [[2.0, 0.0], [1.0, 4.0]], [[1.0, 2.0], [1.0, 1.0]])
    assert value == 3.5
    np.testing.assert_array_equal(dZ, [[0.5, -1.0], [0.0, 1.5]])


def test_mse_with_weights_by_hand() -> None:
    # the rows' sums of squares are 5 and 9; weights 0.5 and 1.5: (2.5 + 13.5) / 4
    value, dZ = value_and_slope(MSELoss(), [[2.0, 0.0], [1.0, 4.0]], [[1.0, 2.0], [1.0, 1.0]], [0.5, 1.5])
    assert value == 4.0
    np.testing.assert_array_equal(dZ, [[0.25, -0.5], [0.0, 2.25]])


def test_mae_by_hand() -> None:
    # |d| = 1 2 0: mean 1; the derivative is sign(d) / 3
    value, dZ = value_and_slope(MAELoss(), [[2.0], [0.0], [1.0]], [[1.0], [2.0], [1.0]])
    assert value == 1.0
    np.testing.assert_allclose(dZ, [[1 / 3], [-1 / 3], [0.0]])


def test_huber_by_hand() -> None:
    # delta 2: d = 1 gives 1/2, d = -2 gives 2, d = 5 gives 2 (5 - 1) = 8; the derivatives are d clipped
    value, dZ = value_and_slope(HuberLoss(delta=2.0), [[1.0], [-2.0], [5.0]], [[0.0], [0.0], [0.0]])
    assert value == pytest.approx(10.5 / 3)
    np.testing.assert_allclose(dZ, [[1 / 3], [-2 / 3], [2 / 3]])


def test_quantile_by_hand() -> None:
    # q = 0.9: two too low costs 0.9 · 2, one too high costs 0.1 · 1
    value, dZ = value_and_slope(QuantileLoss(q=0.9), [[1.0], [4.0]], [[3.0], [3.0]])
    assert value == pytest.approx(1.9 / 2)
    np.testing.assert_allclose(dZ, [[-0.45], [0.05]])


def test_poisson_by_hand() -> None:
    # e⁰ - 3 · 0 = 1 and e^log 2 - 1 · log 2 = 2 - log 2; the derivative is (eᶻ - y) / 2
    value, dZ = value_and_slope(PoissonLoss(), [[0.0], [math.log(2.0)]], [[3.0], [1.0]])
    assert value == pytest.approx((3.0 - math.log(2.0)) / 2)
    np.testing.assert_allclose(dZ, [[-1.0], [0.5]])


def test_huber_per_row_applies_delta_in_standard_deviations() -> None:
    # delta 1 · scale 4: d = 7 gives 4 (7 - 2), d = 2 gives 2
    values = HuberLoss(delta=1.0).per_row(np.array([[8.0], [3.0]]), np.array([[1.0], [1.0]]), scale=np.array([4.0]))
    assert values == pytest.approx([20.0, 2.0])


@pytest.mark.parametrize("loss", [MSELoss(), MAELoss(), HuberLoss(), QuantileLoss()])
def test_the_inverse_link_of_regression_losses_is_a_copy(loss: LossBase) -> None:
    Z = np.array([[1.5], [-2.0]])
    result = loss.inverse_link(Z)
    np.testing.assert_array_equal(result, Z)
    assert not np.shares_memory(result, Z)


def test_poisson_predicts_the_expected_count() -> None:
    np.testing.assert_allclose(PoissonLoss().inverse_link(np.array([[0.0], [math.log(7.0)]])), [[1.0], [7.0]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "low", "high"),
    [
        (MSELoss(), 3.2, 3.2),
        (MAELoss(), 2.0, 2.0),
        (QuantileLoss(q=0.5), 2.0, 2.0),
        (QuantileLoss(q=0.85), 9.0, 9.0),
        (PoissonLoss(), math.log(3.2), math.log(3.2)),
    ],
)
def test_the_best_constant_prediction_is_the_documented_one(loss: LossBase, low: float, high: float) -> None:
    y = np.array([[0.0], [1.0], [2.0], [4.0], [9.0]])
    grid = np.arange(0.0, 10.0, 0.001)
    values = [value_and_slope(loss, np.full_like(y, c), y)[0] for c in grid]
    assert low - 2e-3 <= grid[int(np.argmin(values))] <= high + 2e-3
