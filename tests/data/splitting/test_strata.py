from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.splitting.strata import Strata, relabel_by_appearance

CODES = st.lists(st.integers(-3, 3), max_size=30)


@given(CODES)
def test_relabelled_codes_ascend_by_appearance_and_keep_equality(codes: list[int]) -> None:
    result = relabel_by_appearance(np.array(codes, np.int64)).tolist()
    assert [result.index(code) for code in result] == [codes.index(code) for code in codes]
    assert list(dict.fromkeys(result)) == list(range(len(set(codes))))


def test_take_selects_classes_and_times() -> None:
    strata = Strata(3, classes=np.array([5, 6, 7]), times=np.array([2, 1, 0]))
    selected = strata.take(np.array([0, 2]))
    assert (selected.n, selected.groups) == (2, None)
    assert selected.classes is not None
    assert selected.times is not None
    assert (selected.classes.tolist(), selected.times.tolist()) == ([5, 7], [2, 0])


@pytest.mark.parametrize(
    ("strata", "description"),
    [
        (Strata(1), "1 row"),
        (Strata(1200), "1,200 rows"),
        (Strata(2, classes=np.array([3, 1])), "2 rows, each of a different class"),
        (Strata(3, groups=np.array([1, 1, 2])), "2 groups"),
        (Strata(3, groups=np.array([1, 1, 2]), times=np.array([4, 5, 4])), "2 times"),
    ],
)
def test_description_counts_units_that_stay_together(strata: Strata, description: str) -> None:
    assert strata.description == description
