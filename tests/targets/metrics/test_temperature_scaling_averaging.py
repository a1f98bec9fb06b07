"""The gain of averaging, measured on rows that several members held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.temperature_scaling import MIN_FACTOR, classification_factor, regression_factor

ROWS, MEMBERS = 4_000, 8


def counts_of(share: float, rng: np.random.Generator) -> np.ndarray:
    """One member for most rows, two for a share of them."""
    return 1 + (rng.random(ROWS) < share).astype(np.int64)


def test_the_squared_error_of_a_mean_of_independent_members_is_found() -> None:
    rng = np.random.default_rng(0)
    error, spread, counts = 2.0, 1.0, counts_of(0.2, rng)
    members = rng.normal(0.0, spread, (MEMBERS, ROWS, 1))
    y = rng.normal(0.0, error, (ROWS, 1))
    first, second = members[0], members[1]
    total = first + np.where(counts[:, None] == 2, second, 0.0)
    squares = first**2 + np.where(counts[:, None] == 2, second**2, 0.0)
    mse = np.mean((total / counts[:, None] - y) ** 2, axis=0)
    (factor,) = regression_factor(total, squares, counts, mse, MEMBERS)
    ensemble = float(np.mean((members.mean(axis=0) - y) ** 2))
    assert mse[0] * factor == pytest.approx(ensemble, rel=0.03)
    assert mse[0] > 1.1 * ensemble


def test_the_log_loss_of_a_mean_of_calibrated_members_is_found() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0.0, 1.5, (ROWS, 1)) + rng.normal(0.0, 0.7, (MEMBERS, ROWS, 1))
    P = 1 / (1 + np.exp(-np.concatenate([logits, -logits], axis=2)))
    y = (rng.random(ROWS) > P.mean(axis=0)[:, 0]).astype(int)
    counts, i = counts_of(0.2, rng), np.arange(ROWS)
    both = counts[:, None] == 2
    total = P[0] + np.where(both, P[1], 0.0)
    logarithms = np.log(P[0]) + np.where(both, np.log(P[1]), 0.0)
    out_of_fold = -np.log((total / counts[:, None])[i, y]).mean()
    ensemble = -np.log(P.mean(axis=0)[i, y]).mean()
    factor = classification_factor(total, logarithms, counts, MEMBERS)
    assert out_of_fold * factor == pytest.approx(ensemble, rel=0.03)
    assert out_of_fold > 1.04 * ensemble


def test_without_a_row_of_two_members_nothing_is_known() -> None:
    ones, counts = np.ones((3, 1)), np.ones(3, np.int64)
    assert regression_factor(ones, ones, counts, np.ones(1), 3).tolist() == [1.0]
    assert classification_factor(np.full((3, 2), 0.5), np.log(np.full((3, 2), 0.5)), counts, 3) == 1.0


@given(st.integers(2, 20), st.integers(0, 99), st.floats(0.0, 10.0))
def test_the_factor_is_between_its_limits(rows: int, seed: int, mse: float) -> None:
    rng = np.random.default_rng(seed)
    members, counts = rng.normal(size=(3, rows, 1)), rng.integers(1, 4, rows)
    used = np.arange(3)[:, None] < counts
    total, squares = (np.where(used[..., None], values, 0.0).sum(axis=0) for values in (members, members**2))
    (factor,) = regression_factor(total, squares, counts, np.array([mse]), 3)
    assert MIN_FACTOR <= factor <= 1.0
    P = rng.dirichlet([0.2, 0.2], (3, rows))
    total, logs = (np.where(used[..., None], values, 0.0).sum(axis=0) for values in (P, np.log(np.maximum(P, 1e-30))))
    assert MIN_FACTOR <= classification_factor(total, logs, counts, 3) <= 1.0
