"""The memory of a process and its descendants together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

INTERVAL = 0.1


@contextmanager
def sampled(pid: int) -> Iterator[Callable[[], float]]:
    """Sample the tree of a process meanwhile; what it yields returns the highest sum in MiB so far.

    A page that several processes share counts once. Peaks between two samples are missed.
    """
    ended, peak = threading.Event(), [0.0]

    def watch() -> None:
        while not ended.is_set():
            peak[0] = max(peak[0], tree_mib(pid))
            ended.wait(INTERVAL)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        ended.set()
        watcher.join()


def tree_mib(pid: int) -> float:
    """The proportional set sizes of a process and its descendants, added up; 0 for one that has ended. Linux only."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 1024**2
