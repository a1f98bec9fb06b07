from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.splitting.strata import Strata, relabel_by_appearance

CODES = st.lists(st.integers(-3, 3), max_size=30)


@given(CODES)
def test_codes_by_appearance_tell_who_shares_one_and_rise_as_they_come(codes: list[int]) -> None:
    found = relabel_by_appearance(np.array(codes, np.int64)).tolist()
    assert [found.index(code) for code in found] == [codes.index(code) for code in codes]
    assert list(dict.fromkeys(found)) == list(range(len(set(codes))))


def test_rows_that_are_taken_keep_their_traits() -> None:
    traits = Strata(3, classes=np.array([5, 6, 7]), times=np.array([2, 1, 0]))
    some = traits.take(np.array([0, 2]))
    assert (some.n, some.groups) == (2, None)
    assert some.classes is not None
    assert some.times is not None
    assert (some.classes.tolist(), some.times.tolist()) == ([5, 7], [2, 0])


def test_a_group_has_the_time_of_its_earliest_row() -> None:
    times = Strata(5, groups=np.array([9, 4, 9, 4, 1]), times=np.array([3, 1, 0, 2, 5])).group_times
    assert times is not None
    assert times.tolist() == [0, 1, 0, 1, 5]


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        (Strata(1), "1 row"),
        (Strata(1200), "1,200 rows"),
        (Strata(3, groups=np.array([1, 1, 2])), "2 groups"),
        (Strata(3, groups=np.array([1, 1, 2]), times=np.array([4, 5, 4])), "1 time"),
    ],
)
def test_what_stays_together_is_counted_as_one(traits: Strata, said: str) -> None:
    assert traits.description == said
