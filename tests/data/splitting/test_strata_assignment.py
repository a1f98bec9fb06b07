from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.splitting.strata import Strata, assign_groups, assign_rows, time_blocks

CODES = st.lists(st.integers(0, 5), min_size=1, max_size=60).map(lambda codes: np.array(codes, np.int64))
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=60)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(1, 100), st.integers(2, 12), st.integers(0, 99))
def test_rows_are_spread_evenly(n: int, folds: int, seed: int) -> None:
    sizes = np.bincount(assign_rows(Strata(n), folds, rng(seed)), minlength=folds)
    assert sizes.sum() == n
    assert sizes.max() - sizes.min() <= 1


@given(CODES, st.integers(2, 7), st.integers(0, 99))
def test_every_class_and_all_rows_are_spread_evenly_and_an_only_row_is_kept(
    classes: np.ndarray[tuple[int], np.dtype[np.int64]], folds: int, seed: int
) -> None:
    fold = assign_rows(Strata(len(classes), classes=classes), folds, rng(seed))
    for k in np.unique(classes):
        of_k = fold[classes == k]
        if len(of_k) == 1:
            assert of_k.tolist() == [-1]
        else:
            sizes = np.bincount(of_k, minlength=folds)
            assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(fold[fold >= 0], minlength=folds)
    assert sizes.max() - sizes.min() <= 1


@given(PAIRS, st.integers(2, 5), st.integers(0, 99))
def test_a_group_is_in_one_bin_and_each_class_in_two_or_in_what_is_always_trained_on(
    pairs: list[tuple[int, int]], folds: int, seed: int
) -> None:
    classes, groups = np.array(pairs).T
    bins = assign_groups(Strata(len(pairs), classes, groups), np.full(folds, 1 / folds), rng(seed))
    assert all(len(set(bins[groups == g])) == 1 for g in groups)
    assert all(len(set(bins[classes == k])) > 1 or set(bins[classes == k]) == {-1} for k in classes)


@given(st.lists(st.integers(1, 9), min_size=10, max_size=40), st.integers(2, 5), st.integers(0, 99))
def test_bins_of_groups_differ_by_no_more_than_the_largest_group(sizes: list[int], folds: int, seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.bincount(assign_groups(Strata(len(groups), groups=groups), np.full(folds, 1 / folds), rng(seed)))
    assert rows.max() - rows.min() <= max(sizes)


def test_groups_are_dealt_so_that_classes_are_spread_too() -> None:
    groups = np.repeat(np.arange(40), 5)
    classes = np.repeat(np.arange(40) % 4 == 0, 5).astype(np.int64)  # a quarter of the groups
    bins = assign_groups(Strata(200, classes, groups), np.full(5, 0.2), rng())
    assert np.bincount(bins).tolist() == [40] * 5
    assert np.bincount(bins[classes == 1]).tolist() == [10] * 5


def test_a_small_share_gets_the_smallest_group_rather_than_nothing() -> None:
    groups = np.repeat([0, 1, 2], [50, 40, 3])
    bins = assign_groups(Strata(93, groups=groups), np.array([0.99, 0.01]), rng(), first=-1)
    assert set(groups[bins == 0]) == {2}


@pytest.mark.slow
def test_a_hundred_thousand_groups_and_ten_thousand_classes_take_no_time() -> None:
    start = time.process_time()
    groups, classes = np.arange(200_000) // 2, np.arange(200_000) % 10_000
    bins = assign_groups(Strata(200_000, classes, groups), np.full(5, 0.2), rng())
    assert set(bins) == set(range(5))
    assert time.process_time() - start < 20.0


@given(CODES, st.integers(1, 6))
def test_blocks_follow_each_other_in_time_and_none_is_empty(
    times: np.ndarray[tuple[int], np.dtype[np.int64]], folds: int
) -> None:
    n = len(times)
    blocks = time_blocks(Strata(n, times=times), n * np.arange(1, folds + 1) / (folds + 1))
    if len(set(times)) <= folds:
        assert blocks is None
    else:
        assert blocks is not None
        assert set(blocks) == set(range(folds + 1))
        assert (np.diff(blocks[np.argsort(times)]) >= 0).all()
        assert all(len(set(blocks[times == t])) == 1 for t in times)


def test_blocks_of_rows_at_different_times_are_even() -> None:
    blocks = time_blocks(Strata(100, times=rng().permutation(100)), np.array([25, 50, 75]))
    assert blocks is not None
    assert np.bincount(blocks).tolist() == [25] * 4
