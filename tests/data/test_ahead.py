from __future__ import annotations

from collections.abc import Generator
from threading import Event, current_thread, main_thread

import pytest

from nncli.data.ahead import ahead


def numbers(made: list[int], closed: list[bool], *, fault_at: int = -1) -> Generator[int]:
    try:
        for number in range(5):
            assert current_thread() is not main_thread()
            if number == fault_at:
                raise ValueError(number)
            made.append(number)
            yield number
    finally:
        closed.append(True)


def test_items_come_in_order_and_their_source_is_closed() -> None:
    closed: list[bool] = []
    assert list(ahead(numbers([], closed))) == [0, 1, 2, 3, 4]
    assert closed == [True]


def test_the_next_item_is_made_while_the_caller_has_the_last() -> None:
    second_made = Event()

    def items() -> Generator[int]:
        yield 1
        second_made.set()
        yield 2

    ahead_of = ahead(items())
    assert next(ahead_of) == 1
    assert second_made.wait(10)
    assert list(ahead_of) == [2]


def test_an_error_is_raised_where_its_item_would_have_stood() -> None:
    closed: list[bool] = []
    items = ahead(numbers([], closed, fault_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(items)
    assert closed == [True]


def test_who_leaves_early_leaves_nothing_open() -> None:
    made: list[int] = []
    closed: list[bool] = []
    items = ahead(numbers(made, closed))
    assert next(items) == 0
    items.close()
    assert closed == [True]
    assert made[-1] <= 1
