"""A pool of training tasks: submitted to an executor, monitored, and resubmitted when a worker is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Literal

from nncli.errors import NncliError
from nncli.pipeline.parallel.control_dir import ControlDirectory
from nncli.pipeline.parallel.executor import open_executor, worker_lost_errors, workers_for
from nncli.pipeline.parallel.task import TaskStatus, TrainingTask, run_task, task_events
from nncli.pipeline.train.events import MembersProgress, Progress
from nncli.utils.logs import log_duration

SECONDS_BETWEEN_POLLS = 0.25
WORTH_A_PROCESS = 3.0
"""Seconds of training from which worker processes pay off: starting one takes about that long."""
MAX_RETRIES = 3
"""How often a new executor is opened after a worker was lost."""


@dataclass
class TaskPool:
    """Training tasks that run in worker processes, on a Dask cluster, or in this process.

    `stop` is called a few times a second, in this process after every batch. With `workers: auto` the tasks first run
    in this process for a few seconds; unfinished ones then continue in worker processes.
    """

    tasks: Sequence[TrainingTask]
    control: ControlDirectory
    requested_workers: int | Literal["auto"]
    scheduler: str | None
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.outcomes: dict[int, TaskStatus] = {}
        self._stopped = False
        self._progress = {task.number: Progress() for task in self.tasks}

    def stopped(self) -> bool:
        """Whether `stop` has returned True once."""
        self._stopped = self._stopped or self.stop()
        return self._stopped

    @property
    def workers(self) -> int:
        """The number of tasks that run at a time."""
        return len(self.tasks) if self.scheduler else workers_for(len(self.tasks), self.requested_workers)

    @property
    def progress(self) -> MembersProgress:
        """The latest known progress of all tasks."""
        return MembersProgress(tuple(self._progress.values()))

    def run(self) -> Generator[MembersProgress, None, None]:
        """Run all tasks; `outcomes` then holds the status of each by its number. One worker means this process.

        Raises:
            NncliError: a task failed, and the others were stopped; or workers were lost too often.
            UsageError: there is no such scheduler.
        """
        self.control.open()
        try:
            with log_duration("training") as stage:
                stage.details.append(f"{len(self.tasks):,} networks, {self.workers:,} at a time")
                yield from self._run()
        finally:
            self.control.close()

    def _run(self) -> Generator[MembersProgress, None, None]:
        if self.scheduler or self.requested_workers != "auto" or self.workers == 1:
            yield from self._run_locally() if self.workers == 1 and not self.scheduler else self._run_in_workers()
            return
        yield from self._run_locally(WORTH_A_PROCESS)
        if not self.stopped() and any(result.status == "stopped" for result in self.outcomes.values()):
            self.outcomes = {n: result for n, result in self.outcomes.items() if result.status == "done"}
            yield from self._run_in_workers()

    def _run_locally(self, seconds: float = inf) -> Generator[MembersProgress, None, None]:
        end = time.monotonic() + seconds

        def enough() -> bool:
            return self.stopped() or time.monotonic() > end

        for task in self.tasks:
            if not enough():
                for progress in task_events(task, self.control, enough):
                    self._progress[task.number] = progress
                    yield self.progress
            self.outcomes[task.number] = TaskStatus.read(task)

    def _run_in_workers(self) -> Generator[MembersProgress, None, None]:
        lost = worker_lost_errors(self.scheduler)
        for _ in range(1 + MAX_RETRIES):
            self.control.heartbeat()
            try:
                with open_executor(self.workers, self.scheduler) as executor, self._stop_on_error():
                    yield from self._submit(executor)
                return
            except lost:
                if self.stopped():  # the same signal may have ended the workers
                    for task in self.tasks:
                        self.outcomes.setdefault(task.number, TaskStatus.read(task))
                    return
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
            self.control.stop()
            raise

    def _submit(self, executor: Executor) -> Generator[MembersProgress, None, None]:
        """Submit the unfinished tasks, and wait until they are done, or saved after a stop."""
        todo = [task for task in self.tasks if task.number not in self.outcomes]
        futures: dict[Future[TaskStatus], TrainingTask] = {executor.submit(run_task, t, self.control): t for t in todo}
        while futures:
            finished, _ = wait(futures, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
            asked = self.stopped()
            for future in finished:
                task, result = futures.pop(future), future.result()
                if result.status == "stopped" and not asked:  # its worker was terminated, or missed the heartbeat
                    futures[executor.submit(run_task, task, self.control)] = task
                else:
                    self.outcomes[task.number] = result
            if asked:
                self.control.stop()
            else:
                self.control.heartbeat()
            self._read_progress()
            yield self.progress

    def _read_progress(self) -> None:
        for number in self._progress:
            self._progress[number] = self.control.read_progress(number) or self._progress[number]
