"""Training tasks that are submitted one after another, as the results of others come in."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple, Self

from nncli.base.errors import NncliError
from nncli.data.sources.local_copies import copies_in_use
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.executor import Workers
from nncli.fitting.parallel.task import TaskStatus, TrainingTask, run_task, task_events
from nncli.fitting.train.events import Progress

SECONDS_BETWEEN_POLLS = 0.25
MAX_LOSSES = 4
"""How often the process of a task may be lost."""


class TaskResult(NamedTuple):
    """A task that has ended: its status, or the error that it ended with."""

    task: TrainingTask
    outcome: TaskStatus | NncliError


class TaskStream:
    """Runs training tasks in worker processes, on a Dask cluster, or with one worker in this process.

    `tasks` is the largest number of tasks that may be useful at a time; `stop` is called a few times a second, in this
    process after every batch. A task whose process is lost starts again.
    """

    def __init__(
        self,
        tasks: int,
        control: ControlDirectory,
        workers: Workers,
        stop: Callable[[], bool],
    ) -> None:
        self.workers = workers.count(tasks)
        """The number of tasks that run at a time."""
        self._control, self._stop = control, stop
        self._where = workers
        self._stopped = False
        self._waiting: deque[TrainingTask] = deque()
        self._running: dict[Future[TaskStatus], TrainingTask] = {}
        self._here: tuple[TrainingTask, Generator[Progress, None, TaskStatus]] | None = None
        self._canceled: set[int] = set()
        self._losses: Counter[int] = Counter()
        self._executor: Executor | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self._control.open()
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._control.stop()
            if self._here is not None:
                self._here[1].close()
            self._resources.__exit__(cls, error, traceback)
        finally:
            self._control.close()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._running) + (self._here is not None)

    @property
    def is_running(self) -> bool:
        """Whether a task runs."""
        return bool(self._running) or self._here is not None

    @property
    def has_room(self) -> bool:
        """Whether a task that is submitted now would start at once."""
        return len(self) < self.workers

    def stopped(self) -> bool:
        """Whether `stop` has returned True once."""
        self._stopped = self._stopped or self._stop()
        return self._stopped

    def submit(self, task: TrainingTask) -> None:
        """Add a task."""
        self._waiting.append(task)

    def cancel(self, numbers: Iterable[int]) -> None:
        """Remove tasks that wait, and have those saved that run. They have no result."""
        numbers = set(numbers)
        self._waiting = deque(task for task in self._waiting if task.number not in numbers)
        for task in self._running.values():
            if task.number in numbers:
                self._canceled.add(task.number)
                self._control.stop_task(task.number)

    def wait(self) -> list[TaskResult]:
        """The tasks that have ended since the last call; waits for a moment if none has.

        After a stop the tasks that run are saved and come back as stopped, and those that wait do not start.

        Raises:
            UsageError: there is no such cluster.
            NncliError: the process of a task was lost too often.
        """
        if self.workers == 1 and not self._where.are_remote:
            return self._run_one_here()
        self._start()
        if not self._running:
            return []
        finished, _ = wait(self._running, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
        if self.stopped():
            self._control.stop()
        else:
            self._control.heartbeat()
        return [result for future in finished if (result := self._result(future)) is not None]

    def _run_one_here(self) -> list[TaskResult]:
        """Go on with a task in this process for a moment."""
        if self._here is None:
            if not self._waiting or self.stopped():
                return []
            task = self._waiting.popleft()
            self._here = task, task_events(task, self._control, self.stopped)
        task, events = self._here
        try:
            next(events)
        except StopIteration as end:
            outcome: TaskStatus | NncliError = end.value
        except NncliError as error:
            outcome = error
        else:
            return []
        self._here = None
        return [TaskResult(task, outcome)]

    def _start(self) -> None:
        """Start waiting tasks, up to the number of workers."""
        if self._executor is None and self._waiting and not self.stopped():
            self._executor = self._resources.enter_context(self._where.executor(self.workers))
        copies, lost = copies_in_use(), self._where.lost_errors
        while self._waiting and self._executor is not None and len(self._running) < self.workers:
            if self.stopped():
                return
            task = self._waiting.popleft()
            try:
                self._running[self._executor.submit(run_task, task, self._control, copies)] = task
            except lost:
                self._lose(task)

    def _result(self, future: Future[TaskStatus]) -> TaskResult | None:
        """The result of a task; None if it starts again, or was canceled."""
        task = self._running.pop(future, None)
        if task is None:  # it was lost with another one
            return None
        try:
            outcome: TaskStatus | NncliError = future.result()
        except self._where.lost_errors:
            self._lose(task)
            return None
        except NncliError as error:
            outcome = error
        if task.number in self._canceled:
            return None
        if isinstance(outcome, TaskStatus) and outcome.status == "stopped" and not self.stopped():
            self._waiting.appendleft(task)  # its worker was terminated, or missed the heartbeat
            return None
        return TaskResult(task, outcome)

    def _lose(self, lost: TrainingTask) -> None:
        """Count the loss of a task, and start it again: in another executor, since a process pool is broken as a whole.

        Raises:
            NncliError: it was lost too often.
        """
        self._losses[lost.number] += 1
        if self._losses[lost.number] > MAX_LOSSES:
            raise NncliError(
                f"the process of a training ended before its time, {self._losses[lost.number]} times: perhaps the "
                "system was short of memory and killed it",
                hint="What was saved is there. Resume with fewer workers: --workers 1",
            )
        tasks = [lost]
        if not self._where.are_remote:
            tasks += self._running.values()
            self._running.clear()
            self._resources.close()
            self._executor = None
        self._waiting.extendleft(task for task in reversed(tasks) if task.number not in self._canceled)
