"""The CPUs that a process may use, and the number of threads of the BLAS."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from math import ceil
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import LibController, ThreadpoolController


def available_cpus(system: Path = Path("/")) -> int:
    """The number of CPUs that this process may use, by its affinity and its container's quota."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    group = system / "sys/fs/cgroup"
    return min(
        bound, _cgroup_cpus(group, "cpu.max"), _cgroup_cpus(group, "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")
    )


def _cgroup_cpus(group: Path, *files: str) -> int:
    """The CPU quota of a control group, rounded up; very large if there is none."""
    try:
        quota, period = " ".join((group / name).read_text() for name in files).split()
        return ceil(int(quota) / int(period)) if int(quota) > 0 else sys.maxsize
    except (OSError, ValueError, ZeroDivisionError):  # also if the quota is "max"
        return sys.maxsize


class _BlasThreadLimit:
    """The number of BLAS threads, which is global to the process.

    Several threads may limit it at a time: the last one to begin sets the number, and the last one to end restores the
    original number.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._limits: list[int] = []
        self._originals: list[tuple[LibController, int]] = []

    def begin(self, threads: int) -> None:
        with self._lock:
            if not self._limits:
                self._originals = [(library, library.num_threads) for library in _blas_libraries()]
            if self._limits[-1:] != [threads]:
                _set_blas_threads((library, threads) for library in _blas_libraries())
            self._limits.append(threads)

    def end(self, threads: int) -> None:
        with self._lock:
            before = self._limits[-1]
            del self._limits[-1 - self._limits[::-1].index(threads)]
            if not self._limits:
                _set_blas_threads(self._originals)
            elif self._limits[-1] != before:
                _set_blas_threads((library, self._limits[-1]) for library in _blas_libraries())


def _set_blas_threads(numbers: Iterable[tuple[LibController, int]]) -> None:
    """Set the number of threads of BLAS libraries, from any thread.

    threadpoolctl lets one thread alone set that of OpenBLAS, and from version 3.8 on ignores all others, for as long as
    the first one lives. Here a lock orders the calls, so each thread may set it.
    """
    for library, threads in numbers:
        clear = getattr(library, "clear_controlling_thread", lambda *, force: None)
        clear(force=True)
        library.set_num_threads(threads)
        clear(force=True)


def _blas_libraries() -> list[LibController]:
    return [controller for controller in _blas(len(sys.modules)).lib_controllers if controller.user_api == "blas"]


@lru_cache(maxsize=1)
def _blas(modules: int) -> ThreadpoolController:
    """The BLAS libraries of the process.

    The search takes 0.5 ms, as long as predicting a row, so it is repeated only if modules were imported since.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


_LIMIT = _BlasThreadLimit()


def blas_kernel() -> str | None:
    """The BLAS of the process with its version and the kernel that it chose for the processor, or None if unknown.

    For example `openblas 0.3.27 SkylakeX`. The kernel determines the last bits of matrix products. It depends on the
    processor, and on variables such as OPENBLAS_CORETYPE.
    """
    libraries = [library for library in _blas(len(sys.modules)).info() if library["user_api"] == "blas"]
    ours = [library for library in libraries if "numpy" in str(library.get("filepath", ""))] or libraries
    parts = ("internal_api", "version", "architecture")
    return next((" ".join(str(library[part]) for part in parts if library.get(part)) for library in ours), None)


@contextmanager
def limit_blas_threads(threads: int) -> Iterator[None]:
    """Limit the BLAS to a number of threads inside the block, overriding variables such as OMP_NUM_THREADS.

    Other threads may set a limit at the same time.
    """
    _LIMIT.begin(threads)
    try:
        yield
    finally:
        _LIMIT.end(threads)


class ConcurrentCalls:
    """The calls that are in progress in all threads of the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0

    @contextmanager
    def begin(self) -> Iterator[int]:
        """Count a call while the block runs, and yield the number of the other calls in progress at its start."""
        with self._lock:
            others = self._count
            self._count += 1
        try:
            yield others
        finally:
            with self._lock:
                self._count -= 1
