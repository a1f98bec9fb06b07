"""The k-th smallest of shift + score, found without the matrix of all sums."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics import sorted_scores
from nncli.targets.metrics.sorted_scores import SortedScores


@given(
    seed=st.integers(0, 10_000),
    groups=st.integers(1, 7),
    n=st.integers(1, 80),
    decimals=st.integers(0, 4),
    magnitude=st.integers(-3, 18),
)
def test_the_value_is_that_of_the_matrix_to_the_bit(
    seed: int, groups: int, n: int, decimals: int, magnitude: int
) -> None:
    rng = np.random.default_rng(seed)
    scores, group = np.abs(rng.normal(size=n)).round(decimals), rng.integers(0, groups, n)
    shifts = rng.normal(size=(groups, 9)).round(decimals) * 10.0**magnitude
    sums, sorted_scores = np.sort(shifts[group].T + scores, axis=1), SortedScores.of(scores, group, groups)
    for k in {1, n // 2 + 1, int(rng.integers(1, n + 1)), n}:
        assert sorted_scores.smallest(shifts, k).tolist() == sums[:, k - 1].tolist()
    counted = [[(scores[group == g] >= t).sum() for t in shifts[g]] for g in range(groups)]
    assert sorted_scores.at_least(shifts).tolist() == np.sum(counted, axis=0).tolist()


@pytest.mark.slow
@given(seed=st.integers(0, 10_000), groups=st.integers(1, 5), n=st.integers(1, 400), decimals=st.integers(0, 4))
def test_scaled_scores_are_those_of_the_matrix_to_the_bit(seed: int, groups: int, n: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    scores, group = np.abs(rng.normal(size=n)).round(decimals), rng.integers(0, groups, n)
    shifts, scales = rng.normal(size=(groups, 9)).round(decimals), np.exp(3.0 * rng.normal(size=(groups, 9)))
    sums, sorted_scores = (
        np.sort(shifts[group].T + scales[group].T * scores, axis=1),
        SortedScores.of(scores, group, groups),
    )
    for k in {1, n // 2 + 1, int(rng.integers(1, n + 1)), n}:
        assert sorted_scores.smallest(shifts, k, scales).tolist() == sums[:, k - 1].tolist()


def test_sums_that_are_equal_by_rounding_are_found() -> None:
    scores, shifts = np.linspace(0.0, 1.0, 500), np.array([[1e16, 0.0], [1e16 + 2.0, 1e-300]])
    group = np.arange(500) % 2
    sums, sorted_scores = np.sort(shifts[group].T + scores, axis=1), SortedScores.of(scores, group, 2)
    assert [sorted_scores.smallest(shifts, k).tolist() for k in (1, 77, 250, 500)] == [
        sums[:, k - 1].tolist() for k in (1, 77, 250, 500)
    ]


def test_many_equal_scores_are_one_step() -> None:
    scores, group = np.repeat([0.0, 1.0, 2.0], 30_000), np.arange(90_000) % 3
    shifts = np.random.default_rng(0).normal(size=(3, 20))
    sums = np.sort(shifts[group].T + scores, axis=1)
    assert SortedScores.of(scores, group, 3).smallest(shifts, 45_000).tolist() == sums[:, 44_999].tolist()


def test_a_score_that_is_not_finite_counts_as_infinite() -> None:
    sorted_scores = SortedScores.of(np.array([1.0, np.nan, np.inf, 2.0]), np.zeros(4, np.int64), 1)
    assert (sorted_scores.n, sorted_scores.finite) == (4, 2)
    assert [sorted_scores.smallest(np.zeros((1, 1)), k).item() for k in (1, 2, 3, 4)] == [1.0, 2.0, np.inf, np.inf]


def test_the_bounds_of_a_prediction_that_is_not_finite_are_unknown() -> None:
    sorted_scores = SortedScores.of(np.array([1.0, 2.0]), np.array([0, 1]), 2)
    result = sorted_scores.smallest(np.array([[np.nan, np.inf, 0.0], [0.0, 0.0, 0.0]]), 1)
    assert np.isnan(result[:2]).all()
    assert result[2] == 1.0


def test_a_row_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores, shifts = SortedScores.of(rng.normal(size=500), rng.integers(0, 3, 500), 3), rng.normal(size=(3, 50))
    together = scores.smallest(shifts, 450)
    monkeypatch.setattr(sorted_scores, "BLOCK_VALUES", 21)
    assert scores.smallest(shifts, 450).tolist() == together.tolist()
    assert [scores.smallest(shifts[:, i : i + 1], 450).item() for i in range(50)] == together.tolist()


def test_memory_does_not_grow_with_the_product_of_scores_and_rows() -> None:
    rng = np.random.default_rng(0)
    sorted_scores, shifts = (
        SortedScores.of(rng.normal(size=50_000), rng.integers(0, 7, 50_000), 7),
        rng.normal(size=(7, 20_000)),
    )
    tracemalloc.start()
    sorted_scores.smallest(shifts, 45_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # the matrix has 8 GB
