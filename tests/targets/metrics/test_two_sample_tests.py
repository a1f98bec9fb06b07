"""Statistics of drift: hand-worked numbers, and SciPy as a second implementation."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from nncli.targets.metrics.two_sample_tests import (
    chi_square_p,
    chi_square_tail,
    expected_index,
    jensen_shannon_distance,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p,
    population_stability_index,
    proportion_p,
)

COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=8).filter(
    lambda pairs: all(sum(column) > 0 for column in zip(*pairs, strict=True))
)


def counts(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_the_stability_index_by_hand() -> None:
    # Shares 0.25, 0.75 and 0.75, 0.25: (0.5) ln 3 - (-0.5) ln 3. A half is added to each count.
    result = population_stability_index(counts(250, 750), counts(750, 250))
    p, q = 250.5 / 1001, 750.5 / 1001
    assert result == pytest.approx((q - p) * log(q / p) + (p - q) * log(p / q))
    assert result == pytest.approx(log(3.0), rel=3e-3)


def test_an_empty_bin_has_a_finite_stability_index() -> None:
    assert 0.0 < population_stability_index(counts(100, 0), counts(99, 1)) < 0.1


def test_the_expected_stability_index_is_the_mean_without_drift() -> None:
    rng = np.random.default_rng(0)
    drawn = [(rng.multinomial(5_000, [0.1] * 10), rng.multinomial(400, [0.1] * 10)) for _ in range(400)]
    mean = np.mean([population_stability_index(m, n) for m, n in drawn])
    assert mean == pytest.approx(expected_index(10, 5_000, 400), rel=0.08)


def test_kolmogorov_smirnov_by_hand() -> None:
    # Distribution functions 0.5, 0.75, 1 and 0.1, 0.5, 1.
    assert kolmogorov_smirnov(counts(2, 1, 1), counts(1, 4, 5)) == pytest.approx(0.4)


def test_kolmogorov_smirnov_equals_that_of_scipy_where_bins_separate_all_values() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 12, 300), rng.integers(1, 12, 200)
    result = kolmogorov_smirnov(np.bincount(a, minlength=12), np.bincount(b, minlength=12))
    assert result == pytest.approx(scipy.stats.ks_2samp(a, b).statistic)


@pytest.mark.parametrize(("m", "n", "distance"), [(1_000, 500, 0.1), (10_000, 100, 0.12), (150, 150, 0.16)])
def test_p_values_of_kolmogorov_smirnov_are_those_of_scipy(m: int, n: int, distance: float) -> None:
    expected = scipy.stats.kstwo.sf(distance, round(m * n / (m + n)))
    assert kolmogorov_smirnov_p(distance, m, n) == pytest.approx(expected, rel=0.05)


def test_no_distance_has_the_p_value_1() -> None:
    assert kolmogorov_smirnov_p(0.0, 100, 100) == 1.0
    assert kolmogorov_smirnov_p(0.01, 100, 100) == 1.0


def test_jensen_shannon_by_hand() -> None:
    # p = (1, 0), q = (0.5, 0.5), mean (0.75, 0.25): 0.5 log2(4/3) + 0.5 (0.5 log2(2/3) + 0.5 log2(2)).
    expected = 0.5 * np.log2(4 / 3) + 0.5 * (0.5 * np.log2(2 / 3) + 0.5)
    assert jensen_shannon_distance(counts(8, 0), counts(3, 3)) == pytest.approx(sqrt(expected))
    assert jensen_shannon_distance(counts(8, 0), counts(0, 5)) == pytest.approx(1.0)


@given(COUNTS)
def test_jensen_shannon_and_chi_square_equal_those_of_scipy(pairs: list[tuple[int, int]]) -> None:
    a, b = (counts(*column) for column in zip(*pairs, strict=True))
    assert jensen_shannon_distance(a, b) == pytest.approx(jensenshannon(a, b, base=2), abs=1e-7)
    seen = np.array([a, b])[:, a + b > 0]
    if seen.shape[1] > 1:
        expected = scipy.stats.chi2_contingency(seen, correction=False)[1]
        assert chi_square_p(a, b) == pytest.approx(expected, abs=1e-12)
    else:
        assert chi_square_p(a, b) == 1.0


@given(st.floats(0.0, 300.0), st.integers(1, 60))
def test_the_tail_of_chi_square_is_that_of_scipy(x: float, degrees: int) -> None:
    assert chi_square_tail(x, degrees) == pytest.approx(scipy.stats.chi2.sf(x, degrees), abs=1e-12)


@pytest.mark.slow
@given(st.integers(1, 120), st.integers(1, 120), st.data())
def test_proportions_are_compared_by_the_exact_test(m: int, n: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, m)), data.draw(st.integers(0, n))
    if min(a + b, m + n - a - b) * min(m, n) / (m + n) > 20:
        expected = scipy.stats.chi2_contingency([[a, m - a], [b, n - b]], correction=False)[1]
    else:
        exact = scipy.stats.hypergeom(m + n, a + b, n)
        expected = min(1.0, 2.0 * min(exact.sf(b - 1), exact.cdf(b)))
    assert proportion_p(a, m, b, n) == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_proportions_of_many_rows_are_compared_quickly() -> None:
    assert proportion_p(0, 10**6, 3, 10**6) == pytest.approx(0.25, rel=1e-3)
