from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.data.splitting.folds import Bootstrap, Fold, assign_folds
from nncli.data.splitting.strata import Strata
from nncli.errors import DataError, Location

N = 60
COLUMN = st.none() | st.lists(st.integers(0, 3), min_size=N, max_size=N).map(lambda c: np.array(c, np.int64))
GROUPS = st.none() | st.lists(st.integers(0, 25), min_size=N, max_size=N).map(lambda c: np.array(c, np.int64))
TIMES = st.none() | st.permutations(range(N)).map(lambda c: np.array(c, np.int64) // 2)
TRAITS = st.builds(Strata, st.just(N), COLUMN, GROUPS, TIMES)
WITHOUT_TIMES = st.builds(Strata, st.just(N), COLUMN, GROUPS)
SEEDS = st.integers(0, 99)


@given(TRAITS, st.integers(2, 4), SEEDS)
def test_every_row_is_held_out_once_or_never_and_groups_are_whole(traits: Strata, folds: int, seed: int) -> None:
    try:
        splits = [Fold(folds=folds, fold=k, seed=seed).split(traits) for k in range(folds)]
    except DataError:
        assert traits.groups is not None  # of few groups some have to be kept for the sake of classes
        return
    assigned = assign_folds(traits, folds, seed)
    for k, split in enumerate(splits):
        assert split.validation.tolist() == np.flatnonzero(assigned == k).tolist()
        assert len(split.training)
        assert len(split.validation)
        assert not set(split.training) & set(split.validation)
        if traits.groups is not None:
            assert not set(traits.groups[split.training]) & set(traits.groups[split.validation])
        if traits.times is None:
            assert len(split.training) + len(split.validation) == N
            if traits.classes is not None:
                assert set(traits.classes[split.training]) == set(traits.classes)


@given(st.builds(Strata, st.just(N), COLUMN, GROUPS, TIMES.filter(lambda t: t is not None)), st.integers(2, 4))
def test_time_never_goes_backwards(traits: Strata, folds: int) -> None:
    try:
        splits = [Fold(folds=folds, fold=k).split(traits) for k in range(folds)]
    except DataError:
        return
    times = traits.group_times
    assert times is not None
    for split in splits:
        assert times[split.training].max() < times[split.validation].min()
    for earlier, later in pairwise(splits):
        assert later.training.tolist() == sorted([*earlier.training, *earlier.validation])


@given(WITHOUT_TIMES, SEEDS)
def test_the_same_seed_gives_the_same_folds_whatever_the_codes(traits: Strata, seed: int) -> None:
    def renamed(
        codes: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
        return None if codes is None else 7 - 3 * codes

    other = Strata(N, renamed(traits.classes), renamed(traits.groups))
    try:
        assigned = assign_folds(traits, 3, seed)
    except DataError:
        return
    assert assigned.tolist() == assign_folds(other, 3, seed).tolist()


def test_another_seed_gives_other_folds() -> None:
    assert assign_folds(Strata(N), 3, 0).tolist() != assign_folds(Strata(N), 3, 1).tolist()


@pytest.mark.parametrize(
    ("traits", "found"),
    [
        (Strata(3), "found 3 rows, too few for 4 folds"),
        (Strata(9, groups=np.arange(9) // 3), "found 3 groups, too few for 4 folds"),
        (Strata(9, times=np.arange(9) // 2 % 4), "found 4 times, too few for 4 folds and one block before them"),
        (Strata(5, classes=np.arange(5)), "found 5 rows, each of a class of its own, too few for 4 folds"),
    ],
)
def test_too_few_for_so_many_folds_is_told(traits: Strata, found: str) -> None:
    with pytest.raises(DataError) as caught:
        assign_folds(Strata(traits.n, traits.classes, traits.groups, traits.times, Location(source="t.csv")), 4, 0)
    assert str(caught.value).startswith(f"t.csv: {found}\n")
    assert ("is this the column to predict?" in str(caught.value)) == (traits.classes is not None)


@pytest.mark.parametrize("wrong", [{"folds": 1, "fold": 0}, {"folds": 3, "fold": 3}, {"folds": 3}, {"folds": 3.0}])
def test_a_fold_is_one_of_two_or_more(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fold.model_validate(wrong)


@given(WITHOUT_TIMES, SEEDS)
def test_a_bootstrap_holds_out_what_was_never_drawn_and_keeps_every_class(traits: Strata, seed: int) -> None:
    try:
        split = Bootstrap(bootstrap=seed).split(traits)
    except DataError:
        assert traits.groups is not None  # few of them may all be drawn
        return
    assert sorted({*split.training, *split.validation}) == list(range(N))
    assert not set(split.training) & set(split.validation)
    assert (np.diff(split.training) >= 0).all()
    if traits.classes is not None:
        assert set(traits.classes[split.training]) == set(traits.classes)
    if traits.groups is None:
        assert len(split.training) == N
        if traits.classes is not None:
            assert np.bincount(traits.classes[split.training]).tolist() == np.bincount(traits.classes).tolist()
    else:
        drawn = np.bincount(split.training, minlength=N)
        assert all(len(set(drawn[traits.groups == g])) == 1 for g in traits.groups)


def test_some_37_percent_of_many_rows_are_never_drawn() -> None:
    assert len(Bootstrap(bootstrap=0).split(Strata(20_000)).validation) / 20_000 == pytest.approx(np.exp(-1), abs=0.01)


def test_a_bootstrap_of_one_row_leaves_nothing() -> None:
    with pytest.raises(DataError, match="of 1 row nothing is left"):
        Bootstrap(bootstrap=0).split(Strata(1))
