from __future__ import annotations

from collections.abc import Generator
from threading import Barrier, Event, current_thread, main_thread

import pytest

from nncli.data.formats.prefetch import prefetch, prefetch_map


def numbers(produced: list[int], closed: list[bool], *, fault_at: int = -1) -> Generator[int]:
    try:
        for number in range(5):
            assert current_thread() is not main_thread()
            if number == fault_at:
                raise ValueError(number)
            produced.append(number)
            yield number
    finally:
        closed.append(True)


def test_items_come_in_order_and_their_source_is_closed() -> None:
    closed: list[bool] = []
    assert list(prefetch(numbers([], closed))) == [0, 1, 2, 3, 4]
    assert closed == [True]


def test_the_next_item_is_made_while_the_caller_has_the_last() -> None:
    second_made = Event()

    def items() -> Generator[int]:
        yield 1
        second_made.set()
        yield 2

    ahead_of = prefetch(items())
    assert next(ahead_of) == 1
    assert second_made.wait(10)
    assert list(ahead_of) == [2]


def test_an_error_is_raised_where_its_item_would_have_stood() -> None:
    closed: list[bool] = []
    items = prefetch(numbers([], closed, fault_at=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(items)
    assert closed == [True]


def test_who_leaves_early_leaves_nothing_open() -> None:
    produced: list[int] = []
    closed: list[bool] = []
    items = prefetch(numbers(produced, closed))
    assert next(items) == 0
    items.close()
    assert closed == [True]
    assert produced[-1] <= 1


@pytest.mark.parametrize("workers", [0, 1, 2, 7])
def test_what_is_made_of_each_item_comes_in_order(workers: int) -> None:
    assert list(prefetch_map(iter(range(5)), str, workers)) == [(number, str(number)) for number in range(5)]


def test_so_many_of_the_next_items_are_worked_at_while_the_caller_has_one() -> None:
    together = Barrier(3)  # passed only if the caller and both workers get there

    def work(item: int) -> None:
        if item in (1, 2):
            together.wait(10)

    items = prefetch_map(iter(range(4)), work, 2)
    next(items)
    together.wait(10)
    assert [item for item, _ in items] == [1, 2, 3]


def test_without_workers_nothing_is_asked_for_before_its_turn() -> None:
    asked = []
    items = prefetch_map((asked.append(number) or number for number in range(3)), str, 0)  # type: ignore[func-returns-value]
    next(items)
    assert asked == [0]


@pytest.mark.parametrize("workers", [0, 2])
def test_what_asking_or_working_raises_comes_behind_all_items_before(workers: int) -> None:
    def work(item: int) -> int:
        if item == 1:
            raise ValueError("work")
        return item

    def faulty() -> Generator[int]:
        yield from range(2)
        raise ValueError("asking")

    def take(items: Generator[tuple[int, object]]) -> None:
        for item, _ in items:
            taken.append(item)

    taken: list[int] = []
    with pytest.raises(ValueError, match="asking"):
        take(prefetch_map(faulty(), str, workers))
    assert taken == [0, 1]
    taken.clear()
    with pytest.raises(ValueError, match="work"):
        take(prefetch_map(faulty(), work, workers))
    assert taken == [0]
