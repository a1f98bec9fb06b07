"""The median by a sample is the median to the bit, whatever the order and however the sample misleads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.utils import order
from nncli.utils.order import fast_median

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, 1e300, -1e300, 5e-324]) | st.floats(allow_nan=False)


def same(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.float64(fast_median(x)).tobytes() == np.median(x).tobytes()


@settings(max_examples=300, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=9, max_size=80))
def test_it_is_that_of_numpy(numbers: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "FEW", 8)
        patch.setattr(order, "FEWEST_SAMPLED", 4)
        patch.setattr(order, "MOST_SAMPLED", 4)
        assert same(np.array(numbers))


@pytest.mark.parametrize("n", [order.FEW, order.FEW + 1, order.FEW + 2, 3 * order.FEW, 80 * order.MOST_SAMPLED])
def test_many_numbers_in_any_order(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n).round(3)
    assert same(x)
    assert same(np.sort(x))
    assert same(np.sort(x)[::-1])
    assert same(np.floor(x))  # nearly all are equal to one of few
    every = order.FEWEST_SAMPLED if n < 80 * order.MOST_SAMPLED else order.MOST_SAMPLED
    assert same(np.where(np.arange(n) % (n // every) == 0, 9.0, x))  # the sample sees nothing but nines


def test_where_only_zeros_of_either_sign_stand_in_the_middle() -> None:
    x = np.zeros(order.FEW + 3)
    x[::2] = -0.0
    assert same(x)
