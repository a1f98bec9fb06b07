"""Tasks handed to an executor, watched until all are done, and handed out again when their process was lost."""

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
"""Seconds of work from which processes pay: to begin one takes about that long."""
MAX_RETRIES = 3
"""How often a new pool is opened where a process was lost."""


@dataclass
class TaskPool:
    """Tasks, done by so many `workers`, or those of a Dask cluster. `stop` is asked a few times a second, and in this
    process after every batch.

    Where nobody says how many workers, a first few seconds are worked here: what is done by then needs no processes,
    and what is not goes on in them from where it was saved.
    """

    tasks: Sequence[TrainingTask]
    control: ControlDirectory
    wanted: int | Literal["auto"]
    scheduler: str | None
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.outcomes: dict[int, TaskStatus] = {}
        self._stopped = False
        self._progress = {task.number: Progress() for task in self.tasks}

    def stopped(self) -> bool:
        """Whether `stop` has answered True, once being enough."""
        self._stopped = self._stopped or self.stop()
        return self._stopped

    @property
    def workers(self) -> int:
        """How many tasks are done at a time."""
        return len(self.tasks) if self.scheduler else workers_for(len(self.tasks), self.wanted)

    @property
    def progress(self) -> MembersProgress:
        """As far as it is known."""
        return MembersProgress(tuple(self._progress.values()))

    def run(self) -> Generator[MembersProgress, None, None]:
        """Do all tasks; `outcomes` then has one for each, by its number. With one worker they are done here, in turn.

        Raises:
            NncliError: a task failed, after the others were told to save and stop; or processes were lost too often.
            UsageError: there is no such scheduler.
        """
        self.control.open()
        try:
            with log_duration("training") as told:
                told.details.append(f"{len(self.tasks):,} networks, {self.workers:,} at a time")
                yield from self._run()
        finally:
            self.control.close()

    def _run(self) -> Generator[MembersProgress, None, None]:
        if self.scheduler or self.wanted != "auto" or self.workers == 1:
            yield from self._run_locally() if self.workers == 1 and not self.scheduler else self._run_in_workers()
            return
        yield from self._run_locally(WORTH_A_PROCESS)
        if not self.stopped() and any(outcome.status == "stopped" for outcome in self.outcomes.values()):
            self.outcomes = {n: outcome for n, outcome in self.outcomes.items() if outcome.status == "done"}
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
                with open_executor(self.workers, self.scheduler) as executor, self._told_to_stop():
                    yield from self._submit(executor)
                return
            except lost:
                if self.stopped():  # whoever told us to stop may have told the processes too
                    for task in self.tasks:
                        self.outcomes.setdefault(task.number, TaskStatus.read(task))
                    return
        raise NncliError(
            f"processes that trained members ended before their time, {1 + MAX_RETRIES} times: "
            "perhaps the system was short of memory and killed them",
            hint="What they had saved is there. Resume with fewer at a time: --set workers=1",
        )

    @contextmanager
    def _told_to_stop(self) -> Iterator[None]:
        """Whatever ends the block before its time, tasks are told to save and to stop before they are waited for."""
        try:
            yield
        except BaseException:
            self.control.stop()
            raise

    def _submit(self, executor: Executor) -> Generator[MembersProgress, None, None]:
        """Hand out what is not done, and watch until it is, or, asked to stop, until all is saved."""
        todo = [task for task in self.tasks if task.number not in self.outcomes]
        futures: dict[Future[TaskStatus], TrainingTask] = {executor.submit(run_task, t, self.control): t for t in todo}
        while futures:
            finished, _ = wait(futures, SECONDS_BETWEEN_POLLS, FIRST_COMPLETED)
            asked = self.stopped()
            for future in finished:
                task, outcome = futures.pop(future), future.result()
                if outcome.status == "stopped" and not asked:  # its process was told to go, or thought itself alone
                    futures[executor.submit(run_task, task, self.control)] = task
                else:
                    self.outcomes[task.number] = outcome
            if asked:
                self.control.stop()
            else:
                self.control.heartbeat()
            self._look()
            yield self.progress

    def _look(self) -> None:
        for number in self._progress:
            self._progress[number] = self.control.read_progress(number) or self._progress[number]
