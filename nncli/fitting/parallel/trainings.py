"""Trainings as tasks: run in worker processes, on a Dask cluster or in this process, watched, stopped and resumed.

What may not be broken: a training begun anywhere, any number of times, leads to the same bits. A run that is done is
left as it is, and an unfinished one goes on from its checkpoint. Tasks hear of their parent, and it of them, through
the small files of a control directory.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from nncli.base.errors import Advice, ConfigError, DataError, NncliError, RunLockedError, SetKey
from nncli.base.logs import log_duration
from nncli.config.schema import Config
from nncli.data.sources.local_copies import LocalCopies, copies_in_use
from nncli.fitting.parallel.control_dir import POLL_SECONDS, ControlDirectory, EpochsWriter, StopCheck
from nncli.fitting.parallel.task_stream import (
    MAX_LOSSES,
    TaskResult,
    TaskStream,
    Workers,
    shutdown_requested,
    task_lock,
)
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.timing import LONG_TASK, WORTH_A_PROCESS
from nncli.fitting.train.events import Event, HealthWarning, MembersProgress, Progress, Started
from nncli.fitting.train.single import resume_network, train_network
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.run_directory.config import read_config
from nncli.run_directory.manifest import Manifest
from nncli.run_directory.run import Run

LOCK_TIMEOUT = 30.0
"""Seconds to wait for a run that another process writes: a task whose parent was killed stops within this time."""
FURTHER_CYCLES = 2.0
"""Factor of the seconds that are left if further cycles are likely to follow."""


@dataclass(frozen=True)
class TrainingTask:
    """The training of one network, `config`, into the directory `path`; tasks are numbered from 0.

    With `snapshots` the weights after some epochs are kept. With `by_cycles` a run that was begun for more epochs has
    done what this task asks for. The `execution` is chosen unless that of another run is given. After `last_epoch` the
    training is left unfinished.
    """

    number: int
    config: Config
    path: str
    snapshots: bool = False
    by_cycles: bool = False
    execution: Execution | None = None
    last_epoch: int | None = None

    def is_exceeded(self, run: Run) -> bool:
        """Whether the run was begun for more epochs, after it was done for those of this task."""
        return self.by_cycles and _epochs(read_config(run.path)) > _epochs(self.config)

    def is_done(self, run: Run, manifest: Manifest) -> bool:
        """Whether the run is complete, with the epochs of this task."""
        if self.last_epoch is not None and manifest.epochs >= self.last_epoch:
            return True
        if self.by_cycles and manifest.status == "done":  # all epochs of its configuration, which need not be parsed
            return manifest.epochs >= _epochs(self.config)
        return is_done(manifest, _changes(run, self.config)) or self.is_exceeded(run)

    def saved(self, *, is_new: bool = False) -> Progress:
        """The progress that the manifest tells; a task that was not started has no run.

        The configuration of a run that `is_new` is that of the task.
        """
        if not os.path.lexists(self.path):
            return Progress()
        run = Run.open(Path(self.path))
        manifest = run.load_manifest()
        done = manifest.status == "done" if is_new and self.last_epoch is None else self.is_done(run, manifest)
        return Progress(epoch=manifest.epochs, best_epoch=manifest.best_epoch, done=done)


def _epochs(config: Config) -> int:
    return 0 if config.epochs == "auto" else config.epochs


def run_task(task: TrainingTask, control: ControlDirectory, copies: LocalCopies | None = None) -> Progress:
    """Start or resume a task, reading `copies` of tables; nothing is done if it is complete.

    Raises:
        NncliError: as for a training.
    """
    with task_lock, (copies or LocalCopies()).in_use():
        stop = StopCheck(control, shutdown_requested.is_set, task.number)
        if stop():
            return task.saved()
        events = task_events(task, control, stop)
        while True:
            try:
                next(events)
            except StopIteration as end:
                saved: Progress = end.value
                return saved


def task_events(
    task: TrainingTask, control: ControlDirectory, stop: Callable[[], bool]
) -> Generator[Progress, None, Progress]:
    """Run a task; write and yield its progress, a few times a second at most, and return what is saved of it."""
    progress, next_note, epochs = Progress(), 0.0, EpochsWriter(control, task.number)
    is_new = not os.path.lexists(task.path)
    for event in _wait_for_lock(task, stop):
        progress = update_progress(progress, event)
        epochs.add(event)
        if time.monotonic() >= next_note or isinstance(event, Started):
            next_note = time.monotonic() + POLL_SECONDS
            epochs.write()
            control.write_progress(task.number, progress)
            yield progress
    saved = task.saved(is_new=is_new)
    progress = replace(progress, epoch=saved.epoch, best_epoch=saved.best_epoch, done=saved.done)
    control.write_progress(task.number, progress)
    yield progress
    return saved


def update_progress(progress: Progress, event: Event) -> Progress:
    """The progress after one more event of the training."""
    if isinstance(event, Started):
        updated = replace(progress, epochs=event.epochs, metric=event.monitor, findings=event.findings)
        return replace(updated, epoch=event.done)
    if isinstance(event, LearningRateHalved):
        return replace(progress, epoch=event.epoch)
    if isinstance(event, HealthWarning):
        return replace(progress, findings=(*progress.findings, event.finding))
    if not isinstance(event, EpochReport):
        return progress
    if event.is_best:
        progress = replace(progress, best_epoch=event.epoch, value=event.monitored(progress.metric))
    return replace(progress, epoch=event.epoch)


def _wait_for_lock(task: TrainingTask, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    """The events of the training, once no other process writes the run."""
    end = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            yield from until_epoch(_events(task, stop), task.last_epoch)
        except RunLockedError:
            if time.monotonic() > end or stop():
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def until_epoch(events: Generator[Event, None, None], last_epoch: int | None) -> Generator[Event, None, None]:
    """The events of a training, which is ended after `last_epoch`; all without one."""
    with closing(events):
        for event in events:
            yield event
            if last_epoch is not None and isinstance(event, EpochReport) and event.epoch >= last_epoch:
                return


def _events(task: TrainingTask, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    path = Path(task.path)
    if not os.path.lexists(path):
        yield from train_network(
            task.config, path, stop=stop, with_checks=False, snapshots=task.snapshots, execution=task.execution
        )
        return
    run = Run.open(path)
    if task.is_exceeded(run):
        return
    changes = _changes(run, task.config)
    if not is_done(run.load_manifest(), changes):
        yield from resume_network(run, changes, stop=stop, with_checks=False, snapshots=task.snapshots)


def is_done(manifest: Manifest, changes: list[str]) -> bool:
    """Whether a run is complete."""
    return manifest.status == "done" and not any(change.startswith("epochs=") for change in changes)


def _changes(run: Run, new_config: Config) -> list[str]:
    """The changes to the configuration of a run, as assignments."""
    current, changes = read_config(run.path), []
    if new_config.epochs not in ("auto", current.epochs):
        changes.append(f"epochs={new_config.epochs}")
    if current.checkpoint != new_config.checkpoint:
        changes.append(f"checkpoint={new_config.checkpoint.model_dump_json()}")
    if current.memory_limit != new_config.memory_limit:
        changes.append(f"memory_limit={new_config.memory_limit}")
    return changes


TrainingResult: TypeAlias = TaskResult[TrainingTask, Progress]


FEWER_WORKERS = "What was saved is there. Resume with fewer workers: "
RESUME_WITH_FEWER = Advice(FEWER_WORKERS, SetKey("workers", "1"))
MORE_MEMORY = "Close other programs, or use a machine with more memory, and start it again."
"""What helps where a run is resumed with other settings, and where it is not."""


class TrainingStream(TaskStream[TrainingTask, Progress]):
    """Trainings in worker processes or on a Dask cluster; with one worker they run in this process.

    `tasks` is the largest number of them that may be useful at a time, `few_at_a_time` says how to have few of them.
    Trainings that take long do not begin in this process. `stop` is called a few times a second, in this process after
    every batch. `outcomes` holds what is saved of each task that `run` was given, by its number.
    """

    def __init__(
        self,
        tasks: int,
        control: ControlDirectory,
        workers: Workers,
        stop: Callable[[], bool],
        few_at_a_time: str = RESUME_WITH_FEWER,
        *,
        is_long: bool = False,
    ) -> None:
        work = partial(run_task, control=control, copies=copies_in_use())
        super().__init__(work, self._of_lost, tasks, workers, stop)
        self.outcomes: dict[int, Progress] = {}
        self._control, self._few_at_a_time = control, few_at_a_time
        self._progress = dict.fromkeys(range(tasks), Progress())
        self._is_here = self.workers == 1 and not workers.are_remote
        self._may_begin_here = workers.begin_here(tasks) and not (is_long and self.workers > 1)
        self._here: tuple[TrainingTask, Generator[Progress, None, Progress]] | None = None
        self._start_here, self._done_here, self._factor = 0.0, 0, 1.0

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
            super().__exit__(cls, error, traceback)
        finally:
            self._control.close()

    @property
    def running(self) -> list[TrainingTask]:
        """The tasks that run, here or elsewhere."""
        return super().running if self._here is None else [self._here[0]]

    def cancel(self, is_meant: Callable[[TrainingTask], bool]) -> None:
        """Remove tasks that wait, and have those saved that run in other processes. They have no result."""
        super().cancel(is_meant)
        for task in filter(is_meant, self.running):
            self._control.stop_task(task.number)

    def run(self, tasks: Sequence[TrainingTask]) -> Generator[MembersProgress, None, None]:
        """Run tasks until they are done, or saved after a stop; worker processes stay for the next call.

        With `workers: auto` they first run in this process, as long as little is left.

        Raises:
            UsageError: there is no such cluster.
            NncliError: a task failed, or its process was lost too often.
        """
        with log_duration("training") as stage:
            stage.details.append(f"{len(tasks):,} networks, {self.workers:,} at a time")
            for task in tasks:
                self.outcomes.pop(task.number, None)
                saved = task.saved()
                if saved.done:
                    self.outcomes[task.number] = self._progress[task.number] = saved
                else:
                    self.submit(task)
            if len(self) < len(tasks):
                yield self._members_progress
            self._is_here |= self._may_begin_here
            self._start_here, self._done_here = time.monotonic(), 0
            self._factor = FURTHER_CYCLES if any(task.by_cycles for task in tasks) else 1.0
            while not self.has_ended:
                results = self.wait()
                for task, outcome in results:
                    if isinstance(outcome, NncliError):
                        raise outcome
                    self.outcomes[task.number] = outcome
                for task in [*(result.job for result in results), *self.running]:
                    progress = self._control.read_progress(task.number)
                    self._progress[task.number] = progress or self._progress[task.number]
                yield self._members_progress
            self.outcomes |= {task.number: task.saved() for task in tasks if task.number not in self.outcomes}

    @property
    def _members_progress(self) -> MembersProgress:
        return MembersProgress(tuple(self._progress.values()))

    def wait(self) -> list[TrainingResult]:
        """As for any tasks. After a stop those that run are saved, and come back as stopped."""
        if self._here is None and self._is_here and self._is_worth_processes():
            self._is_here = self._may_begin_here = False
        if self._is_here:
            results = self._go_on_here()
        else:
            if self.stopped():
                self._control.stop()
            else:
                self._control.heartbeat()
            results = super().wait()
        ended = []
        for result in results:
            if isinstance(result.outcome, NncliError) or result.outcome.done or self.stopped():
                ended.append(result)
            else:  # its process was terminated, or missed the heartbeat, or others are to go on with it
                self.submit(result.job, first=True)
        return ended

    def _go_on_here(self) -> list[TrainingResult]:
        """Go on with a task in this process for a moment."""
        if self._here is None:
            if not self._waiting or self.stopped():
                return []
            task = self._waiting.popleft().job
            events = task_events(task, self._control, lambda: self.stopped() or self._is_worth_processes())
            self._here = task, events
        task, events = self._here
        try:
            next(events)
        except StopIteration as end:
            outcome: Progress | NncliError = end.value
        except NncliError as error:
            outcome = error
        else:
            return []
        self._here = None
        self._done_here += isinstance(outcome, Progress) and outcome.done
        return [TaskResult(task, outcome)]

    def _is_worth_processes(self) -> bool:
        """Whether so much is left that worker processes, which have to start, would be faster than this one."""
        if self.workers == 1:
            return False
        seconds = time.monotonic() - self._start_here
        if not self._done_here:
            return seconds > LONG_TASK
        return seconds / self._done_here * len(self) * self._factor > WORTH_A_PROCESS

    def _of_lost(self, task: TrainingTask) -> Progress | NncliError:
        """What a task ends with whose process was lost too often; after a stop the same signal may have ended it."""
        if self.stopped():
            return task.saved()
        return NncliError(
            f"the process of a training ended before its time, {1 + MAX_LOSSES} times: perhaps the system was short of "
            "memory and killed it",
            hint=self._few_at_a_time,
        )


@contextmanager
def removed_if_untrained(path: Path, tasks: str, parent: Path) -> Iterator[None]:
    """Remove a new directory after an error of the configuration or the table, unless a training has started in it.

    `tasks` is the pattern of the trainings' folders in `path`. Empty folders between it and `parent`, which existed
    before, are removed too.
    """
    path = path.absolute()
    try:
        yield
    except (ConfigError, DataError):
        if not any(path.glob(tasks)):
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError, ValueError):  # a folder is not empty, or the path goes through ..
                for folder in path.parents[: path.parents.index(parent.absolute())]:
                    folder.rmdir()
        raise
