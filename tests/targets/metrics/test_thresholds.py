"""Sums and figures at every threshold, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.targets.metrics.thresholds import ErrorCosts, Thresholds, decimal_between

rows = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0]) | st.floats(0.0, 1.0),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 1.0, 3.0]),
    ),
    min_size=1,
    max_size=12,
)


@given(rows)
def test_every_threshold_has_the_sums_of_the_rows_at_or_above_it(given: list[tuple[float, bool, float]]) -> None:
    p, positive, w = (np.array(column) for column in zip(*given, strict=True))
    thresholds = Thresholds.of(p, positive)
    counts = thresholds.counts(np.stack([w, 2 * w]))
    assert len(thresholds.levels) == len(np.unique(p))
    for i in range(len(thresholds.levels) + 1):
        predicted = p >= thresholds.value(i)
        assert counts.predicted[:, i] == pytest.approx([w @ predicted, 2 * w @ predicted])
        assert counts.hits[:, i] == pytest.approx([w @ (predicted & positive), 2 * w @ (predicted & positive)])
        assert np.array_equal(
            predicted, p >= thresholds.levels[: thresholds.position(thresholds.value(i))].min(initial=2.0)
        )
    assert counts.positives == pytest.approx([w @ positive, 2 * w @ positive])
    assert counts.total == pytest.approx([w.sum(), 2 * w.sum()])


def test_the_figures_are_those_worked_by_hand() -> None:
    # at 0.6: predicted 0.9 (positive), 0.8 (negative, weight 2), 0.6 (positive); missed: 0.2 (positive)
    p, positive = np.array([0.9, 0.8, 0.6, 0.2, 0.1]), np.array([True, False, True, True, False])
    thresholds = Thresholds.of(p, positive)
    counts = thresholds.counts(np.array([[1.0, 2.0, 1.0, 1.0, 1.0]]))
    position = np.array([thresholds.position(0.6)])
    rate, precision, recall, f1, specificity, cost = counts.at(position).figures(ErrorCosts(1.0, 20.0))[0, 0]
    assert rate == pytest.approx(4 / 6)
    assert precision == pytest.approx(2 / 4)
    assert recall == pytest.approx(2 / 3)
    assert f1 == pytest.approx(2 * 2 / (4 + 3))
    assert specificity == pytest.approx(1 / 3)
    assert cost == pytest.approx((2 * 1.0 + 1 * 20.0) / 6)
    assert np.isnan(counts.figures(None)[0, :, 5]).all()


def test_equal_probabilities_are_one_threshold() -> None:
    thresholds = Thresholds.of(np.array([0.5, 0.5, 0.5, 0.2]), np.array([True, False, True, False]))
    assert thresholds.levels.tolist() == [0.5, 0.2]
    assert thresholds.counts(np.ones((1, 4))).predicted.tolist() == [[0.0, 3.0, 4.0]]


def test_no_threshold_excludes_a_probability_of_one() -> None:
    thresholds = Thresholds.of(np.array([1.0, 0.2]), np.array([False, True]))
    assert thresholds.counts(np.ones((1, 2))).predicted.tolist() == [[1.0, 1.0, 2.0]]
    assert thresholds.value(0) == thresholds.value(1) + 0.4 == 1.0
    assert thresholds.value(2) == 0.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_decimal_lies_above_the_one_and_up_to_the_other(a: float, b: float) -> None:
    low, high = min(a, b), max(a, b)
    value = decimal_between(low, high)
    assert low < value <= high or low == high == value
