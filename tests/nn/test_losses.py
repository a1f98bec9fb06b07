"""Losses: numbers worked by hand, a naive float64 twin of each, and the ends of the number range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from nncli.nn.losses import MAE, MSE, CrossEntropy, Hinge, Huber, Loss, LossBase, Poisson, Quantile
from tests.unions import members, tag

Matrix = NDArray[np.float64]

EVERY = [pytest.param(cls(), id=tag(cls)) for cls in members(Loss)]
CLASS_LOSSES = [pytest.param(cls(), id=tag(cls)) for cls in members(Loss) if cls.task == "classification"]


def value_and_slope(loss: LossBase, Z: Any, y: Any, w: Any = None, dtype: Any = np.float64) -> tuple[float, Any]:
    Z = np.array(Z, dtype)
    y = np.array(y, np.int64 if loss.task == "classification" else dtype)
    bound = loss.bind(Z, y, None if w is None else np.array(w, dtype))
    return bound.forward(), bound.backward().copy()


# --- by hand --------------------------------------------------------------------------------------------------------


def test_mse_by_hand() -> None:
    # d = (1, -2; 0, 3): squares 1 4 0 9, mean 14 / 4; the derivative is 2 d / 4
    value, dZ = value_and_slope(MSE(), [[2.0, 0.0], [1.0, 4.0]], [[1.0, 2.0], [1.0, 1.0]])
    assert value == 3.5
    np.testing.assert_array_equal(dZ, [[0.5, -1.0], [0.0, 1.5]])


def test_mse_with_weights_by_hand() -> None:
    # the rows' sums of squares are 5 and 9; weights 0.5 and 1.5: (2.5 + 13.5) / 4
    value, dZ = value_and_slope(MSE(), [[2.0, 0.0], [1.0, 4.0]], [[1.0, 2.0], [1.0, 1.0]], [0.5, 1.5])
    assert value == 4.0
    np.testing.assert_array_equal(dZ, [[0.25, -0.5], [0.0, 2.25]])


def test_mae_by_hand() -> None:
    # |d| = 1 2 0: mean 1; the derivative is sign(d) / 3
    value, dZ = value_and_slope(MAE(), [[2.0], [0.0], [1.0]], [[1.0], [2.0], [1.0]])
    assert value == 1.0
    np.testing.assert_allclose(dZ, [[1 / 3], [-1 / 3], [0.0]])


def test_huber_by_hand() -> None:
    # delta 2: d = 1 gives 1/2, d = -2 gives 2, d = 5 gives 2 (5 - 1) = 8; the derivatives are d clipped
    value, dZ = value_and_slope(Huber(delta=2.0), [[1.0], [-2.0], [5.0]], [[0.0], [0.0], [0.0]])
    assert value == pytest.approx(10.5 / 3)
    np.testing.assert_allclose(dZ, [[1 / 3], [-2 / 3], [2 / 3]])


def test_quantile_by_hand() -> None:
    # q = 0.9: two too low costs 0.9 · 2, one too high costs 0.1 · 1
    value, dZ = value_and_slope(Quantile(q=0.9), [[1.0], [4.0]], [[3.0], [3.0]])
    assert value == pytest.approx(1.9 / 2)
    np.testing.assert_allclose(dZ, [[-0.45], [0.05]])


def test_poisson_by_hand() -> None:
    # e⁰ - 3 · 0 = 1 and e^log 2 - 1 · log 2 = 2 - log 2; the derivative is (eᶻ - y) / 2
    value, dZ = value_and_slope(Poisson(), [[0.0], [math.log(2.0)]], [[3.0], [1.0]])
    assert value == pytest.approx((3.0 - math.log(2.0)) / 2)
    np.testing.assert_allclose(dZ, [[-1.0], [0.5]])


def test_cross_entropy_of_two_classes_by_hand() -> None:
    # p = sigmoid(0) = 1/2 and sigmoid(log 3) = 3/4: -log 1/2 for class 1, -log 1/4 for class 0
    value, dZ = value_and_slope(CrossEntropy(), [[0.0], [math.log(3.0)]], [1, 0])
    assert value == pytest.approx((math.log(2.0) + math.log(4.0)) / 2)
    np.testing.assert_allclose(dZ, [[-0.25], [0.375]])


def test_cross_entropy_of_three_classes_by_hand() -> None:
    # softmax(log 1, log 2, log 5) = 1/8 2/8 5/8; the classes are 2 and 0
    z = [0.0, math.log(2.0), math.log(5.0)]
    value, dZ = value_and_slope(CrossEntropy(), [z, z], [2, 0])
    assert value == pytest.approx((math.log(8 / 5) + math.log(8.0)) / 2)
    np.testing.assert_allclose(dZ, np.array([[1 / 8, 2 / 8, 5 / 8 - 1], [1 / 8 - 1, 2 / 8, 5 / 8]]) / 2)


def test_label_smoothing_by_hand() -> None:
    # s = 0.3, K = 3: t = 0.8 0.1 0.1 for class 0; p = 1/8 2/8 5/8
    z = [0.0, math.log(2.0), math.log(5.0)]
    value, dZ = value_and_slope(CrossEntropy(label_smoothing=0.3), [z], [0])
    assert value == pytest.approx(0.8 * math.log(8.0) + 0.1 * math.log(4.0) + 0.1 * math.log(8 / 5))
    np.testing.assert_allclose(dZ, [[1 / 8 - 0.8, 2 / 8 - 0.1, 5 / 8 - 0.1]])
    # two classes: t = 0.85 for class 1; p = 3/4
    value, dZ = value_and_slope(CrossEntropy(label_smoothing=0.3), [[math.log(3.0)]], [1])
    assert value == pytest.approx(-0.85 * math.log(0.75) - 0.15 * math.log(0.25))
    np.testing.assert_allclose(dZ, [[0.75 - 0.85]])


def test_hinge_of_two_classes_by_hand() -> None:
    # margins t z: 0.5 costs 1/2, 3 costs nothing, -1 costs 2
    value, dZ = value_and_slope(Hinge(), [[0.5], [3.0], [1.0]], [1, 1, 0])
    assert value == pytest.approx(2.5 / 3)
    np.testing.assert_allclose(dZ, [[-1 / 3], [0.0], [1 / 3]])


def test_hinge_of_three_classes_by_hand() -> None:
    # class 1 of z = (-2, 0.5, 0): t z = 2, 0.5, 0; costs 0, 0.5, 1
    value, dZ = value_and_slope(Hinge(), [[-2.0, 0.5, 0.0]], [1])
    assert value == pytest.approx(1.5 / 3)
    np.testing.assert_allclose(dZ, [[0.0, -1 / 3, 1 / 3]])


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_row_of_weight_two_is_a_row_met_twice_and_a_row_of_weight_zero_is_none(loss: LossBase, outputs: int) -> None:
    rng = np.random.default_rng(0)
    Z, y = rng.normal(size=(3, outputs)), random_targets(loss, rng, 3, outputs)
    value, dZ = value_and_slope(loss, Z, y, [2.0, 1.0, 0.0])
    twice, dtwice = value_and_slope(loss, Z[[0, 0, 1]], y[[0, 0, 1]])
    assert value == pytest.approx(twice, rel=1e-13)
    np.testing.assert_allclose(dZ, [dtwice[0] + dtwice[1], dtwice[2], np.zeros(outputs)], rtol=1e-12, atol=1e-15)


# --- against a naive twin -------------------------------------------------------------------------------------------


def _huber(z: float, y: float, delta: float) -> float:
    d = abs(z - y)
    return d * d / 2.0 if d <= delta else delta * (d - delta / 2.0)


PER_NUMBER: dict[str, Callable[[Any, float, float], float]] = {
    "mse": lambda loss, z, y: (z - y) ** 2,
    "mae": lambda loss, z, y: abs(z - y),
    "huber": lambda loss, z, y: _huber(z, y, loss.delta),
    "quantile": lambda loss, z, y: max(loss.q * (y - z), (loss.q - 1.0) * (y - z)),
    "poisson": lambda loss, z, y: math.exp(z) - y * z,
}


def naive_row(loss: Any, z: Matrix, y: Any) -> float:
    """One row's loss from its definition, in plain floats."""
    name = tag(type(loss))
    if name in PER_NUMBER:
        return math.fsum(PER_NUMBER[name](loss, float(a), float(b)) for a, b in zip(z, y, strict=True)) / len(z)
    if name == "hinge":
        signs = [1.0 if y == 1 else -1.0] if len(z) == 1 else [1.0 if y == k else -1.0 for k in range(len(z))]
        return math.fsum(max(0.0, 1.0 - t * float(a)) for t, a in zip(signs, z, strict=True)) / len(z)
    assert name == "cross_entropy"
    scores = [0.0, float(z[0])] if len(z) == 1 else [float(a) for a in z]
    K, s, log_sum = len(scores), loss.label_smoothing, math.log(math.fsum(map(math.exp, scores)))
    return -math.fsum(((1.0 - s) * (y == k) + s / K) * (scores[k] - log_sum) for k in range(K))


