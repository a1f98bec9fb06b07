"""The memory of a process and its descendants together, sampled from Linux' /proc."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INTERVAL = 0.1
PROC = Path("/proc")


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
    """The proportional set sizes of a process and its descendants, added up; 0 without /proc."""
    children = defaultdict(list)
    for folder in PROC.glob("[0-9]*"):
        if (parent := _parent(folder)) is not None:
            children[parent].append(int(folder.name))
    waiting, total = [pid], 0.0
    while waiting:
        single = waiting.pop()
        waiting += children[single]
        total += _kib(PROC / str(single))
    return total / 1024


def _parent(folder: Path) -> int | None:
    try:
        # the name of the program stands in brackets and may have spaces; the parent is the second word after it
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None  # it has ended


def _kib(folder: Path) -> int:
    try:
        lines = (folder / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
