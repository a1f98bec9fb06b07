"""Coverage of intervals and sets, checked by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.coverage import (
    Groups,
    IntervalScores,
    bound_scores,
    interval_score,
    interval_scores,
    set_scores,
    thirds,
)

LEVEL = 0.8


def test_the_interval_score_is_the_width_and_a_penalty_for_the_distance() -> None:
    y = np.array([1.0, 5.0, -1.0, 2.0])
    lower, upper = np.zeros(4), np.array([2.0, 4.0, 3.0, 2.0])
    # 2 / 0.2 = 10 times the distances 0, 1, 1 and 0
    assert interval_score(y, lower, upper, LEVEL).tolist() == pytest.approx([2.0, 14.0, 13.0, 2.0])


def test_the_expected_interval_score_is_lowest_for_the_quantiles() -> None:
    y = np.random.default_rng(0).normal(size=20_000)
    low, high = np.quantile(y, [0.1, 0.9])

    def score(shift: float, stretch: float) -> float:
        lower, upper = low * stretch + shift, high * stretch + shift
        return float(interval_score(y, np.full_like(y, lower), np.full_like(y, upper), LEVEL).mean())

    best = score(0.0, 1.0)
    assert all(best < score(*other) for other in [(0.3, 1.0), (-0.3, 1.0), (0.0, 1.3), (0.0, 0.7)])


def intervals() -> IntervalScores:
    """Ten intervals around 0, five of half-width 1 and five of half-width 2, of which six cover their targets."""
    y = np.array([0.0, 0.5, 1.0, 1.5, 3.0, 0.0, 1.5, 2.0, -3.0, 4.0])
    half = np.array([1.0] * 5 + [2.0] * 5)
    groups = Groups(np.array([0, 0, 0, 0, 2, 2, 2, 2, 2, 2]), ("a", "b", "c"))
    return interval_scores(y, -half, half, LEVEL, groups=groups)


def test_coverage_width_and_score_of_intervals_by_hand() -> None:
    scores = intervals()
    assert (scores.coverage.rows, scores.coverage.share, scores.coverage.size) == (10, 0.6, 3.0)
    assert (scores.median_width, scores.below, scores.above) == (3.0, 0.1, 0.3)
    # distances 0.5 + 2 + 1 + 2 = 5.5, ten times that over ten rows, and the mean width
    assert scores.score == pytest.approx(8.5)


def test_the_confidence_interval_is_that_of_wilson() -> None:
    interval = intervals().coverage.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.31267, 0.83182), abs=1e-5)  # Brown, Cai, DasGupta 2001


@pytest.mark.parametrize("rows", [3, 28, 29, 1_000])
def test_the_confidence_interval_of_all_or_no_rows_ends_at_their_share(rows: int) -> None:
    y, ones = np.zeros(rows), np.ones(rows)
    inside, outside = (interval_scores(y, lower, 2 * ones, LEVEL).coverage.interval for lower in (-ones, ones))
    assert inside is not None
    assert outside is not None
    assert (inside.high, outside.low) == (1.0, 0.0)


def test_coverage_by_groups_leaves_out_a_group_without_rows() -> None:
    parts = intervals().by_group
    assert [(part.name, part.rows, part.share) for part in parts] == [("a", 4, 0.75), ("c", 6, 0.5)]
    assert [part.size for part in parts] == pytest.approx([2.0, 22 / 6])


def test_coverage_by_thirds_of_the_width() -> None:
    width = np.array([3.0, 1.0, 2.0, 6.0, 5.0, 4.0])
    y = np.array([0.0, 9.0, 0.0, 9.0, 9.0, 0.0])
    parts = interval_scores(y, -width / 2, width / 2, LEVEL).by_width
    assert [(part.rows, part.share, part.size) for part in parts] == [(2, 0.5, 1.5), (2, 1.0, 3.5), (2, 0.0, 5.5)]


def test_widths_that_differ_by_rounding_have_no_thirds() -> None:
    center = np.random.default_rng(0).normal(size=100)
    assert thirds((center + 0.7) - (center - 0.7)) is None
    assert thirds(np.zeros(3)) is None


def test_a_target_on_a_bound_is_covered() -> None:
    scores = interval_scores(np.array([1.0, 2.0]), np.ones(2), np.full(2, 2.0), LEVEL)
    assert (scores.coverage.share, scores.below, scores.above) == (1.0, 0.0, 0.0)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    y, lower, upper = np.array([0.0, 3.0, 0.5]), np.full(3, -1.0), np.array([1.0, 1.0, 2.0])
    twice = np.array([0, 1, 1, 2])
    weighted = interval_scores(y, lower, upper, LEVEL, np.array([1.0, 2.0, 1.0]))
    repeated = interval_scores(y[twice], lower[twice], upper[twice], LEVEL)
    assert (weighted.coverage.share, weighted.coverage.size) == (repeated.coverage.share, repeated.coverage.size)
    assert weighted.score == pytest.approx(repeated.score)


@given(st.integers(2, 12), st.integers(0, 999))
def test_weights_count_as_rows_in_the_median_width_and_the_thirds(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, width, weight = rng.normal(size=rows), rng.integers(1, 9, rows).astype(float), rng.integers(1, 4, rows)
    again = np.repeat(np.arange(rows), weight)
    weighted = interval_scores(y, -width / 2, width / 2, LEVEL, weight.astype(float))
    repeated = interval_scores(y[again], -width[again] / 2, width[again] / 2, LEVEL)
    assert weighted.median_width == repeated.median_width
    assert [part.name for part in weighted.by_width] == [part.name for part in repeated.by_width]
    shares = [[(part.share, part.size) for part in item.by_width] for item in (weighted, repeated)]
    assert np.array(shares[0]) == pytest.approx(np.array(shares[1]))


def test_bounds_that_are_no_numbers_exclude_nothing() -> None:
    y, lower, upper = np.array([0.0, 5.0, 5.0]), np.array([np.nan, np.nan, -1.0]), np.array([np.nan, 1.0, 1.0])
    scores = interval_scores(y, lower, upper, LEVEL)
    assert (scores.coverage.share, scores.below, scores.above) == pytest.approx((1 / 3, 0.0, 2 / 3))
    assert scores.coverage.size == scores.score == scores.median_width == np.inf


def test_rows_of_a_group_that_vary_together_widen_the_confidence_interval() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(40), 25)
    y = np.repeat(rng.normal(size=40), 25)

    def width(clusters: np.ndarray | None) -> float:
        bound = np.full(1_000, 1.28)
        interval = interval_scores(y, -bound, bound, LEVEL, cluster=clusters).coverage.interval
        assert interval is not None
        return interval.high - interval.low

    assert width(cluster) == pytest.approx(5.0 * width(None), rel=0.1)  # 25 equal rows are one
    assert width(np.arange(1_000)) == pytest.approx(width(None), rel=0.02)
    assert interval_scores(y, y, y, LEVEL, cluster=np.zeros(1_000, np.int64)).coverage.interval is None


def test_coverage_and_sizes_of_sets_by_hand() -> None:
    y = np.array([0, 1, 2, 0, 1])
    S = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0], [1, 1, 1]], bool)
    scores = set_scores(y, S, LEVEL, ("a", "b", "c"))
    assert (scores.coverage.share, scores.coverage.size, scores.empty, scores.single) == (0.6, 1.6, 0.2, 0.2)
    by_size = [(part.name, part.rows, part.share) for part in scores.by_size]
    assert by_size == [("no class", 1, 0.0), ("1 class", 1, 1.0), ("2 classes", 2, 0.5), ("3 classes", 1, 1.0)]
    assert [(part.name, part.rows, part.share) for part in scores.by_class] == [
        ("a", 2, 0.5),
        ("b", 2, 1.0),
        ("c", 1, 0),
    ]


def test_the_largest_sets_count_together() -> None:
    S = np.ones((3, 9), bool)
    S[1, 4:] = False
    (part,) = set_scores(np.zeros(3, np.int64), S, LEVEL, "abcdefghi").by_size
    assert (part.name, part.rows) == ("4 or more", 3)
    assert part.size == pytest.approx(22 / 3)


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_the_confidence_interval_holds_the_coverage_in_95_percent_of_samples(coverage: float) -> None:
    rng, hits = np.random.default_rng(1), 0
    for _ in range(400):
        y = (rng.random(200) > coverage).astype(float)
        interval = interval_scores(y, np.zeros(200), np.full(200, 0.5), LEVEL).coverage.interval
        assert isinstance(interval, ConfidenceInterval)
        hits += interval.low <= coverage <= interval.high
    assert 0.92 <= hits / 400 <= 0.985


@given(st.integers(1, 60), st.integers(0, 999), st.booleans())
def test_parts_add_up_to_all_rows(rows: int, seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    y, lower = rng.normal(size=rows), rng.normal(size=rows) - 1
    upper = lower + rng.integers(0, 4, rows)
    weight = rng.random(rows) if weighted else None
    groups = Groups(rng.integers(0, 5, rows), tuple("abcde"))
    scores = interval_scores(y, lower, upper, LEVEL, weight, groups=groups)
    assert scores.below + scores.above + scores.coverage.share == pytest.approx(1.0)
    assert scores.score >= scores.coverage.size - 1e-12
    interval = scores.coverage.interval
    assert interval is not None
    assert interval.low <= scores.coverage.share <= interval.high
    for parts in (scores.by_width, scores.by_group):
        assert not parts or sum(part.rows for part in parts) == rows
        if not weighted and parts:
            mean = sum(part.rows * part.share for part in parts) / rows
            assert mean == pytest.approx(scores.coverage.share)


def test_the_coverage_of_lower_bounds_is_between_two_shares() -> None:
    time, event = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([True, False, True, False, True])
    lower = np.array([2.0, 3.0, 3.0, 1.0, np.nan])
    scores = bound_scores(time, event, lower, 0.5, groups=Groups(np.array([0, 0, 1, 1, 1]), ("a", "b")))
    assert scores.coverage.share == pytest.approx(3 / 5)  # the time of the third is its bound
    assert scores.events == pytest.approx(1 / 5)  # the second may have its event after its bound
    assert scores.coverage.size == pytest.approx(9 / 5)
    assert scores.median_bound == 2.0
    assert [(part.name, part.share) for part in scores.by_group] == [("a", 0.0), ("b", 1.0)]
    weighted = bound_scores(time, event, lower, 0.5, np.array([3.0, 0.0, 1.0, 0.0, 0.0]))
    assert (weighted.coverage.share, weighted.events) == (0.25, 0.75)