def random_targets(loss: LossBase, rng: np.random.Generator, rows: int, outputs: int) -> NDArray[Any]:
    if loss.task == "classification":
        return rng.integers(0, 2 if outputs == 1 else outputs, rows)
    return np.abs(rng.normal(size=(rows, outputs)))


@st.composite
def losses(draw: st.DrawFn) -> LossBase:
    settings_of: dict[str, dict[str, float]] = {
        "huber": {"delta": draw(st.floats(0.1, 5.0))},
        "quantile": {"q": draw(st.floats(0.01, 0.99))},
        "cross_entropy": {"label_smoothing": draw(st.floats(0.0, 0.99))},
    }
    cls = draw(st.sampled_from(members(Loss)))
    loss: LossBase = cls(**settings_of.get(tag(cls), {}))
    return loss


@given(
    loss=losses(), rows=st.integers(1, 9), outputs=st.integers(1, 6), seed=st.integers(0, 2**16), weighted=st.booleans()
)
@settings(max_examples=300, deadline=None)
def test_the_value_is_the_weighted_mean_of_the_definition(
    loss: LossBase, rows: int, outputs: int, seed: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(0.0, 3.0, (rows, outputs)), random_targets(loss, rng, rows, outputs)
    w = rng.uniform(0.1, 3.0, rows) if weighted else np.ones(rows)
    expected = math.fsum(float(wi) * naive_row(loss, z, yi) for wi, z, yi in zip(w, Z, y, strict=True)) / rows
    found, _ = value_and_slope(loss, Z, y, w if weighted else None)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-13)
    single, dZ = value_and_slope(loss, Z, y, w if weighted else None, np.float32)
    assert single == pytest.approx(expected, rel=3e-5, abs=3e-5)
    assert dZ.dtype == np.float32


