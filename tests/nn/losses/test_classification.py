"""Losses of classes, worked by hand and at extreme logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.nn.losses import CrossEntropyLoss, HingeLoss, LossBase
from tests.unions import plain_losses, tag

CLASS_LOSSES = [pytest.param(cls(), id=tag(cls)) for cls in plain_losses() if cls.task == "classification"]


def value_and_slope(loss: LossBase, Z: Any, y: Any, w: Any = None, dtype: Any = np.float64) -> tuple[float, Any]:
    Z = np.array(Z, dtype)
    y = np.array(y, np.int64 if loss.task == "classification" else dtype)
    bound = loss.bind(Z, y, None if w is None else np.array(w, dtype))
    return bound.forward(), bound.backward().copy()


def test_cross_entropy_of_two_classes_by_hand() -> None:
    # p = sigmoid(0) = 1/2 and sigmoid(log 3) = 3/4: -log 1/2 for class 1, -log 1/4 for class 0
    value, dZ = value_and_slope(CrossEntropyLoss(), [[0.0], [math.log(3.0)]], [1, 0])
    assert value == pytest.approx((math.log(2.0) + math.log(4.0)) / 2)
    np.testing.assert_allclose(dZ, [[-0.25], [0.375]])


def test_cross_entropy_of_three_classes_by_hand() -> None:
    # softmax(log 1, log 2, log 5) = 1/8 2/8 5/8; the classes are 2 and 0
    z = [0.0, math.log(2.0), math.log(5.0)]
    value, dZ = value_and_slope(CrossEntropyLoss(), [z, z], [2, 0])
    assert value == pytest.approx((math.log(8 / 5) + math.log(8.0)) / 2)
    np.testing.assert_allclose(dZ, np.array([[1 / 8, 2 / 8, 5 / 8 - 1], [1 / 8 - 1, 2 / 8, 5 / 8]]) / 2)


def test_label_smoothing_by_hand() -> None:
    # s = 0.3, K = 3: t = 0.8 0.1 0.1 for class 0; p = 1/8 2/8 5/8
    z = [0.0, math.log(2.0), math.log(5.0)]
    value, dZ = value_and_slope(CrossEntropyLoss(label_smoothing=0.3), [z], [0])
    assert value == pytest.approx(0.8 * math.log(8.0) + 0.1 * math.log(4.0) + 0.1 * math.log(8 / 5))
    np.testing.assert_allclose(dZ, [[1 / 8 - 0.8, 2 / 8 - 0.1, 5 / 8 - 0.1]])
    # two classes: t = 0.85 for class 1; p = 3/4
    value, dZ = value_and_slope(CrossEntropyLoss(label_smoothing=0.3), [[math.log(3.0)]], [1])
    assert value == pytest.approx(-0.85 * math.log(0.75) - 0.15 * math.log(0.25))
    np.testing.assert_allclose(dZ, [[0.75 - 0.85]])


def test_hinge_of_two_classes_by_hand() -> None:
    # margins t z: 0.5 costs 1/2, 3 costs nothing, -1 costs 2
    value, dZ = value_and_slope(HingeLoss(), [[0.5], [3.0], [1.0]], [1, 1, 0])
    assert value == pytest.approx(2.5 / 3)
    np.testing.assert_allclose(dZ, [[-1 / 3], [0.0], [1 / 3]])


def test_hinge_of_three_classes_by_hand() -> None:
    # class 1 of z = (-2, 0.5, 0): t z = 2, 0.5, 0; costs 0, 0.5, 1
    value, dZ = value_and_slope(HingeLoss(), [[-2.0, 0.5, 0.0]], [1])
    assert value == pytest.approx(1.5 / 3)
    np.testing.assert_allclose(dZ, [[0.0, -1 / 3, 1 / 3]])


@given(Z=st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=6), seed=st.integers(0, 99), s=st.floats(0.0, 0.9))
def test_two_classes_on_one_output_are_the_softmax_of_zero_and_z(Z: list[float], seed: int, s: float) -> None:
    loss = CrossEntropyLoss(label_smoothing=s)
    z = np.array(Z)[:, None]
    both = np.concatenate([np.zeros_like(z), z], axis=1)
    y = np.random.default_rng(seed).integers(0, 2, len(z))
    single, done = value_and_slope(loss, z, y)
    two, dtwo = value_and_slope(loss, both, y)
    assert single == pytest.approx(two, rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(done[:, 0], dtwo[:, 1], atol=1e-14)
    np.testing.assert_allclose(loss.inverse_link(z), loss.inverse_link(both), rtol=1e-14)


@given(shift=st.floats(-1e3, 1e3), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_cross_entropy_ignores_a_shift_of_all_logits(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(size=(4, 3)), rng.integers(0, 3, 4)
    assert value_and_slope(CrossEntropyLoss(), Z + shift, y)[0] == pytest.approx(
        value_and_slope(CrossEntropyLoss(), Z, y)[0], rel=1e-10
    )


@pytest.mark.parametrize("loss", [*CLASS_LOSSES, CrossEntropyLoss(label_smoothing=0.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("outputs", [1, 3])
def test_extreme_logits_give_finite_numbers_and_no_warning(loss: LossBase, dtype: Any, outputs: int) -> None:
    Z = np.array([[1e4] * outputs, [-1e4] * outputs, [1e4, -1e4, 0.0][:outputs], [-1e4, 1e4, 1e4][:outputs]])
    for y in ([0, 0, 0, 0], [1, 1, 1, 1]):
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            value, dZ = value_and_slope(loss, Z, y, dtype=dtype)
        assert math.isfinite(value)
        assert value >= 0.0
        assert np.isfinite(dZ).all()
    P = loss.inverse_link(Z.astype(dtype))
    assert np.isfinite(P).all()
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-14)


def test_a_certain_wrong_prediction_costs_its_logit_and_a_right_one_nothing() -> None:
    assert value_and_slope(CrossEntropyLoss(), [[1e4]], [0])[0] == 1e4
    assert value_and_slope(CrossEntropyLoss(), [[1e4]], [1])[0] == 0.0
    assert value_and_slope(CrossEntropyLoss(), [[1e4, 0.0, -1e4]], [2])[0] == 2e4


@pytest.mark.parametrize("loss", CLASS_LOSSES)
@given(outputs=st.integers(1, 6), seed=st.integers(0, 999), size=st.sampled_from([0.1, 1.0, 100.0, 1e4]))
@settings(max_examples=30, deadline=None)
def test_probabilities_sum_to_one_and_rank_as_the_outputs_do(
    loss: LossBase, outputs: int, seed: int, size: float
) -> None:
    Z = np.random.default_rng(seed).normal(0.0, size, (5, outputs)).astype(np.float32)
    before = Z.copy()
    P = loss.inverse_link(Z)
    assert P.dtype == np.float64
    assert P.shape == (5, max(2, outputs))
    np.testing.assert_allclose(P.sum(axis=1), 1.0, rtol=1e-14)
    best = (Z[:, 0] > 0).astype(int) if outputs == 1 else Z.argmax(axis=1)
    assert (P[np.arange(5), best] == P.max(axis=1)).all()
    np.testing.assert_array_equal(Z, before)


@pytest.mark.parametrize("rows", [1, 2, 5, 400])
@pytest.mark.parametrize("outputs", range(2, 12))
def test_the_probabilities_of_a_row_have_the_bits_of_its_own_sum(rows: int, outputs: int) -> None:
    Z = np.random.default_rng(outputs).normal(0.0, 5.0, (rows, outputs))
    exponentials = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert CrossEntropyLoss().inverse_link(Z).tobytes() == P.tobytes()


@pytest.mark.parametrize("away", [20.0, 90.0, 100.0, 1e4])
@pytest.mark.parametrize("k", [1, 3])
def test_gradients_of_well_learned_rows_are_never_subnormal(k: int, away: float) -> None:
    Z = np.full((4, k), -away, np.float32)
    if k > 1:
        Z[:, 0] = 0.0
    loss = CrossEntropyLoss().bind(Z, np.zeros(4, np.int64), None)
    value, dZ = loss.forward(), np.abs(loss.backward())
    assert value == pytest.approx((k - 1 or 1) * np.exp(-away), abs=1e-7)
    assert dZ.max() <= 1e-7
    assert ((dZ == 0.0) | (dZ > 1e-20)).all()
