"""The one door for work that runs apart: a `concurrent.futures.Executor`, here or on a cluster.

Nothing else in nncli starts a process. Here it is a pool of spawned processes, each of which leaves Ctrl-C to its
parent, has one thread for the BLAS, and never outlives the parent; on a cluster it is Dask's.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Event, Lock, Thread
from types import ModuleType
from typing import Literal

from nncli.errors import Location, UsageError
from nncli.utils.threads import available_cpus

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SECONDS_TO_CONNECT = 20
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

shutdown_requested = Event()
"""In a process of the pool: it is to save what it works on, and to go."""
task_lock = Lock()
"""Held while a task works: the threads of the BLAS are the process's, so two of them would change each other's."""


def workers_for(tasks: int, wanted: int | Literal["auto"]) -> int:
    """How many processes so many tasks get: as many as were asked for, or one for each core."""
    return max(1, min(tasks, available_cpus() if wanted == "auto" else wanted))


@contextmanager
def open_executor(workers: int, scheduler: str | None = None) -> Iterator[Executor]:
    """An executor of so many processes, or that of the Dask cluster whose scheduler has the address `scheduler`.

    When the block ends, tasks that have not begun never do, and those that work are waited for; only where a signal
    insists, which is no `Exception`, are processes of the pool killed.

    Raises:
        UsageError: Dask is not installed, or there is no such scheduler.
    """
    if scheduler is not None:
        yield from _of_dask(scheduler)
        return
    pool = ProcessPoolExecutor(workers, _Spawning(), _init_worker)
    try:
        yield pool
    except BaseException as error:
        if not isinstance(error, Exception | GeneratorExit):
            for process in [*(pool._processes or {}).values()]:
                process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def worker_lost_errors(scheduler: str | None) -> tuple[type[BaseException], ...]:
    """What a task ends with when its process was lost, several times in a row on a cluster."""
    if scheduler is None:
        return (BrokenExecutor,)
    from concurrent.futures import CancelledError

    with _dask_required():
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

    return (KilledWorker, CommClosedError, CancelledError)


@contextmanager
def _dask_required() -> Iterator[None]:
    """Answer an import of Dask that fails with the command that installs it."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            "--scheduler needs Dask, which is not installed", hint="pip install 'nncli-train[dask]'"
        ) from error


def _of_dask(scheduler: str) -> Generator[Executor, None, None]:
    with _dask_required():
        from distributed import Client
    try:
        client = Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"there is no Dask scheduler: {error}",
            place=Location(source=scheduler),
            hint="Give the address that `dask scheduler` shows, such as tcp://10.0.0.1:8786.",
        ) from error
    with client, client.get_executor(pure=False) as executor:
        yield executor


class _Process(SpawnProcess):
    """A process that knows nothing of the program that starts it: its tasks are all nncli's own.

    So a script that trains needs no `if __name__ == "__main__"`, and is not run once more in every process.
    """

    def start(self) -> None:
        """Start with one thread for the BLAS, few for reading tables, and deaf to signals until it has settled."""
        main, before = sys.modules["__main__"], dict(os.environ)
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        os.environ.setdefault("POLARS_MAX_THREADS", "2")
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            with _signals_blocked():
                super().start()
        finally:
            sys.modules["__main__"] = main
            for name in (*ONE_THREAD, "POLARS_MAX_THREADS"):
                os.environ.pop(name, None)
                if name in before:
                    os.environ[name] = before[name]


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Keep signals waiting, also in a process started meanwhile: importing, it could not meet them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Spawning(SpawnContext):
    Process = _Process


def _init_worker() -> None:
    """In a new process: leave Ctrl-C to the parent; save and go when asked to end, or when the parent is gone."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: shutdown_requested.set())
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _in_background(_await_parent)
    _in_background(_leave)


def _in_background(run: Callable[[], None]) -> None:
    Thread(target=run, daemon=True).start()


def _await_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        shutdown_requested.set()


def _leave() -> None:
    shutdown_requested.wait()
    with task_lock:
        os._exit(0)
