"""Tests of nncli/targets/metrics/selection.py: by hand, and by simulation where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from nncli.targets.metrics.bootstrap import BootstrapResampler
from nncli.targets.metrics.selection import (
    Gains,
    gains_of_choices,
    gains_of_means,
    max_sign_flip_test,
    resampling_units,
)
from nncli.targets.metrics.significance import sign_flip_test


def _gains(rng: np.random.Generator, means: list[float], n: int) -> Gains:
    """Gains of the reference and of candidates that share half of their variance with it."""
    shared, noise = rng.standard_normal(n), rng.standard_normal((len(means), n))
    gains = (shared + noise) / np.sqrt(2.0) + np.array(means)[:, None]
    return np.vstack([np.zeros(n), gains]).astype(np.float32)


def test_the_choice_of_each_resample_is_scored_by_the_other_rows() -> None:
    chosen_by = np.array([[3.0, 1.0, 2.0], [3.0, np.nan, 2.0], [1.0, 1.0, 1.0]])
    scored_by = np.array([[3.0, 2.5, 9.0], [3.0, 9.0, 4.0], [5.0, 9.0, 9.0]])
    assert gains_of_choices(chosen_by, scored_by).tolist() == [0.5, -1.0, 0.0]


def test_the_gain_of_a_candidate_that_is_better_by_the_same_on_every_row_is_that() -> None:
    gains = np.array([[0.0] * 6, [0.25] * 6, [-1.0] * 6], np.float32)
    samples = gains_of_means(gains, np.ones(6), np.ones(6), seed=0)
    assert np.allclose(samples[np.isfinite(samples)], 0.25)
    rooted = gains_of_means(gains, np.ones(6), np.ones(6), seed=0, link=np.sqrt)
    assert np.allclose(rooted[np.isfinite(rooted)], 1.0 - np.sqrt(0.75))


def test_means_of_weighted_rows_are_those_of_repeated_rows() -> None:
    rng = np.random.default_rng(3)
    gains, weight = _gains(rng, [0.1, 0.2], 50), rng.integers(1, 4, 50).astype(np.float64)
    once = gains_of_means(gains, np.zeros(50), np.ones(50), 1)
    double = gains_of_means(2 * gains, np.zeros(50), np.full(50, 2.0), 1)
    weighted = gains_of_means((gains * weight).astype(np.float32), np.zeros(50), weight, 1)
    assert np.allclose(once, double)
    assert not np.allclose(once, weighted)


def test_adjusted_p_values_of_three_rows_are_counted_by_hand() -> None:
    """Of the 8 patterns of signs 2 give a sum of 3 to one of (1, 1, 1) and (1, 1, -1), and 6 a sum of at least 1."""
    p = max_sign_flip_test(np.array([[0, 0, 0], [1, 1, 1], [1, 1, -1]], np.float32), seed=0)
    assert p.tolist() == [1.0, 0.25, 0.75]


def test_one_candidate_has_half_the_two_sided_p_value() -> None:
    gains = _gains(np.random.default_rng(1), [0.25], 80)
    two_sided = sign_flip_test(gains[1].astype(np.float64), np.random.default_rng(0))
    assert max_sign_flip_test(gains, 0)[1] == pytest.approx(two_sided / 2, abs=0.01)


def test_a_candidate_that_is_repeated_keeps_its_p_value_and_others_raise_it() -> None:
    gains = _gains(np.random.default_rng(1), [0.25] + [0.0] * 30, 80)
    alone, repeated = max_sign_flip_test(gains[:2], 0), max_sign_flip_test(gains[[0, 1, 1, 1, 1]], 0)
    assert alone[1] == repeated[1]
    assert max_sign_flip_test(gains, 0)[1] > 2 * alone[1]


@pytest.mark.slow
def test_without_an_effect_small_p_values_are_as_rare_as_they_say() -> None:
    rng = np.random.default_rng(5)
    smallest = np.array([max_sign_flip_test(_gains(rng, [0.0] * 20, 40), seed)[1:].min() for seed in range(150)])
    for level in (0.1, 0.5):
        spread = np.sqrt(level * (1 - level) / len(smallest))
        assert abs(np.mean(smallest <= level) - level) < 3 * spread


def test_a_real_gain_is_found_among_many() -> None:
    gains = _gains(np.random.default_rng(2), [0.0] * 100 + [0.5], 300)
    p = max_sign_flip_test(gains, 0)
    assert p[-1] < 1e-4
    assert p[:-1].min() > 0.001


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "n", "bias"), [([0.0] * 30, 100, 0.15), ([0.0] * 29 + [0.4], 100, 0.0), ([0.2] * 5, 200, 0.03)]
)
def test_the_interval_covers_the_gain_of_the_chosen_candidate_on_new_rows(
    means: list[float], n: int, bias: float
) -> None:
    """`bias` is that of the gain on the rows that chose the candidate, at least."""
    rng, covered, apparent, corrected = np.random.default_rng(4), 0, [], []
    for seed in range(60):
        gains = _gains(rng, means, n)
        best = int(gains.sum(axis=1).argmax())
        true = [0.0, *means][best]
        samples = gains_of_means(gains, np.zeros(n), np.ones(n), seed)
        estimate = float(np.nanmean(samples))
        interval = BootstrapResampler.of(n, seed).interval(samples, estimate)
        assert interval is not None
        covered += interval.low <= true <= interval.high
        apparent.append(float(gains[best].mean()) - true)
        corrected.append(estimate - true)
    assert covered >= 55
    assert np.mean(apparent) > bias
    assert abs(np.mean(corrected)) < 0.045  # three standard errors


def test_rows_beyond_the_limit_are_merged_and_none_is_left_out() -> None:
    unit = resampling_units(1_000, None, seed=0, max_units=30)
    assert np.bincount(unit).tolist() == [34] * 10 + [33] * 20


def test_rows_of_a_group_are_in_the_same_unit() -> None:
    groups: NDArray[np.int64] = np.arange(100) // 2
    for limit in (100, 7):
        unit = resampling_units(100, groups, 0, limit)
        assert (unit[::2] == unit[1::2]).all()
        assert len(np.unique(unit)) == min(limit, 50)


@pytest.mark.slow
def test_merged_rows_give_the_same_p_value_and_the_same_spread() -> None:
    gains = _gains(np.random.default_rng(8), [0.05], 4_000)
    unit = resampling_units(4_000, None, 0, 400)
    merged = np.array([np.bincount(unit, row) for row in gains], np.float32)
    assert max_sign_flip_test(merged, 0)[1] == pytest.approx(max_sign_flip_test(gains, 0)[1], rel=0.5)
    few = gains_of_means(merged, np.zeros(400), np.full(400, 10.0), 0)
    many = gains_of_means(gains, np.zeros(4_000), np.ones(4_000), 0)
    assert few.mean() == pytest.approx(many.mean(), abs=0.01)
    assert few.std() == pytest.approx(many.std(), rel=0.2)
