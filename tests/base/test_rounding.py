"""Rounded numbers stay in order and apart, near what they were, and are not the numbers of many digits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.rounding import rounded_apart

SIZES = st.floats(1e-6, 1e9)


@pytest.mark.slow
@given(st.lists(SIZES, min_size=1, max_size=60), st.sampled_from([0.0, 3.7, -1e4]))
def test_the_order_the_ties_and_the_sizes_are_kept(values: list[float], center: float) -> None:
    values = sorted(values)
    rounded = rounded_apart(values, center)

    distances = np.abs(np.array(values) - center)
    assert np.abs(np.array(rounded) - values).max() <= 0.011 * distances.max() + 1e-9
    for (a, b), (x, y) in zip(pairwise(values), pairwise(rounded), strict=True):
        assert x == y if a == b else x <= y
        assert center or a == b or x < y


@pytest.mark.parametrize("center", [0.0, 500.0])
def test_no_number_of_many_digits_stays(center: float) -> None:
    values = np.sort(np.random.default_rng(1).uniform(1.0, 1000.0, 500)).tolist()

    assert not {*values} & {*rounded_apart(values, center)}
