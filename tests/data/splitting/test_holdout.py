from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError, Location
from nncli.data.splitting.holdout import SINGLE_ROWS_HINT, holdout_split, stratified_split
from nncli.data.splitting.strata import Strata

FRACTIONS = st.floats(0.0, 1.0, exclude_max=True)
CLASSES = st.lists(st.integers(0, 5), min_size=1, max_size=80).map(lambda c: np.array(c, np.int64))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(1, 200), FRACTIONS, st.integers(0, 99))
def test_every_row_is_on_one_side_and_keeps_its_order(n: int, fraction: float, seed: int) -> None:
    split = stratified_split(n, fraction, rng(seed))
    assert sorted([*split.training, *split.validation]) == list(range(n))
    assert (np.diff(split.training) > 0).all()
    assert (np.diff(split.validation) > 0).all()
    assert len(split.validation) == min(round(n * fraction), n - 1)


@given(CLASSES, FRACTIONS, st.integers(0, 99))
def test_every_class_keeps_a_training_row_and_the_total_is_exact(
    classes: np.ndarray[tuple[int], np.dtype[np.int64]], fraction: float, seed: int
) -> None:
    n, present = len(classes), np.unique(classes)
    split = stratified_split(n, fraction, rng(seed), classes)
    assert sorted([*split.training, *split.validation]) == list(range(n))
    assert (np.diff(split.validation) > 0).all()
    assert set(classes[split.training]) == set(present)
    assert len(split.validation) == min(round(n * fraction), n - len(present))


@given(st.lists(st.integers(2, 60), min_size=1, max_size=6), st.floats(0.0, 0.5))
def test_the_share_of_every_class_is_rounded_to_a_row(sizes: list[int], fraction: float) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    held = np.bincount(
        classes[stratified_split(len(classes), fraction, rng(), classes).validation], minlength=len(sizes)
    )
    assert (np.abs(held - np.array(sizes) * fraction) < 1.0).all()


def test_classes_of_one_row_stay_and_the_others_make_up_for_them() -> None:
    classes = np.array([0] * 90 + list(range(1, 11)))
    split = stratified_split(100, 0.2, rng(), classes)
    assert len(split.validation) == 20
    assert set(classes[split.validation]) == {0}


@given(CLASSES, FRACTIONS, st.integers(0, 99))
def test_the_same_stream_gives_the_same_split(
    classes: np.ndarray[tuple[int], np.dtype[np.int64]], fraction: float, seed: int
) -> None:
    a, b = (stratified_split(len(classes), fraction, rng(seed), classes) for _ in range(2))
    assert a.training.tobytes() == b.training.tobytes()
    assert a.validation.tobytes() == b.validation.tobytes()


def test_another_seed_holds_out_other_rows() -> None:
    assert (
        stratified_split(100, 0.2, rng(0)).validation.tolist() != stratified_split(100, 0.2, rng(1)).validation.tolist()
    )


def test_the_number_of_a_class_does_not_matter_only_the_order() -> None:
    classes = rng().integers(0, 4, 60)
    a, b = stratified_split(60, 0.3, rng(), classes), stratified_split(60, 0.3, rng(), classes * 1000 - 7)
    assert a.validation.tolist() == b.validation.tolist()


def test_any_row_may_be_held_out() -> None:
    classes = np.array([0, 1] * 5)
    seen = {int(row) for seed in range(60) for row in stratified_split(10, 0.4, rng(seed), classes).validation}
    assert seen == set(range(10))


@pytest.mark.slow
@pytest.mark.parametrize("classes", [np.arange(100_000) // 2, np.maximum(np.arange(100_000) - 50_000, 0)])
def test_tens_of_thousands_of_classes_take_no_time(classes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    start = time.process_time()
    assert len(stratified_split(len(classes), 0.2, rng(), classes).validation) == 20_000
    assert time.process_time() - start < 4.0


def test_without_groups_and_times_a_share_is_held_out_by_class() -> None:
    classes = rng().integers(0, 4, 60)
    a, b = holdout_split(Strata(60, classes), 0.3, rng()), stratified_split(60, 0.3, rng(), classes)
    assert (a.training.tolist(), a.validation.tolist()) == (b.training.tolist(), b.validation.tolist())


@given(CLASSES.filter(lambda g: len(set(g)) > 1), st.floats(0.01, 0.99), st.integers(0, 99))
def test_whole_groups_are_held_out(groups: np.ndarray[tuple[int], np.dtype[np.int64]], share: float, seed: int) -> None:
    split = holdout_split(Strata(len(groups), groups=groups), share, rng(seed))
    assert sorted([*split.training, *split.validation]) == list(range(len(groups)))
    assert not set(groups[split.training]) & set(groups[split.validation])
    assert abs(len(split.validation) - share * len(groups)) <= np.bincount(groups).max()


def test_a_panel_is_split_in_time_across_all_groups() -> None:
    stores, dates = np.tile(np.arange(12), 200), np.repeat(np.arange(200), 12)
    split = holdout_split(Strata(2400, groups=stores, times=dates), 0.2, rng())
    assert dates[split.training].max() < dates[split.validation].min()
    assert len(split.validation) == 480
    assert set(stores[split.validation]) == set(range(12))


def test_of_equal_groups_the_share_is_exact_and_so_it_is_of_each_class() -> None:
    groups, classes = np.arange(400) // 4, np.arange(400) // 200
    split = holdout_split(Strata(400, classes, groups), 0.2, rng())
    assert np.bincount(classes[split.validation]).tolist() == [40, 40]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=50).filter(lambda t: len(set(t)) > 1), st.floats(0.01, 0.99))
def test_the_latest_rows_are_held_out(ranks: list[int], share: float) -> None:
    times = np.array(ranks)
    split = holdout_split(Strata(len(ranks), times=times), share, rng())
    assert times[split.training].max() < times[split.validation].min()
    assert abs(len(split.validation) - share * len(ranks)) <= np.bincount(times).max()


@pytest.mark.parametrize(
    ("strata", "units"),
    [
        (Strata(2), "2 rows"),
        (Strata(9, groups=np.zeros(9, np.int64)), "1 group"),
        (Strata(9, times=np.zeros(9, np.int64)), "1 time"),
        (Strata(9, np.arange(9), np.arange(9)), "9 groups"),
        (Strata(9, np.arange(9)), "9 rows"),
    ],
)
def test_too_few_rows_for_validation_raise_with_the_source_and_the_number(strata: Strata, units: str) -> None:
    with pytest.raises(DataError, match=units) as caught:
        holdout_split(replace(strata, location=Location(source="t")), 0.2, rng())
    assert caught.value.location == Location(source="t")
    assert (caught.value.hint == SINGLE_ROWS_HINT) == strata.has_only_unique_classes
