"""The CPUs that a process may use, and the number of threads of the BLAS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


def available_cpus(system: Path = Path("/")) -> int:
    """Cores that this process may use: those it is bound to, if its container has the time of so many."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    group = system / "sys/fs/cgroup"
    return min(bound, _share(group, "cpu.max"), _share(group, "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"))


def _share(group: Path, *files: str) -> int:
    """Cores' worth of time, rounded up, that a control group has; very many where nothing is said."""
    try:
        quota, period = " ".join((group / name).read_text() for name in files).split()
        return ceil(int(quota) / int(period)) if int(quota) > 0 else sys.maxsize
    except (OSError, ValueError, ZeroDivisionError):  # also where it says max
        return sys.maxsize


class _BlasThreadLimit:
    """How many threads the BLAS has is the process's, so those that hold it at a time have to agree: the last to begin
    says the number, and the last to end gives back the one that was there before all of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted: list[int] = []
        self._give_back: Callable[[], None] | None = None

    def begin(self, threads: int) -> None:
        with self._lock:
            if self._wanted[-1:] != [threads]:
                limits = _blas(len(sys.modules)).limit(limits=threads, user_api="blas")
                self._give_back = self._give_back or limits.restore_original_limits
            self._wanted.append(threads)

    def end(self, threads: int) -> None:
        with self._lock:
            del self._wanted[-1 - self._wanted[::-1].index(threads)]
            if self._wanted:
                _blas(len(sys.modules)).limit(limits=self._wanted[-1], user_api="blas")
            elif self._give_back:
                self._give_back()
                self._give_back = None


@lru_cache(maxsize=1)
def _blas(modules: int) -> ThreadpoolController:
    """The BLAS among the libraries of the process, looked for anew only where there are more modules than last time,
    with which another may have come: it takes 0.5 ms, as long as to predict a row."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_HOLD = _BlasThreadLimit()


@contextmanager
def limit_blas_threads(threads: int) -> Iterator[None]:
    """Hold the BLAS to so many threads while the block runs, whatever OMP_NUM_THREADS and its kin say.

    Other threads may hold it at the same time.
    """
    _HOLD.begin(threads)
    try:
        yield
    finally:
        _HOLD.end(threads)
