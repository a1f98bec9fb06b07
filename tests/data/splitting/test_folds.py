from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.base.errors import DataError, Location
from nncli.data.splitting.folds import Bootstrap, Fold, assign_folds
from nncli.data.splitting.holdout import SINGLE_ROWS_HINT
from nncli.data.splitting.strata import Strata

N = 60
COLUMN = st.none() | st.lists(st.integers(0, 3), min_size=N, max_size=N).map(lambda c: np.array(c, np.int64))
GROUPS = st.none() | st.lists(st.integers(0, 25), min_size=N, max_size=N).map(lambda c: np.array(c, np.int64))
TIMES = st.none() | st.permutations(range(N)).map(lambda c: np.array(c, np.int64) // 2)
TRAITS = st.builds(Strata, st.just(N), COLUMN, GROUPS, TIMES)
WITHOUT_TIMES = st.builds(Strata, st.just(N), COLUMN, GROUPS)
SEEDS = st.integers(0, 99)


@pytest.mark.slow
@given(TRAITS, st.integers(2, 4), SEEDS)
def test_every_row_is_validated_at_most_once_and_groups_are_whole(strata: Strata, folds: int, seed: int) -> None:
    try:
        splits = [Fold(folds=folds, fold=k, seed=seed).split(strata) for k in range(folds)]
    except DataError:
        assert strata.groups is not None  # of few groups some have to be kept for the sake of classes
        return
    assigned = assign_folds(strata, folds, seed)
    for k, split in enumerate(splits):
        assert split.validation.tolist() == np.flatnonzero(assigned == k).tolist()
        assert len(split.training)
        assert len(split.validation)
        assert not set(split.training) & set(split.validation)
        if strata.groups is not None and strata.times is None:
            assert not set(strata.groups[split.training]) & set(strata.groups[split.validation])
        if strata.times is None:
            assert len(split.training) + len(split.validation) == N
            if strata.classes is not None:
                assert set(strata.classes[split.training]) == set(strata.classes)


@pytest.mark.slow
@given(st.builds(Strata, st.just(N), COLUMN, GROUPS, TIMES.filter(lambda t: t is not None)), st.integers(2, 4))
def test_time_never_goes_backwards(strata: Strata, folds: int) -> None:
    try:
        splits = [Fold(folds=folds, fold=k).split(strata) for k in range(folds)]
    except DataError:
        return
    times = strata.times
    assert times is not None
    for split in splits:
        assert times[split.training].max() < times[split.validation].min()
    for earlier, later in pairwise(splits):
        assert later.training.tolist() == sorted([*earlier.training, *earlier.validation])


@given(WITHOUT_TIMES, SEEDS)
def test_the_same_seed_gives_the_same_folds_whatever_the_codes(strata: Strata, seed: int) -> None:
    def renamed(
        codes: np.ndarray[tuple[int], np.dtype[np.int64]] | None,
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
        return None if codes is None else 7 - 3 * codes

    other = Strata(N, renamed(strata.classes), renamed(strata.groups))
    try:
        assigned = assign_folds(strata, 3, seed)
    except DataError:
        return
    assert assigned.tolist() == assign_folds(other, 3, seed).tolist()


def test_another_seed_gives_other_folds() -> None:
    assert assign_folds(Strata(N), 3, 0).tolist() != assign_folds(Strata(N), 3, 1).tolist()


@pytest.mark.parametrize(
    ("strata", "units"),
    [
        (Strata(3), "3 rows"),
        (Strata(9, groups=np.arange(9) // 3), "3 groups"),
        (Strata(9, times=np.arange(9) // 2 % 4), "4 times"),
        (Strata(5, classes=np.arange(5)), "5 rows"),
    ],
)
def test_too_few_rows_for_the_folds_raise_with_the_source_and_the_number(strata: Strata, units: str) -> None:
    with pytest.raises(DataError, match=units) as caught:
        assign_folds(replace(strata, location=Location(source="t.csv")), 4, 0)
    assert caught.value.location == Location(source="t.csv")
    assert (caught.value.hint == SINGLE_ROWS_HINT) == (strata.classes is not None)


@pytest.mark.parametrize("wrong", [{"folds": 1, "fold": 0}, {"folds": 3, "fold": 3}, {"folds": 3}, {"folds": 3.0}])
def test_invalid_fold_numbers_are_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fold.model_validate(wrong)


@given(WITHOUT_TIMES, SEEDS)
def test_bootstrap_validates_rows_that_were_not_drawn_and_keeps_every_class(strata: Strata, seed: int) -> None:
    try:
        split = Bootstrap(bootstrap=seed).split(strata)
    except DataError:
        assert strata.groups is not None  # few of them may all be drawn
        return
    assert sorted({*split.training, *split.validation}) == list(range(N))
    assert not set(split.training) & set(split.validation)
    assert (np.diff(split.training) >= 0).all()
    if strata.classes is not None:
        assert set(strata.classes[split.training]) == set(strata.classes)
    if strata.groups is None:
        assert len(split.training) == N
        if strata.classes is not None:
            assert np.bincount(strata.classes[split.training]).tolist() == np.bincount(strata.classes).tolist()
    else:
        drawn = np.bincount(split.training, minlength=N)
        assert all(len(set(drawn[strata.groups == g])) == 1 for g in strata.groups)


def test_some_37_percent_of_many_rows_are_never_drawn() -> None:
    assert len(Bootstrap(bootstrap=0).split(Strata(20_000)).validation) / 20_000 == pytest.approx(np.exp(-1), abs=0.01)


def test_a_bootstrap_of_one_row_raises() -> None:
    with pytest.raises(DataError, match="1 row"):
        Bootstrap(bootstrap=0).split(Strata(1))
