"""Compiled losses give the values and derivatives of NumPy's, and let no NaN or infinity vanish.

They are held to 1e-5 of their value, since their sums are in another order: the loops' in float64, NumPy's in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.losses import CrossEntropyLoss, MSELoss, QuantileLoss, QuantilesLoss
from tests.nn.training.compiled.support import BEYOND, NONE, Vector, array, close, compiling, numbers

pytest.importorskip("numba")
pytest.importorskip("scipy")

from nncli.nn.training.compiled import kernels as losses


@pytest.fixture(autouse=True)
def quiet() -> Any:
    """As in a training, where values that overflow are met as such."""
    with np.errstate(all="ignore"):
        yield


PARTS = pytest.mark.parametrize("part", [False, True], ids=["whole", "part"])
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["alike", "weighted"])
LOSSES = [
    pytest.param(MSELoss(), 1, id="mse-1"),
    pytest.param(MSELoss(), 3, id="mse-3"),
    pytest.param(QuantileLoss(q=0.75), 3, id="quantile-3"),
    pytest.param(QuantilesLoss(levels=(0.125, 0.5, 0.75)), 3, id="quantiles-3"),
    pytest.param(QuantilesLoss(levels=(0.5, 0.75)), 4, id="quantiles-4"),
    *(
        pytest.param(CrossEntropyLoss(label_smoothing=s), k, id=f"{name}-{s}")
        for name, k in (("logistic", 1), ("softmax-2", 2), ("softmax-9", 9))
        for s in (0.0, 0.1)
    ),
]


def both(loss: Any, Z: Vector, y: npt.NDArray[Any], w: Vector, batch: int) -> tuple[float, Vector, float, Vector]:
    """The value and the gradient that the kernel finds, and those of NumPy."""
    k, dZ, w = Z.shape[1], np.full_like(Z, 7.0), w.astype(np.float32)
    if isinstance(loss, MSELoss):
        value = losses.mse(Z, y, w, dZ, batch)
    elif isinstance(loss, QuantileLoss | QuantilesLoss):
        levels = (loss.q,) if isinstance(loss, QuantileLoss) else loss.levels
        value = losses.pinball(Z, y, np.array([levels], np.float32), w, dZ, batch)
    else:
        T = loss.targets(k, np.dtype(np.float32))
        value = (losses.logistic if k == 1 else losses.softmax)(Z, y, T, w, dZ, batch)
    head = loss.bind(Z, y, w if len(w) else None, batch=batch)
    expected = head.forward()
    return value, dZ, expected, head.backward()


def targets_of(loss: Any, rows: int, k: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    if loss.task == "regression":
        return rng.normal(size=(rows, k // max(1, len(loss.quantile_levels)))).astype(np.float32)
    return rng.integers(0, max(2, k), rows)


@PARTS
@WEIGHTED
@pytest.mark.parametrize(("loss", "k"), LOSSES)
@pytest.mark.parametrize("spread", [1e-20, 1.0, 30.0, 1e4, 1e15])
def test_a_loss_and_its_gradient_are_those_of_numpy(
    loss: Any, k: int, weighted: bool, part: bool, spread: float
) -> None:
    rng, rows = np.random.default_rng(1), 33
    Z = (spread * rng.normal(size=(rows, k))).astype(np.float32)
    w = rng.uniform(0.0, 2.0, rows).astype(np.float32) if weighted else NONE
    batch = 100 if part else rows
    value, dZ, expected, expected_dZ = both(loss, Z, targets_of(loss, rows, k, rng), w, batch)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    if isinstance(loss, MSELoss):
        close(dZ, expected_dZ)
    else:  # p - t: to a few units of a p near 1
        np.testing.assert_allclose(dZ, expected_dZ, rtol=1e-6, atol=2e-6 / batch)


@pytest.mark.parametrize("away", [20.0, 40.0, 86.0, 88.0, 1e4])
@pytest.mark.parametrize("k", [1, 3])
def test_rows_that_are_learned_well_have_slopes_that_are_never_subnormal(k: int, away: float) -> None:
    Z = np.full((4, k), -away, np.float32)
    Z[:, 1:] = Z[:, :-1] - 1.0
    Z[:, 0] += away * (k > 1)
    _, dZ, _, expected = both(CrossEntropyLoss(), Z, np.zeros(4, np.int64), NONE, 4)
    assert ((dZ == 0.0) | (np.abs(dZ) > 1e-20)).all()
    np.testing.assert_allclose(dZ, expected, rtol=0.0, atol=1e-8)


@pytest.mark.slow
@compiling
@given(values=st.lists(numbers.filter(lambda z: abs(z) < 1e15), min_size=6, max_size=6), codes=st.integers(0, 5))
@pytest.mark.parametrize(("loss", "k"), LOSSES)
def test_a_loss_of_any_numbers_is_that_of_numpy(loss: Any, k: int, values: list[float], codes: int) -> None:
    Z = array((values * k)[: 6 * k], 6, k)
    targets = k // max(1, len(loss.quantile_levels))
    y = (
        array((values[::-1] * k)[: 6 * targets], 6, targets)
        if loss.task == "regression"
        else (np.arange(6) + codes) % max(2, k)
    )
    value, dZ, expected, expected_dZ = both(loss, Z, y, NONE, 6)
    assert value == pytest.approx(expected, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(dZ, expected_dZ, rtol=1e-6, atol=1e-6)


@WEIGHTED
@pytest.mark.parametrize("bad", BEYOND)
@pytest.mark.parametrize(("loss", "k"), LOSSES)
@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_number_that_is_not_finite_reaches_the_loss(loss: Any, k: int, bad: float, weighted: bool, at: int) -> None:
    rng = np.random.default_rng(2)
    for column in range(k):
        Z = rng.normal(size=(7, k)).astype(np.float32)
        Z[at, column] = bad
        w = np.full(7, 0.5, np.float32) if weighted else NONE
        value, dZ, expected, _ = both(loss, Z, targets_of(loss, 7, k, rng), w, 7)
        assert not math.isfinite(value)
        assert math.isnan(value) == math.isnan(expected)
        if math.isnan(bad):
            assert math.isnan(value)
            assert isinstance(loss, QuantileLoss | QuantilesLoss) or np.isnan(
                dZ[at, column]
            )  # its slopes are constants


@pytest.mark.parametrize(("loss", "k"), LOSSES)
def test_a_weight_or_a_target_that_is_not_finite_reaches_the_loss(loss: Any, k: int) -> None:
    rng = np.random.default_rng(3)
    Z, w = rng.normal(size=(7, k)).astype(np.float32), np.ones(7, np.float32)
    w[3] = np.nan
    assert math.isnan(both(loss, Z, targets_of(loss, 7, k, rng), w, 7)[0])
    if loss.task == "regression":
        y = targets_of(loss, 7, k, rng)
        y[3, -1] = np.nan
        assert math.isnan(both(loss, Z, y, NONE, 7)[0])


def test_squares_that_overflow_are_infinite() -> None:
    value, _, expected, _ = both(MSELoss(), array([1e30, 0.0], 2, 1), array([0.0, 0.0], 2, 1), NONE, 2)
    assert value == expected == math.inf
