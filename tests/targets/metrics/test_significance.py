"""Two sets of predictions on the same rows: against numbers worked by hand, SciPy, and what chance has to give."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.bootstrap import MAX_ROWS
from nncli.targets.metrics.significance import (
    MAX_EXACT_UNITS,
    N_PERMUTATIONS,
    _hoeffding_bound,
    holm_correction,
    max_t_test,
    paired_test,
    sign_flip_test,
)

EIGHTHS = st.integers(-80, 80).map(lambda n: n / 8)
"""Numbers whose sums are exact."""


def flips(*sums: float) -> float:
    return sign_flip_test(np.array(sums), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("sums", "p"),
    [
        ((1.0, 2.0, 3.0), 2 / 8),  # only all of one sign come to 6
        ((1.0, 2.0, -3.0), 1.0),  # 0 is what every throw reaches
        ((3.0, -1.0), 1.0),  # 2 or 4
        ((1.0, 1.0, 1.0, -1.0), 10 / 16),  # one of four turned: 8 ways come to 2, and 2 to 4
        ((0.1, 0.2, 0.3), 2 / 8),  # though 0.1 + 0.2 + 0.3 is not 0.6
        ((0.0, 0.0), 1.0),
    ],
)
def test_few_signs_are_all_thrown(sums: tuple[float, ...], p: float) -> None:
    assert flips(*sums) == p


@pytest.mark.slow
def test_the_p_value_is_that_of_scipy() -> None:
    d = np.random.default_rng(1).normal(0.4, 1, MAX_EXACT_UNITS - 3)
    exact = scipy.stats.permutation_test((d,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert flips(*d) == pytest.approx(exact.pvalue)
    many = np.random.default_rng(2).normal(0.15, 1, 200)
    sampled = scipy.stats.permutation_test(
        (many,), np.sum, permutation_type="samples", n_resamples=N_PERMUTATIONS, rng=3
    )
    assert flips(*many) == pytest.approx(sampled.pvalue, abs=0.02)


def test_of_very_many_rows_the_test_is_as_exact() -> None:
    d = np.random.default_rng(4).normal(0.015, 1, 3 * MAX_ROWS)
    normal = 2 * scipy.stats.norm.sf(abs(d.sum()) / np.sqrt(np.square(d).sum()))
    assert 0.0001 < normal < 0.01
    assert flips(*d) == pytest.approx(normal, abs=0.005)


def test_where_there_is_nothing_to_find_little_is_found() -> None:
    rng = np.random.default_rng(5)
    result = [sign_flip_test(rng.normal(size=9), rng) for _ in range(400)]
    assert np.mean(np.array(result) <= 0.05) <= 0.08
    assert 0.4 < np.mean(result) < 0.6


@given(st.lists(EIGHTHS, min_size=1, max_size=30))
def test_the_other_way_round_is_the_same_with_another_sign(values: list[float]) -> None:
    d = np.array(values)
    one, other = paired_test(d, None, None, 7), paired_test(-d, None, None, 7)
    assert other.mean == -one.mean
    assert other.p == one.p
    assert (one.interval is None) == (other.interval is None)
    assert one.interval is not None or len(values) < 6 or len(values) > MAX_EXACT_UNITS
    if one.interval and other.interval:
        assert (other.interval.low, other.interval.high) == pytest.approx((-one.interval.high, -one.interval.low))


@given(st.lists(EIGHTHS, min_size=1, max_size=10).filter(any))
def test_the_bound_is_not_below_the_exact_p_value(values: list[float]) -> None:
    sums = np.array(values)
    assert flips(*values) <= _hoeffding_bound(sums) * (1 + 1e-12)


def test_a_clear_difference_is_below_what_random_signs_resolve() -> None:
    assert flips(*[1.0] * 200) == pytest.approx(2 * np.exp(-100))
    assert flips(*[1e200] * 200) == pytest.approx(2 * np.exp(-100))
    assert flips(*[1.0] * 12) == 2 / 2**12


def test_rows_of_a_group_are_one_piece_of_evidence() -> None:
    d = np.array([0.5, 1.0, -0.25, 0.75])
    single, repeated = (
        paired_test(d, None, None, 0),
        paired_test(np.repeat(d, 10), None, np.repeat([3, 1, 8, 5], 10), 0),
    )
    assert repeated.units == single.units == 4
    assert repeated.mean == single.mean
    assert repeated.p == single.p == 4 / 16


def test_rows_count_with_their_weight() -> None:
    d, weight = np.array([1.0, -1.0, 0.5]), np.array([3.0, 1.0, 0.0])
    result = paired_test(d, weight, None, 0)
    assert result.mean == 0.5
    assert result.p == 1.0  # 3 - 1 is less than any throw of 3 and 1 gives


def test_a_mean_lies_within_its_interval() -> None:
    d = np.random.default_rng(6).normal(1, 1, 400)
    interval = paired_test(d, None, None, 0).interval
    assert interval
    expected = scipy.stats.t.interval(0.95, 399, d.mean(), scipy.stats.sem(d))
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.02)


@pytest.mark.slow
@given(
    st.lists(st.tuples(EIGHTHS, st.integers(0, 3)), min_size=1, max_size=40).filter(
        lambda rows: any(w for _, w in rows)
    ),
    st.sampled_from([0.05, 0.05 / 3, 0.2, 0.0001]),
)
def test_the_interval_excludes_0_where_the_test_rejects_it(rows: list[tuple[float, int]], level: float) -> None:
    d, weight = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    found = paired_test(d, weight, None, 3, (level, level))
    if found.interval is None:
        assert found.p >= level or len(rows) > MAX_EXACT_UNITS
    else:
        assert found.interval.low <= found.mean <= found.interval.high
        assert (found.interval.low > 0 or found.interval.high < 0) == (found.p < level)


def test_a_p_value_below_those_of_random_signs_has_an_interval_as_narrow() -> None:
    d = np.random.default_rng(1).normal(1, 0.5, 400)
    interval = paired_test(d, None, None, 0, (1e-6, 1e-6)).interval
    assert interval
    assert 0 < interval.low < d.mean() < interval.high
    assert paired_test(d - interval.low, None, None, 0).p == pytest.approx(1e-6)


def test_an_interval_of_five_units_has_no_limits() -> None:
    assert paired_test(np.arange(1.0, 6.0), None, None, 0).interval is None
    assert paired_test(np.arange(1.0, 7.0), None, None, 0).interval


def test_holms_adjustment_by_hand() -> None:
    assert holm_correction([0.01, 0.04, 0.03], 3) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_correction([0.01, 0.02], 6) == pytest.approx([0.06, 0.1])
    assert holm_correction([0.9], 4) == [1.0]
    assert holm_correction([], 0) == []


def segments_of(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Membership (rows, 3 * columns) in three values of each column."""
    values = rng.integers(0, 3, (rows, columns))
    return np.concatenate([values == k for k in range(3)], axis=1).astype(np.float64)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["errors of classes", "heavy tails"])
