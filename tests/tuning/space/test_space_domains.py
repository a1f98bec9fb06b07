"""Numbers of a range have few digits, stay inside it, and are counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.tuning.space.space import MAX_VALUES, ChoiceDomain, NumberDomain

NUMBERS = st.floats(1e-12, 1e12)


@given(st.lists(NUMBERS, min_size=2, max_size=2, unique=True).map(sorted), st.floats(0, 1))
def test_a_rounded_number_is_in_the_range_and_stays_the_same(ends: list[float], share: float) -> None:
    low, high = ends
    domain = NumberDomain(low, high, None, is_log=False, is_int=False)
    value = domain.rounded(low + share * (high - low))
    assert domain.contains(value)
    assert domain.rounded(value) == value
    digits = len(f"{value:.12e}".partition("e")[0].rstrip("0").replace(".", ""))
    assert value in ends or high < 1.2 * low or digits <= 4


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.10001), (-1e-9, 1e-9), (5.0, 5.0 + 1e-12), (1e6, 1e6 + 1.0)])
@pytest.mark.parametrize("is_log", [False, True])
def test_a_narrow_range_has_many_different_numbers(low: float, high: float, is_log: bool) -> None:
    domain = NumberDomain(low, high, None, is_log=is_log and low > 0, is_int=False)
    assert len({domain.rounded(low + share / 5_000 * (high - low)) for share in range(5_001)}) > 900


@given(st.integers(-100, 100), st.integers(1, 50), st.integers(1, 10), st.booleans())
def test_whole_numbers_are_all_listed(low: int, width: int, step: int, is_log: bool) -> None:
    domain = NumberDomain(low, low + width, step, is_log, is_int=True)
    assert domain.values == tuple(range(low, low + width + 1, step))
    assert domain.count == len(domain.values)
    assert all(map(domain.contains, domain.values))
    assert not domain.contains(low + 0.5)
    assert not domain.contains(low + width + 1)


def test_fractions_with_a_step_have_no_digits_of_binary_arithmetic() -> None:
    domain = NumberDomain(0.0, 0.5, 0.1, is_log=False, is_int=False)
    assert domain.values == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    assert domain.contains(0.3)
    assert not domain.contains(0.35)


def test_a_range_without_a_step_is_not_finite() -> None:
    domain = NumberDomain(0.0, 1.0, None, is_log=True, is_int=False)
    assert domain.values is None
    assert domain.count is None


def test_a_fine_step_is_counted_without_a_list_of_its_values() -> None:
    domain = NumberDomain(0.0, 1.0, 1e-12, is_log=False, is_int=False)
    assert domain.values is None
    assert domain.count is not None
    assert domain.count > MAX_VALUES


@pytest.mark.parametrize("value", [0, 1])
def test_the_values_of_choices_are_their_numbers(value: int) -> None:
    domain = ChoiceDomain(("adam", "sgd"), ("adam", "sgd"))
    assert domain.values == (0, 1)
    assert domain.rounded(value) == value
    assert domain.contains(value)
    assert not domain.contains(2)
