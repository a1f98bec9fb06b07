"""Tasks that are submitted one after another, to worker processes or a Dask cluster, as the results of others come in.

What may not be broken: a task begun anywhere, any number of times, leads to the same bits. Only so may the task of a
lost process simply start again.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, NamedTuple, Self, TypeVar

from nncli.base.errors import NncliError
from nncli.fitting.parallel.executor import Workers

SECONDS_BETWEEN_POLLS = 0.25
MAX_LOSSES = 3
"""How often a task is started again after its process was lost."""
LOSSES_OF_A_SUSPECT = 2
"""From so many losses on a task runs alone, so that no other one is lost with it."""

T = TypeVar("T")
R = TypeVar("R")


class TaskResult(NamedTuple, Generic[T, R]):
    """A task that has ended: what it led to, or the error that it ended with."""

    task: T
    outcome: R | NncliError


@dataclass(eq=False)
class _Entry(Generic[T]):
    """A task that was submitted, and how often its process was lost."""

    task: T
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
        return [entry.task for entry in self._running.values()]

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
        self._waiting = deque(entry for entry in self._waiting if not is_meant(entry.task))
        for entry in self._running.values():
            entry.is_canceled |= is_meant(entry.task)

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
                self._running[self._executor.submit(self._work, entry.task)] = entry
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
            self._ended.append(TaskResult(entry.task, outcome))
        return None

    def _lose(self, entries: list[_Entry[T]]) -> None:
        """Count the loss of tasks, which start again before the others, or have ended if it was one too many."""
        for entry in reversed(entries):
            entry.losses += 1
            self._is_broken = True
            if entry.is_canceled:
                continue
            if entry.losses > MAX_LOSSES:
                self._ended.append(TaskResult(entry.task, self._lost(entry.task)))
            else:
                self._waiting.appendleft(entry)
