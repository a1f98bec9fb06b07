from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncli.targets.metrics.classification import calibration_error, log_loss
from nncli.targets.metrics.temperature_scaling import (
    MANY_CLASSES,
    MAX_TEMPERATURE,
    TemperatureFit,
    apply_temperature,
    calibrated_log_loss,
    fit_mean_temperature,
    fit_temperature,
    smoothed_log_loss,
)

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
TEMPERATURES = st.floats(1 / MAX_TEMPERATURE, MAX_TEMPERATURE)


def softmax(Z: Array) -> Array:
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return np.asarray(E / E.sum(axis=1, keepdims=True))


def drawn(n: int, K: int, sure: float, seed: int = 0) -> tuple[Array, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Probabilities that are `sure` times too sure (in their logarithms) of classes drawn from the true ones."""
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n, K)) * 2.0
    y = (rng.random((n, 1)) > softmax(Z).cumsum(axis=1)).sum(axis=1).clip(max=K - 1)
    return softmax(sure * Z), y


@pytest.mark.parametrize("K", [2, 5])
@pytest.mark.parametrize("sure", [0.5, 2.0, 4.0])
def test_how_much_too_sure_probabilities_are_is_found(K: int, sure: float) -> None:
    P, y = drawn(20_000, K, sure)
    assert fit_temperature(P, y) == pytest.approx(sure, rel=0.05)


@pytest.mark.slow
@given(st.integers(2, 4), st.floats(0.3, 5.0), st.integers(0, 99))
def test_no_temperature_of_a_grid_is_better(K: int, sure: float, seed: int) -> None:
    P, y = drawn(60, K, sure, seed)
    weight = np.random.default_rng(seed).integers(0, 3, 60).astype(np.float64)
    assume(weight.any())
    least = smoothed_log_loss(y, apply_temperature(P, fit_temperature(P, y, weight)), weight)
    grid = [
        smoothed_log_loss(y, apply_temperature(P, T), weight)
        for T in np.geomspace(1 / MAX_TEMPERATURE, MAX_TEMPERATURE, 60)
    ]
    assert least <= min(*grid, smoothed_log_loss(y, P, weight)) + 1e-9
    assert calibrated_log_loss(y, P, weight) == least


@pytest.mark.parametrize("seed", range(3))
def test_the_temperature_of_a_mean_is_the_best_of_a_grid_and_below_that_of_its_parts(seed: int) -> None:
    """Two networks that are too sure by their own errors: their mean is less sure."""
    rng = np.random.default_rng(seed)
    Z = 2.0 * rng.normal(size=(800, 3))
    y = np.array([rng.choice(3, p=p) for p in softmax(Z)])
    parts = [softmax(2.0 * Z + 3.0 * rng.normal(size=Z.shape)) for _ in range(2)]

    def loss(T: float) -> float:
        return smoothed_log_loss(y, np.mean([apply_temperature(P, T) for P in parts], axis=0))

    T = fit_mean_temperature(parts, y)
    assert loss(T) <= min(loss(other) for other in np.geomspace(0.1, 10.0, 200)) + 1e-6
    alone = fit_temperature(np.concatenate(parts), np.concatenate([y, y]))
    assert alone > T
    assert fit_mean_temperature(parts[:1], y) == pytest.approx(fit_temperature(parts[0], y), rel=2e-3)


@pytest.mark.parametrize("sure", [0.01, 0.5, 3.0, 40.0])
def test_the_temperature_of_many_classes_is_as_good_and_found_in_fewer_steps(
    sure: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    P, y = drawn(200, MANY_CLASSES, sure)
    result = calibrated_log_loss(y, P)
    monkeypatch.setattr("nncli.targets.metrics.temperature_scaling.TOLERANCE_OF_MANY", 1e-10)
    assert result == pytest.approx(calibrated_log_loss(y, P), rel=1e-5)
    monkeypatch.undo()
    monkeypatch.setattr("nncli.targets.metrics.temperature_scaling.MAX_STEPS", 20)
    assert calibrated_log_loss(y, P) == result


@given(TEMPERATURES, st.integers(0, 99))
def test_probabilities_stay_probabilities_and_the_largest_the_largest(T: float, seed: int) -> None:
    P, _ = drawn(20, 3, 1.0, seed)
    Q = apply_temperature(P, T)
    assert np.allclose(Q.sum(axis=1), 1.0)
    assert (np.take_along_axis(Q, P.argmax(axis=1)[:, None], 1)[:, 0] == Q.max(axis=1)).all()
    if T > 1.0:  # below, what is close to 0 may be lost
        assert np.allclose(apply_temperature(Q, 1 / T), P, atol=1e-6)


def test_a_temperature_of_1_changes_nothing_and_a_certainty_stays_one() -> None:
    P = np.array([[0.0, 1.0], [0.3, 0.7]])
    assert np.array_equal(apply_temperature(P, 1.0), P)
    assert apply_temperature(P, 2.0)[0].tolist() == pytest.approx([0.0, 1.0], abs=1e-18)
    assert np.array_equal(P, [[0.0, 1.0], [0.3, 0.7]])


def test_a_row_of_weight_2_counts_as_two() -> None:
    P, y = drawn(50, 3, 3.0)
    twice, weight = np.arange(50) % 4 == 0, np.where(np.arange(50) % 4 == 0, 2.0, 1.0)
    doubled = fit_temperature(np.concatenate([P, P[twice]]), np.concatenate([y, y[twice]]))
    assert fit_temperature(P, y, weight) == pytest.approx(doubled, rel=0.05)  # smoothed by the rows, 50 or 63


def test_rows_that_are_all_wrong_lead_to_the_end() -> None:
    P = np.array([[0.4, 0.6], [0.3, 0.7], [0.45, 0.55]])
    assert fit_temperature(P, np.array([0, 0, 0])) == pytest.approx(MAX_TEMPERATURE, rel=1e-6)


@pytest.mark.parametrize("n", [3, 30, 300])
def test_rows_that_are_all_right_are_taken_for_as_sure_as_so_many_rows_can_make_one(n: int) -> None:
    P, y = np.tile([0.4, 0.6], (n, 1)), np.ones(n, np.int64)
    sure = apply_temperature(P, fit_temperature(P, y))[0, 1]
    assert sure == pytest.approx((n + 0.5) / (n + 1))  # with one more row, half of which is of either class
    assert smoothed_log_loss(y, P) == pytest.approx(-((n + 0.5) * np.log(0.6) + 0.5 * np.log(0.4)) / (n + 1))


def test_what_gains_nothing_is_left_alone() -> None:
    assert fit_temperature(np.full((4, 2), 0.5), np.array([0, 1, 0, 1])) == 1.0
    P = np.tile([0.125, 0.875], (3, 1))
    assert fit_temperature(P, np.array([1, 1, 1])) == pytest.approx(1.0)  # as sure as three rows can make one


def test_a_calibration_tells_both_scores_before_and_after() -> None:
    P, y = drawn(5_000, 3, 3.0)
    T = fit_temperature(P, y)
    result = TemperatureFit.of(T, y, P, apply_temperature(P, T), None)
    assert result.log_loss_before == log_loss(y, P) > result.log_loss_after
    assert result.calibration_error_before == calibration_error(y, P) > 3 * result.calibration_error_after
