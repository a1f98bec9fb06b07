"""How many threads a training gets: a matter of policy, not of what the environment happens to say.

A batch is worked in parts, each on a thread of its own, and the BLAS then has one thread; only where rows depend on
each other, as in batch normalisation, the BLAS's own threads share the matrix products instead. A second thread pays
where a step is long; in short ones the threads wait for each other longer than they work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from nncli.nn.network import Network

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

WORTH_A_SECOND_THREAD = 1 << 24
"""Multiplications in one forward pass of a batch from which more than one thread pays; measured on two cores."""
PARTS = 2
"""Parts that a batch falls into where nobody says how many: the same everywhere, since they shape the last bits."""


@dataclass(frozen=True)
class Threads:
    """Parts of a batch, each on a thread of its own, or threads of the BLAS; one of the two is 1."""

    parts: int
    blas: int


def choose_threads(wanted: int | Literal["auto"], network: Network, batch_rows: int) -> Threads:
    """As many as were asked for, or, for long steps, `PARTS`, or one.

    What is chosen depends on the configuration and the network alone, and not on the machine, so that the same
    training has the same bits on any number of cores.
    """
    if wanted == "auto":
        wanted = 1 if batch_rows * network.layout.decayed < WORTH_A_SECOND_THREAD else PARTS
    if network.couples_rows:
        return Threads(parts=1, blas=wanted)
    return Threads(parts=min(wanted, batch_rows), blas=1)


def cores(system: Path = Path("/")) -> int:
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


class _Hold:
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


_HOLD = _Hold()


@contextmanager
def held_to(threads: int) -> Iterator[None]:
    """Hold the BLAS to so many threads while the block runs, whatever OMP_NUM_THREADS and its kin say.

    Other threads may hold it at the same time.
    """
    _HOLD.begin(threads)
    try:
        yield
    finally:
        _HOLD.end(threads)
