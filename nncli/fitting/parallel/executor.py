"""Executors for parallel training: worker processes on this machine, or a Dask cluster.

Nothing else in nncli starts a process, except nncli/export/runtimes/process.py, which runs exported files. The executor
of this machine is a pool of spawned processes, each of which leaves Ctrl-C to its parent, has one BLAS thread, and
never outlives the parent; that of a cluster is Dask's.

A pool of spawned processes has named POSIX semaphores. Python removes them at its end, and its resource tracker if the
process was killed; a SIGKILL of the whole process group ends the tracker too, and they stay until the machine restarts.
So their names say which process made them, and the next pool removes those of processes that have ended.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from threading import Event, Lock, Thread
from types import ModuleType
from typing import Literal

from nncli.base.errors import Location, UsageError
from nncli.base.threads import available_cpus

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
SECONDS_TO_CONNECT = 20
SEMAPHORES = Path("/dev/shm")
NAMESPACE = Path("/proc/self/ns/pid")
"""Containers may share the semaphores and still number their processes differently."""
ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

shutdown_requested = Event()
"""Set in a worker process that has to save its task and exit."""
task_lock = Lock()
"""Held while a task runs: the number of BLAS threads is global to the process, so tasks must not overlap."""


@dataclass(frozen=True)
class Workers:
    """Where tasks run: in so many processes of this machine, or on the Dask cluster whose scheduler has an address."""

    requested: int | Literal["auto"] = "auto"
    scheduler: str | None = None

    @property
    def are_remote(self) -> bool:
        """Whether tasks run on a cluster."""
        return self.scheduler is not None

    def count(self, tasks: int) -> int:
        """The number of processes for a number of tasks: as configured, or one for each core; a cluster takes all."""
        if self.are_remote:
            return tasks
        return max(1, min(tasks, available_cpus() if self.requested == "auto" else self.requested))

    def sharing(self, tasks: int) -> int:
        """The number of tasks that share the memory of a machine."""
        return 1 if self.are_remote else self.count(tasks)

    def begin_here(self, tasks: int) -> bool:
        """Whether tasks run in this process first: those of one worker, or until processes are worth their start."""
        return not self.are_remote and (self.requested == "auto" or self.count(tasks) == 1)

    @contextmanager
    def executor(self, count: int) -> Iterator[Executor]:
        """Open an executor of `count` worker processes, or of the cluster.

        When the block ends, tasks that have not started are canceled and running ones are awaited; after a second stop
        signal, which is not an `Exception`, the worker processes are killed.

        Raises:
            UsageError: Dask is not installed, or there is no such scheduler.
        """
        if self.scheduler is not None:
            yield from _of_dask(self.scheduler)
            return
        remove_abandoned_semaphores()
        with _named_semaphores(getattr(multiprocessing.current_process(), "_config", None)):
            pool = ProcessPoolExecutor(count, _Spawning(), _init_worker)
        try:
            yield pool
        except BaseException as error:
            if not isinstance(error, Exception | GeneratorExit):
                for process in [*(pool._processes or {}).values()]:
                    process.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    @property
    def lost_errors(self) -> tuple[type[BaseException], ...]:
        """What a task ends with when its process was lost, several times in a row on a cluster."""
        if not self.are_remote:
            return (BrokenExecutor,)
        from concurrent.futures import CancelledError

        with _dask_required():
            from distributed import KilledWorker
            from distributed.comm import CommClosedError

        return (KilledWorker, CommClosedError, CancelledError)


@contextmanager
def _dask_required() -> Iterator[None]:
    """Raise a UsageError with the install command if Dask cannot be imported."""
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
            location=Location(source=scheduler),
            hint="Give the address that `dask scheduler` shows, such as tcp://10.0.0.1:8786.",
        ) from error
    with client, client.get_executor(pure=False) as executor:
        yield executor


class _Process(SpawnProcess):
    """A worker process that does not import the main module of the program that starts it.

    A script that trains needs no `if __name__ == "__main__"`, and is not run again in every process.
    """

    def start(self) -> None:
        """Start with one BLAS thread, two Polars threads, and signals blocked until the worker is initialized."""
        main, environment = sys.modules["__main__"], dict(os.environ)
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
                if name in environment:
                    os.environ[name] = environment[name]


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Block signals, also in a process started meanwhile, which cannot handle them while it imports."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


class _Spawning(SpawnContext):
    Process = _Process


def _init_worker() -> None:
    """Initialize a worker: ignore Ctrl-C, which the parent handles; on SIGTERM or the parent's end, save and exit."""
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


@contextmanager
def _named_semaphores(settings: object) -> Iterator[None]:
    """Give semaphores that are created inside the block a name with the number of this process.

    `settings` are the internal ones of the process; without them the block is left as it is.
    """
    namespace = _namespace()
    if not isinstance(settings, dict) or namespace is None:
        yield
        return
    previous = settings.get("semprefix")
    settings["semprefix"] = f"/nncli-{namespace}-{os.getpid()}"
    try:
        yield
    finally:
        if previous is None:
            del settings["semprefix"]
        else:
            settings["semprefix"] = previous


def remove_abandoned_semaphores(folder: Path = SEMAPHORES) -> None:
    """Remove the semaphores of processes of nncli that have ended."""
    namespace = _namespace()
    if namespace is None:
        return
    for path in folder.glob(f"sem.nncli-{namespace}-*"):
        match = re.match(r"sem\.nncli-[0-9]+-([0-9]+)-", path.name)
        if match and not _is_running(int(match[1])):
            with suppress(OSError):
                path.unlink()


def _namespace() -> int | None:
    """The number of this process's namespace of process numbers; None except on Linux."""
    try:
        return NAMESPACE.stat().st_ino
    except OSError:
        return None


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to another user
        return True
    return True