def test_segments_of_noise_stand_out_in_one_draw_of_twenty(kind: str) -> None:
    rng, result = np.random.default_rng(6), 0
    for seed in range(200):
        members = segments_of(rng, 60, 6)
        values = (rng.random(60) < 0.1).astype(np.float64) if kind == "errors of classes" else rng.pareto(2.0, 60)
        result += int(max_t_test(values, members, seed).min() <= 0.05)
    assert result <= 0.09 * 200


def test_a_segment_with_larger_values_stands_out_alone() -> None:
    rng = np.random.default_rng(7)
    members = segments_of(rng, 300, 5)
    p = max_t_test(rng.normal(0, 1, 300) + 0.8 * members[:, 2], members, 0)
    assert p[2] == 0.001
    assert np.delete(p, 2).min() > 0.05


def test_a_segment_with_smaller_values_does_not_stand_out() -> None:
    rng = np.random.default_rng(8)
    members = segments_of(rng, 300, 1)
    assert max_t_test(rng.normal(0, 1, 300) - 2.0 * members[:, 0], members, 0)[0] > 0.5


def test_equal_values_and_a_segment_of_all_units_have_no_small_p_value() -> None:
    members = np.stack([np.ones(20), np.arange(20) < 5], axis=1).astype(np.float64)
    assert max_t_test(np.full(20, 0.3), members, 0).tolist() == [1.0, 1.0]
    assert max_t_test(np.arange(20.0), members, 0)[0] == 1.0
    assert max_t_test(np.append(np.zeros(19), np.inf), members, 0).tolist() == [1.0, 1.0]


def test_the_scale_of_the_values_changes_nothing() -> None:
    members = segments_of(np.random.default_rng(9), 50, 3)
    values = np.random.default_rng(10).normal(size=50) ** 2
    assert max_t_test(values, members, 0).tolist() == max_t_test(values * 2.0**900, members, 0).tolist()
