"""Making the next thing while the last one is worked with."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Generator[T]) -> Generator[T]:
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
