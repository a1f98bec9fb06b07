"""A training as a task: it gives the same bits in whichever process, and however often it is restarted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nncli.base.errors import RunLockedError
from nncli.config.schema import Config
from nncli.data.sources.local_copies import LocalCopies
from nncli.fitting.parallel.control_dir import POLL_SECONDS, ControlDirectory, EpochsWriter, StopCheck
from nncli.fitting.parallel.executor import shutdown_requested, task_lock
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.train.events import Event, Progress, Started
from nncli.fitting.train.single import resume_network, train_network
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.runs.config import read_config
from nncli.runs.manifest import Manifest
from nncli.runs.run import Run

LOCK_TIMEOUT = 30.0
"""Seconds to wait for a run that another process writes: a task whose parent was killed stops within this time."""


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
        return is_done(manifest, _changes(run, self.config)) or self.is_exceeded(run)


def _epochs(config: Config) -> int:
    return 0 if config.epochs == "auto" else config.epochs


@dataclass(frozen=True)
class TaskStatus:
    """The status of a task's run."""

    status: Literal["done", "stopped"]
    epochs: int
    best_epoch: int

    @classmethod
    def read(cls, task: TrainingTask, *, is_new: bool = False) -> TaskStatus:
        """Read the status from the manifest; a task that was not started has no run.

        The configuration of a run that `is_new` is that of the task.
        """
        if not os.path.lexists(task.path):
            return cls("stopped", 0, 0)
        run = Run.open(Path(task.path))
        manifest = run.load_manifest()
        done = manifest.status == "done" if is_new and task.last_epoch is None else task.is_done(run, manifest)
        return cls("done" if done else "stopped", manifest.epochs, manifest.best_epoch)


def run_task(task: TrainingTask, control: ControlDirectory, copies: LocalCopies | None = None) -> TaskStatus:
    """Start or resume a task, reading `copies` of tables; nothing is done if it is complete.

    Raises:
        NncliError: as for a training.
    """
    with task_lock, (copies or LocalCopies()).in_use():
        stop = StopCheck(control, shutdown_requested.is_set, task.number)
        return TaskStatus.read(task) if stop() else run_here(task, control, stop)


def run_here(task: TrainingTask, control: ControlDirectory, stop: Callable[[], bool]) -> TaskStatus:
    """Run a task to its end, or until it is stopped.

    Raises:
        NncliError: as for a training.
    """
    events = task_events(task, control, stop)
    while True:
        try:
            next(events)
        except StopIteration as end:
            status: TaskStatus = end.value
            return status


def task_events(
    task: TrainingTask, control: ControlDirectory, stop: Callable[[], bool]
) -> Generator[Progress, None, TaskStatus]:
    """Run a task; write and yield its progress, a few times a second at most, and return its status."""
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
    status = TaskStatus.read(task, is_new=is_new)
    progress = replace(progress, epoch=status.epochs, best_epoch=status.best_epoch, done=status.status == "done")
    control.write_progress(task.number, progress)
    yield progress
    return status


def update_progress(progress: Progress, event: Event) -> Progress:
    """The progress after one more event of the training."""
    if isinstance(event, Started):
        updated = replace(progress, epochs=event.epochs, metric=event.monitor, findings=event.findings)
        return replace(updated, epoch=event.done)
    if isinstance(event, LearningRateHalved):
        return replace(progress, epoch=event.epoch)
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
