"""Tasks that are submitted one after another, to worker processes or a Dask cluster, as the results of others come in.

What may not be broken: a task begun anywhere, any number of times, leads to the same bits. Only so may the task of a
lost process simply start again.

Nothing else in nncli starts a process, except nncli/exporters/runtimes/process.py, which runs exported files. The
executor of this machine is a pool of spawned processes, each of which leaves Ctrl-C to its parent, has one BLAS thread,
and never outlives the parent; that of a cluster is Dask's.

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
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from threading import Event, Lock, Thread
from types import ModuleType, TracebackType
from typing import Any, Generic, Literal, NamedTuple, Self, TypeVar

from nncli.base.errors import Advice, Location, NncliError, UsageError, UseOption, extra_required
from nncli.base.logs import hide_numeric_warnings
from nncli.base.plugins import portable
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
            pool = _Pool(count, _Spawning(), _init_worker)
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

        with extra_required("dask", NO_DASK):
            from distributed import KilledWorker
            from distributed.comm import CommClosedError

        return (KilledWorker, CommClosedError, CancelledError)


NO_DASK = Advice(UseOption("scheduler", "scheduler"), " needs Dask, which is not installed")


def _of_dask(scheduler: str) -> Generator[Executor, None, None]:
    with extra_required("dask", NO_DASK):
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


class _Pool(ProcessPoolExecutor):
    """A pool that is broken, and not in error, if one of its processes is lost while it starts another one."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a task; BrokenExecutor if the pool has broken.

        Before Python 3.12 the thread that notices the loss closes the pool's pipes while the process is started that
        is to inherit them: their numbers are unknown then, or those of other pipes.
        """
        try:
            return super().submit(fn, *args, **kwargs)
        except (OSError, ValueError) as error:
            if not self._broken:  # it is set before the pipes are closed
                raise
            raise BrokenExecutor("a process was lost while another one was started") from error


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
    hide_numeric_warnings()
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


SECONDS_BETWEEN_POLLS = 0.25
MAX_LOSSES = 3
"""How often a task is started again after its process was lost."""
LOSSES_OF_A_SUSPECT = 2
"""From so many losses on a task runs alone, so that no other one is lost with it."""

T = TypeVar("T")
R = TypeVar("R")


class TaskResult(NamedTuple, Generic[T, R]):
    """A task that has ended: what it led to, or the error that it ended with."""

    job: T
    outcome: R | NncliError


@dataclass(eq=False)
class _Entry(Generic[T]):
    """A task that was submitted, and how often its process was lost."""

    job: T
    losses: int = 0
    is_canceled: bool = False

    @property
    def is_suspect(self) -> bool:
        return self.losses >= LOSSES_OF_A_SUSPECT


class TaskStream(Generic[T, R]):
    """Runs tasks by the function `work` in worker processes, or on a Dask cluster, as many as it has threads for.

    `tasks` is the largest number of them that may be useful at a time. `work` and the tasks are sent to other
    processes; it returns None if its process has to end before the task is done. A task whose process is lost starts
    again, after two losses alone; `lost` says what becomes of one that is lost too often. Once `stop` returns True,
    tasks that wait do not start. Of short tasks some may be `queued` in the executor.
    """

    def __init__(
        self,
        work: Callable[[T], R | None],
        lost: Callable[[T], R | NncliError],
        tasks: int,
        workers: Workers,
        stop: Callable[[], bool] = lambda: False,
        *,
        queued: int = 0,
    ) -> None:
        self.workers = workers.count(tasks)
        """The number of tasks that run at a time."""
        self._work, self._lost, self._where, self._stop = work, lost, workers, stop
        self._loss_errors = workers.lost_errors
        # A broken pool loses all that it has, and a few tell better which one broke it. A cluster names the one.
        self._most = sys.maxsize if workers.are_remote else self.workers + queued
        self._waiting: deque[_Entry[T]] = deque()
        self._running: dict[Future[R | None], _Entry[T]] = {}
        self._ended: list[TaskResult[T, R]] = []
        self._executor: Executor | None = None
        self._is_broken = False
        self._resources = ExitStack()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._resources.__exit__(cls, error, traceback)

    def __len__(self) -> int:
        return len(self._waiting) + len(self.running)

    @property
    def running(self) -> list[T]:
        """The tasks that run."""
        return [entry.job for entry in self._running.values()]

    @property
    def has_room(self) -> bool:
        """Whether a task that is submitted now would start at once."""
        return len(self) < self.workers

    @property
    def has_ended(self) -> bool:
        """Whether no task runs, and none will start."""
        return not self.running and (not self._waiting or self.stopped())

    def stopped(self) -> bool:
        """Whether `stop` has returned True once."""
        self._stopped = self._stopped or self._stop()
        return self._stopped

    def submit(self, task: T, *, first: bool = False) -> None:
        """Add a task, behind those that wait or as the first of them."""
        self._waiting.insert(0 if first else len(self._waiting), _Entry(task))

    def cancel(self, is_meant: Callable[[T], bool]) -> None:
        """Remove tasks that wait. Those that run go on, and have no result."""
        self._waiting = deque(entry for entry in self._waiting if not is_meant(entry.job))
        for entry in self._running.values():
            entry.is_canceled |= is_meant(entry.job)

    def results(self, tasks: Iterable[T]) -> Generator[tuple[T, R], None, None]:
        """Submit tasks and yield each with what it led to, as they end. If it is closed, the others are given up.

        Raises:
            UsageError: there is no such cluster.
            Exception: what `work` raises.
        """
        for task in tasks:
            self.submit(task)
        try:
            while not self.has_ended:
                for task, outcome in self.wait():
                    if isinstance(outcome, NncliError):
                        raise outcome
                    yield task, outcome
        finally:
            for future in self._running:
                future.cancel()

    def wait(self) -> list[TaskResult[T, R]]:
        """The tasks that have ended since the last call; waits for a moment if none has.

        Raises:
            UsageError: there is no such cluster.
            Exception: what `work` raises, unless it is an NncliError.
        """
        self._start()
        if self._running:
            finished, _ = wait(self._running, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
            self._lose([entry for future in [*self._running] if future in finished and (entry := self._take(future))])
        ended, self._ended = self._ended, []
        return ended

    def _start(self) -> None:
        """Hand tasks that wait to the executor: a new one after a loss, once all that ran are back."""
        if self._is_broken and not self._running:
            self._resources.close()
            self._executor, self._is_broken = None, False
        while not self._is_broken and len(self._running) < self._most and (entry := self._next()) is not None:
            try:
                if self._executor is None:
                    self._executor = self._resources.enter_context(self._where.executor(self.workers))
                work, args = portable(self._work, entry.job)
                self._running[self._executor.submit(work, *args)] = entry
            except self._loss_errors:
                if not self._running:  # there is no other one that broke it
                    self._lose([entry])
                else:
                    self._waiting.appendleft(entry)
                self._is_broken = True

    def _next(self) -> _Entry[T] | None:
        """Take the next task that may start; a suspect starts once no other one runs or waits."""
        if not self._waiting or self.stopped() or any(entry.is_suspect for entry in self._running.values()):
            return None
        entry = next((entry for entry in self._waiting if not entry.is_suspect), None)
        if entry is None and not self._running:
            entry = self._waiting[0]
        if entry is not None:
            self._waiting.remove(entry)
        return entry

    def _take(self, future: Future[R | None]) -> _Entry[T] | None:
        """Take the outcome of a task; its entry if it was lost."""
        entry = self._running.pop(future)
        try:
            outcome: R | NncliError | None = future.result()
        except self._loss_errors:
            outcome = None
        except NncliError as error:
            outcome = error
        if outcome is None:
            return entry
        if not entry.is_canceled:
            self._ended.append(TaskResult(entry.job, outcome))
        return None

    def _lose(self, entries: list[_Entry[T]]) -> None:
        """Count the loss of tasks, which start again before the others, or have ended if it was one too many."""
        for entry in reversed(entries):
            entry.losses += 1
            self._is_broken = True
            if entry.is_canceled:
                continue
            if entry.losses > MAX_LOSSES:
                self._ended.append(TaskResult(entry.job, self._lost(entry.job)))
            else:
                self._waiting.appendleft(entry)