@given(Z=st.lists(st.floats(-50.0, 50.0), min_size=1, max_size=6), seed=st.integers(0, 99), s=st.floats(0.0, 0.9))
@settings(max_examples=100, deadline=None)
def test_two_classes_on_one_output_are_the_softmax_of_zero_and_z(Z: list[float], seed: int, s: float) -> None:
    loss = CrossEntropy(label_smoothing=s)
    z = np.array(Z)[:, None]
    both = np.concatenate([np.zeros_like(z), z], axis=1)
    y = np.random.default_rng(seed).integers(0, 2, len(z))
    one, done = value_and_slope(loss, z, y)
    two, dtwo = value_and_slope(loss, both, y)
    assert one == pytest.approx(two, rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(done[:, 0], dtwo[:, 1], atol=1e-14)
    np.testing.assert_allclose(loss.inverse_link(z), loss.inverse_link(both), rtol=1e-14)


@given(shift=st.floats(-1e3, 1e3), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_cross_entropy_ignores_a_shift_of_all_logits(shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(size=(4, 3)), rng.integers(0, 3, 4)
    assert value_and_slope(CrossEntropy(), Z + shift, y)[0] == pytest.approx(
        value_and_slope(CrossEntropy(), Z, y)[0], rel=1e-10
    )


@given(loss=losses(), rows=st.integers(1, 9), outputs=st.integers(1, 6), seed=st.integers(0, 2**16))
@settings(max_examples=200, deadline=None)
def test_the_mean_of_the_losses_per_row_is_the_value(loss: LossBase, rows: int, outputs: int, seed: int) -> None:
    if isinstance(loss, Hinge | CrossEntropy):
        loss = CrossEntropy()  # every classification loss reports the log loss
    rng = np.random.default_rng(seed)
    Z, y = rng.normal(0.0, 3.0, (rows, outputs)), random_targets(loss, rng, rows, outputs)
    values = loss.per_row(loss.inverse_link(Z), y)
    assert values.shape == (rows,)
    assert values.mean() == pytest.approx(value_and_slope(loss, Z, y)[0], rel=1e-9, abs=1e-12)


def test_huber_per_row_applies_delta_in_standard_deviations() -> None:
    # delta 1 · scale 4: d = 7 gives 4 (7 - 2), d = 2 gives 2
    values = Huber(delta=1.0).per_row(np.array([[8.0], [3.0]]), np.array([[1.0], [1.0]]), scale=np.array([4.0]))
    assert values == pytest.approx([20.0, 2.0])


# --- extremes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [*CLASS_LOSSES, CrossEntropy(label_smoothing=0.1)])
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


def test_a_certain_mistake_costs_its_logit_and_a_certain_hit_nothing() -> None:
    assert value_and_slope(CrossEntropy(), [[1e4]], [0])[0] == 1e4
    assert value_and_slope(CrossEntropy(), [[1e4]], [1])[0] == 0.0
    assert value_and_slope(CrossEntropy(), [[1e4, 0.0, -1e4]], [2])[0] == 2e4


@pytest.mark.parametrize("loss", EVERY)
def test_a_nan_is_never_hidden(loss: LossBase) -> None:
    y = [0, 1] if loss.task == "classification" else [[1.0], [1.0]]
    with np.errstate(invalid="ignore"):
        value, _ = value_and_slope(loss, [[math.nan], [0.0]], y)
    assert math.isnan(value)


SMOOTH_OR_FLAT = [p for p in EVERY if p.id != "quantile"]  # the slope of the pinball loss is nowhere zero


@pytest.mark.parametrize("loss", SMOOTH_OR_FLAT)
def test_the_derivative_at_a_perfect_fit_is_zero(loss: LossBase) -> None:
    Z, y = {
        "classification": ([[1e3, -1e3, -1e3], [-1e3, 1e3, -1e3]], np.array([0, 1])),
        "regression": ([[0.0], [math.log(3.0)]], np.array([[1.0], [3.0]]) if isinstance(loss, Poisson) else None),
    }[loss.task]
    _, dZ = value_and_slope(loss, Z, Z if y is None else y)
    np.testing.assert_allclose(dZ, 0.0, atol=1e-15)


# --- what the raw output means --------------------------------------------------------------------------------------


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
    assert CrossEntropy().inverse_link(Z).tobytes() == P.tobytes()


@pytest.mark.parametrize("loss", [MSE(), MAE(), Huber(), Quantile()])
def test_numbers_are_predicted_as_they_are_and_never_share_memory(loss: LossBase) -> None:
    Z = np.array([[1.5], [-2.0]])
    found = loss.inverse_link(Z)
    np.testing.assert_array_equal(found, Z)
    assert not np.shares_memory(found, Z)


def test_poisson_predicts_the_expected_count() -> None:
    np.testing.assert_allclose(Poisson().inverse_link(np.array([[0.0], [math.log(7.0)]])), [[1.0], [7.0]])


# the best constant of a skewed sample: mean 3.2, median 2, quantile 0.9 between 4 and 9, log of the mean
@pytest.mark.parametrize(
    ("loss", "low", "high"),
    [
        (MSE(), 3.2, 3.2),
        (MAE(), 2.0, 2.0),
        (Quantile(q=0.5), 2.0, 2.0),
        (Quantile(q=0.85), 9.0, 9.0),
        (Poisson(), math.log(3.2), math.log(3.2)),
    ],
)
def test_the_best_constant_is_the_one_promised(loss: LossBase, low: float, high: float) -> None:
    y = np.array([[0.0], [1.0], [2.0], [4.0], [9.0]])
    grid = np.arange(0.0, 10.0, 0.001)
    values = [value_and_slope(loss, np.full_like(y, c), y)[0] for c in grid]
    assert low - 2e-3 <= grid[int(np.argmin(values))] <= high + 2e-3


@pytest.mark.parametrize("loss", EVERY)
def test_width_of_the_output(loss: LossBase) -> None:
    assert loss.outputs(5) == 5
    assert loss.outputs(2) == (1 if loss.task == "classification" else 2)


def test_who_wants_raw_and_who_wants_nonnegative_targets() -> None:
    raw = {tag(cls) for cls in members(Loss) if cls.needs_unscaled_targets}
    nonnegative = {tag(cls) for cls in members(Loss) if cls.nonnegative_targets}
    assert raw == nonnegative == {"poisson"}


@pytest.mark.parametrize("loss", EVERY)
def test_a_bare_name_stands_for_the_defaults(loss: LossBase) -> None:
    assert TypeAdapter(Loss).validate_python(tag(type(loss))) == loss


@pytest.mark.parametrize(
    "wrong",
    [
        "l2",
        {"type": "huber", "delta": 0.0},
        {"type": "quantile", "q": 0.0},
        {"type": "quantile", "q": 1.0},
        {"type": "cross_entropy", "label_smoothing": 1.0},
        {"type": "mse", "delta": 1.0},
    ],
)
def test_what_is_no_loss_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Loss).validate_python(wrong)


# --- the way back through the link ----------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", EVERY)
@pytest.mark.parametrize("outputs", [1, 3])
def test_the_way_back_through_the_link_is_its_derivative(loss: LossBase, outputs: int) -> None:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(4, outputs))
    P = loss.inverse_link(Z)
    dP, h = rng.normal(size=P.shape), 1e-6
    dZ = loss.inverse_link_vjp(Z, dP)
    assert dZ.shape == Z.shape
    for j in range(outputs):
        step = np.zeros(outputs)
        step[j] = h
        difference = ((loss.inverse_link(Z + step) - loss.inverse_link(Z - step)) * dP).sum(axis=1) / (2.0 * h)
        np.testing.assert_allclose(dZ[:, j], difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("away", [20.0, 90.0, 100.0, 1e4])
@pytest.mark.parametrize("k", [1, 3])
def test_rows_that_are_learned_well_have_slopes_that_are_nothing_but_never_subnormal(k: int, away: float) -> None:
    Z = np.full((4, k), -away, np.float32)
    if k > 1:
        Z[:, 0] = 0.0
    loss = CrossEntropy().bind(Z, np.zeros(4, np.int64), None)
    value, dZ = loss.forward(), np.abs(loss.backward())
    assert value == pytest.approx((k - 1 or 1) * np.exp(-away), abs=1e-7)
    assert dZ.max() <= 1e-7
    assert ((dZ == 0.0) | (dZ > 1e-20)).all()
