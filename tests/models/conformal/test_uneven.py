"""Groups of rows whose coverage is off the level."""

from __future__ import annotations

from math import comb, fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.models.conformal.uneven import UnevenCoverage, tail, uneven_coverage
from nncli.models.held_out_rows import RowCategories
from nncli.models.predictions import Predictions
from nncli.targets.number import RegressionTarget
from tests.models.conformal.support import numbers_of

N = 600


def covered_where(*shares: tuple[slice, float]) -> np.ndarray:
    covered = np.ones((N, 1), np.bool_)
    for rows, share in shares:
        part = covered[rows]
        part[: round(len(part) * (1.0 - share))] = False
    return covered


def city_of(rows: slice) -> RowCategories:
    codes = np.ones(N, np.uint8)
    codes[rows] = 2
    return RowCategories("city", ("Bern", "Zug"), codes)


CONSTANT, NUMBERS = numbers_of(np.zeros(N)), {"y": np.zeros(N)}


def test_the_category_with_the_worst_coverage_is_named() -> None:
    rows = slice(500, 600)
    group = uneven_coverage(0.9, covered_where((slice(500), 0.94), (rows, 0.7)), NUMBERS, (city_of(rows),), None)
    assert group == UnevenCoverage(0.9, "y", "city", "Zug", 100, 0.7)


def test_the_third_of_the_predictions_with_the_worst_coverage_is_named() -> None:
    covered = covered_where((slice(200), 1.0), (slice(200, 400), 0.97), (slice(400, 600), 0.73))
    group = uneven_coverage(0.9, covered, {"y": np.arange(N, dtype=np.float64)}, (), None)
    assert group == UnevenCoverage(0.9, "y", None, "highest", 200, 0.73)


def test_rows_of_one_group_count_as_one() -> None:
    rows = slice(500, 600)
    covered, city = covered_where((slice(500), 0.94), (rows, 0.7)), (city_of(rows),)
    assert uneven_coverage(0.9, covered, NUMBERS, city, np.arange(N)) is not None
    assert uneven_coverage(0.9, covered, NUMBERS, city, np.arange(N) // 10) is None


@pytest.mark.parametrize("share", [0.86, 0.94])
def test_a_difference_of_less_than_five_points_is_not_named(share: float) -> None:
    covered, n = np.ones((100 * N, 1), np.bool_), 100 * N
    covered[: round(n * (1.0 - share))] = False
    city = RowCategories("city", ("Zug",), np.ones(n, np.uint8))
    assert uneven_coverage(0.9, covered, {"y": np.zeros(n)}, (city,), None) is None


def test_of_several_targets_the_worst_is_named() -> None:
    target = RegressionTarget(names=("a", "b"), centers=(0.0, 0.0), scales=(1.0, 1.0))
    covered = np.hstack([covered_where((slice(N), 0.8)), covered_where((slice(N), 0.6))])
    everywhere = RowCategories("city", ("Zug",), np.ones(N, np.uint8))
    group = uneven_coverage(0.9, covered, {"a": np.zeros(N), "b": np.zeros(N)}, (everywhere,), None)
    assert group is not None
    assert group.target == "b"
    assert "'b'" in group.note(Predictions(target, np.zeros((N, 2))), "out-of-fold")


def test_chance_is_rarely_named() -> None:
    named = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, 4, (9, N)).astype(np.uint8)
        categories = tuple(RowCategories(f"c{i}", ("a", "b", "c"), of_column) for i, of_column in enumerate(codes))
        covered = rng.permutation(np.arange(N) < 0.9 * N)[:, None]
        named += uneven_coverage(0.9, covered, {"y": rng.normal(size=N)}, categories, None) is not None
    assert named <= 10  # of 200: 5 %


@given(st.integers(1, 400), st.data(), st.floats(0.05, 0.95))
def test_a_tail_is_that_of_the_binomial_distribution(n: int, data: st.DataObject, level: float) -> None:
    k = data.draw(st.integers(0, n))
    beyond = range(k + 1) if k / n < level else range(k, n + 1)
    exact = fsum(comb(n, i) * level**i * (1.0 - level) ** (n - i) for i in beyond)
    bound = tail(k / n, n, level)
    assert bound >= min(1.0, exact) * (1.0 - 1e-9)
    if abs(k / n - level) > 0.05:
        assert bound <= 1.3 * exact + 1e-300


def test_the_remedies_are_those_that_the_model_has() -> None:
    city, third = (UnevenCoverage(0.9, "y", column, "Zug", 100, 0.7) for column in ("city", None))
    quantiles = Predictions(CONSTANT.target, np.zeros((1, 1, 3)), levels=(0.05, 0.5, 0.95))
    assert "--by city" in city.note(CONSTANT, "out-of-fold")
    assert "loss=quantiles" in city.note(CONSTANT, "out-of-fold")
    assert "--by" not in city.note(CONSTANT, "out-of-fold", by="town")
    assert "--by" not in third.note(CONSTANT, "out-of-fold")
    assert "loss=quantiles" in third.note(CONSTANT, "out-of-fold")
    assert "loss=quantiles" not in city.note(quantiles, "out-of-fold")
