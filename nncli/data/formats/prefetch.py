"""Compute the next items on other threads while the caller uses the current one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def prefetch(items: Generator[T]) -> Generator[T]:
    """Yield `items`; a thread computes the next one while the caller uses the current one.

    An exception is raised in place of its item. Closing the generator waits for the item in progress, so `items` must
    not block forever, as reading from a pipe may.
    """
    end = object()
    try:
        with ThreadPoolExecutor(1, "nncli-prefetch") as thread:
            future = thread.submit(next, items, end)
            while (item := future.result()) is not end:
                future = thread.submit(next, items, end)
                yield item  # type: ignore[misc]
    finally:
        items.close()


def prefetch_map(items: Iterator[S], work: Callable[[S], T], workers: int) -> Generator[tuple[S, T]]:
    """Yield `items` in order, each with its result of `work`; `workers` threads compute the next ones ahead of time.

    With 0 workers nothing is computed ahead of time. An exception is raised in place of its item.
    """
    if workers == 0:
        for item in items:
            yield item, work(item)
        return
    pending: deque[tuple[S, Future[T]]] = deque()
    failure: Exception | None = None
    with ThreadPoolExecutor(workers, "nncli-worker") as threads:
        while True:
            try:
                while len(pending) <= workers:
                    item = next(items)
                    pending.append((item, threads.submit(work, item)))
            except StopIteration:
                break
            except Exception as error:
                failure = error
                break
            item, future = pending.popleft()
            yield item, future.result()
        for item, future in pending:
            yield item, future.result()
    if failure is not None:
        raise failure
