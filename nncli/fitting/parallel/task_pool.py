"""A pool of training tasks: submitted to an executor, monitored, and resubmitted when a worker is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from nncli.base.errors import NncliError
from nncli.base.logs import log_duration
from nncli.data.sources.local_copies import copies_in_use
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.executor import Workers
from nncli.fitting.parallel.task import TaskStatus, TrainingTask, run_task, task_events
from nncli.fitting.timing.estimate import LONG_TASK, WORTH_A_PROCESS
from nncli.fitting.train.events import MembersProgress, Progress

SECONDS_BETWEEN_POLLS = 0.25
FURTHER_CYCLES = 2.0
"""Factor of the seconds that are left if further cycles are likely to follow."""
MAX_RETRIES = 3
"""How often a new executor is opened after a worker was lost."""


class TaskPool:
    """Training tasks that run in worker processes, on a Dask cluster, or in this process; one worker means this one.

    `tasks` of them are run at a time, `stop` is called a few times a second, in this process after every batch. With
    `workers` auto they first run in this process, as long as little is left; unfinished ones then continue in
    worker processes. `outcomes` holds the status of each task by its number.

    Raises:
        UsageError: there is no such cluster.
    """

    def __init__(
        self,
        tasks: int,
        control: ControlDirectory,
        workers: Workers,
        stop: Callable[[], bool],
    ) -> None:
        self.outcomes: dict[int, TaskStatus] = {}
        self.workers = workers.count(tasks)
        """The number of tasks that run at a time."""
        self._control, self._stop = control, stop
        self._where = workers
        self._starts_here = workers.begin_here(tasks)
        self._progress = dict.fromkeys(range(tasks), Progress())
        self._stopped = False
        self._executor: Executor | None = None
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        self._control.open()
        return self

    def __exit__(
        self, cls: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._resources.__exit__(cls, error, traceback)
        finally:
            self._control.close()

    def stopped(self) -> bool:
        """Whether `stop` has returned True once."""
        self._stopped = self._stopped or self._stop()
        return self._stopped

    @property
    def progress(self) -> MembersProgress:
        """The latest known progress of all tasks."""
        return MembersProgress(tuple(self._progress.values()))

    def run(self, tasks: Sequence[TrainingTask]) -> Generator[MembersProgress, None, None]:
        """Run tasks until they are done, or saved after a stop; worker processes stay for the next call.

        Raises:
            NncliError: a task failed, and the others were stopped; or workers were lost too often.
        """
        with log_duration("training") as stage:
            stage.details.append(f"{len(tasks):,} networks, {self.workers:,} at a time")
            for task in tasks:
                self.outcomes.pop(task.number, None)
            if self._starts_here and self._executor is None:
                yield from self._run_here(tasks)
            if not self.stopped():
                yield from self._run_in_workers(tasks)
            for task in tasks:
                self.outcomes.setdefault(task.number, TaskStatus.read(task))

    def _run_here(self, tasks: Sequence[TrainingTask]) -> Generator[MembersProgress, None, None]:
        """Run tasks in this process; with several workers only as long as little is left."""
        start, done = time.monotonic(), 0

        def enough() -> bool:
            seconds = time.monotonic() - start
            if self.stopped() or self.workers == 1:
                return self._stopped
            if not done:
                return seconds > LONG_TASK
            left = seconds / done * (len(tasks) - done)
            return left * (FURTHER_CYCLES if tasks[0].by_cycles else 1.0) > WORTH_A_PROCESS

        for task in tasks:
            if not enough():
                for progress in task_events(task, self._control, enough):
                    self._progress[task.number] = progress
                    yield self.progress
            status = TaskStatus.read(task)
            if status.status == "done":
                self.outcomes[task.number] = status
                done += 1

    def _run_in_workers(self, tasks: Sequence[TrainingTask]) -> Generator[MembersProgress, None, None]:
        lost = self._where.lost_errors
        for _ in range(1 + MAX_RETRIES):
            unfinished = [task for task in tasks if task.number not in self.outcomes]
            if not unfinished:
                return
            self._control.heartbeat()
            try:
                with self._stop_on_error():
                    yield from self._submit(unfinished)
            except lost:
                self._resources.close()
                self._executor = None
                if self.stopped():  # the same signal may have ended the workers
                    for task in unfinished:
                        self.outcomes.setdefault(task.number, TaskStatus.read(task))
        if any(task.number not in self.outcomes for task in tasks):
            raise NncliError(
                f"processes that trained members ended before their time, {1 + MAX_RETRIES} times: "
                "perhaps the system was short of memory and killed them",
                hint="What they had saved is there. Resume with fewer at a time: --set workers=1",
            )

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        """Signal the tasks to save and stop when an error or a signal ends the block."""
        try:
            yield
        except BaseException:
            self._control.stop()
            raise

    def _submit(self, tasks: Sequence[TrainingTask]) -> Generator[MembersProgress, None, None]:
        """Submit tasks, and wait until they are done, or saved after a stop."""
        if self._executor is None:
            self._executor = self._resources.enter_context(self._where.executor(self.workers))
        executor, copies = self._executor, copies_in_use()
        futures: dict[Future[TaskStatus], TrainingTask] = {
            executor.submit(run_task, t, self._control, copies): t for t in tasks
        }
        while futures:
            finished, _ = wait(futures, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
            asked = self.stopped()
            for future in finished:
                task, result = futures.pop(future), future.result()
                if result.status == "stopped" and not asked:  # its worker was terminated, or missed the heartbeat
                    futures[executor.submit(run_task, task, self._control, copies)] = task
                else:
                    self.outcomes[task.number] = result
            if asked:
                self._control.stop()
            else:
                self._control.heartbeat()
            self._read_progress()
            yield self.progress

    def _read_progress(self) -> None:
        for number in self._progress:
            self._progress[number] = self._control.read_progress(number) or self._progress[number]
