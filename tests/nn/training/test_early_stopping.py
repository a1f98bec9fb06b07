"""Which epoch was best, and when patience runs out: by hand, and against the definition on random values."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.nn.training.early_stopping import BestEpoch


def watched(values: list[float], *, min_delta: float = 0.0, last_on_tie: bool = False) -> BestEpoch:
    watch = BestEpoch()
    for epoch, value in enumerate(values, start=1):
        watch = watch.observe(epoch, value, min_delta=min_delta, last_on_tie=last_on_tie)
    return watch


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], BestEpoch(inf, 0, 0)),
        ([3.0], BestEpoch(3.0, 1, 0)),
        ([3.0, 2.0], BestEpoch(2.0, 2, 0)),
        ([3.0, 2.0, 2.0, 5.0], BestEpoch(2.0, 2, 2)),  # the first of equals is the best
        ([3.0, 4.0, 1.0, 2.0], BestEpoch(1.0, 3, 1)),
        ([-1.0, -2.0], BestEpoch(-2.0, 2, 0)),
        ([nan, 2.0, nan], BestEpoch(2.0, 2, 1)),
        ([nan, nan], BestEpoch(inf, 0, 2)),
        ([inf], BestEpoch(inf, 0, 1)),
    ],
)
def test_the_watch_by_hand(values: list[float], expected: BestEpoch) -> None:
    assert watched(values) == expected


def test_a_gain_of_min_delta_or_less_is_none() -> None:
    assert watched([1.0, 0.75, 0.5], min_delta=0.25) == BestEpoch(0.5, 3, 0)  # 0.75 is no gain, 0.5 is one on 1
    assert watched([1.0, 0.9, 0.8], min_delta=0.25) == BestEpoch(1.0, 1, 2)


def test_small_gains_add_up_against_the_best() -> None:
    assert watched([1.0, 0.9, 0.8, 0.7], min_delta=0.25).best_epoch == 4


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 2.0, 2.0, 5.0], BestEpoch(2.0, 3, 2)),  # a tie is the best, but nothing better
        ([2.0, 2.0, 2.0], BestEpoch(2.0, 3, 2)),
        ([2.0, 3.0, 1.0], BestEpoch(1.0, 3, 0)),
        ([inf, inf], BestEpoch(inf, 0, 2)),
        ([nan, nan], BestEpoch(inf, 0, 2)),
    ],
)
def test_the_last_of_equals_is_kept_on_demand(values: list[float], expected: BestEpoch) -> None:
    assert watched(values, last_on_tie=True) == expected


def test_a_gain_too_small_to_count_is_no_tie() -> None:
    assert watched([1.0, 0.9, 1.0], min_delta=0.25, last_on_tie=True) == BestEpoch(1.0, 3, 2)


def test_observing_changes_nothing_that_was_there() -> None:
    before = BestEpoch(1.0, 1, 0)
    before.observe(2, 0.5)
    assert before == BestEpoch(1.0, 1, 0)


@pytest.mark.parametrize(
    ("waited", "patience", "out"),
    [(0, 1, False), (1, 1, True), (4, 5, False), (5, 5, True), (9, 5, True)],
)
def test_patience_runs_out_after_exactly_so_many_epochs(waited: int, patience: int, out: bool) -> None:
    assert BestEpoch(1.0, 1, waited).should_stop(patience) is out


def test_without_patience_it_never_runs_out() -> None:
    assert not BestEpoch(1.0, 1, 10**9).should_stop(None)


@given(values=st.lists(st.floats(-10.0, 10.0, width=16), min_size=1, max_size=30))
def test_the_best_is_the_first_least_value(values: list[float]) -> None:
    watch = watched(values)
    assert watch.best == min(values)
    assert watch.best_epoch == values.index(min(values)) + 1
    assert watch.epochs_without_improvement == len(values) - watch.best_epoch
