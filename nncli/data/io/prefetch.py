"""Making the next things while the last one is worked with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def prefetch(items: Generator[T]) -> Generator[T]:
    """Yield `items`, of which a thread makes the next while the caller has the last.

    What they raise is raised where the item would have stood. Whoever leaves early waits for the item that is being
    made, so nothing that may take for ever, such as reading from a pipe, belongs here.
    """
    end = object()
    try:
        with ThreadPoolExecutor(1, "nncli ahead") as thread:
            following = thread.submit(next, items, end)
            while (item := following.result()) is not end:
                following = thread.submit(next, items, end)
                yield item  # type: ignore[misc]
    finally:
        items.close()


def prefetch_map(items: Iterator[S], work: Callable[[S], T], workers: int) -> Generator[tuple[S, T]]:
    """Yield `items` in their order, each with what `work` makes of it; so many threads work at the next ones meanwhile.

    With 0 workers an item is asked for, and worked at, when it is its turn. What is raised is raised in its turn too.
    """
    if workers == 0:
        for item in items:
            yield item, work(item)
        return
    begun: deque[tuple[S, Future[T]]] = deque()
    fault: Exception | None = None
    with ThreadPoolExecutor(workers, "nncli at work") as threads:
        while True:
            try:
                while len(begun) <= workers:
                    item = next(items)
                    begun.append((item, threads.submit(work, item)))
            except StopIteration:
                break
            except Exception as error:
                fault = error
                break
            first, made = begun.popleft()
            yield first, made.result()
        for first, made in begun:
            yield first, made.result()
    if fault is not None:
        raise fault
