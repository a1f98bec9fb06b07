"""A training as a task: whoever does it, wherever, and however often it is begun, it leads to the same bits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.errors import RunLockedError
from nncli.pipeline.parallel.control_dir import BETWEEN_LOOKS, ControlDirectory, StopCheck
from nncli.pipeline.parallel.executor import shutdown_requested, task_lock
from nncli.pipeline.train.events import Event, Progress, Started
from nncli.pipeline.train.single import resume_network, train_network
from nncli.runs.manifest import CONFIG, Manifest
from nncli.runs.run import Run
from nncli.training.loop import EpochReport, LearningRateHalved

SECONDS_FOR_ANOTHER = 30.0
"""How long a run that somebody else writes is waited for: a task left behind by a killed parent is about to stop."""


@dataclass(frozen=True)
class TrainingTask:
    """Train `config`, which is that of one network, into the directory `path`. It is the task `number`, from 0."""

    number: int
    config: Config
    path: str


@dataclass(frozen=True)
class TaskStatus:
    """What came of a task."""

    status: Literal["done", "stopped"]
    epochs: int
    best_epoch: int

    @classmethod
    def read(cls, task: TrainingTask) -> TaskStatus:
        """How the run of a task stands; one that was not begun has no run."""
        if not os.path.lexists(task.path):
            return cls("stopped", 0, 0)
        manifest = Run.open(Path(task.path)).load_manifest()
        return cls("done" if manifest.status == "done" else "stopped", manifest.epochs, manifest.best_epoch)


def run_task(task: TrainingTask, control: ControlDirectory) -> TaskStatus:
    """Do the task from wherever it stands: what is done is left alone, what was begun goes on.

    Raises:
        NncliError: as for a training.
    """
    with task_lock:
        stop = StopCheck(control, shutdown_requested.is_set)
        if not stop():
            for _ in task_events(task, control, stop):
                pass
        return TaskStatus.read(task)


def task_events(
    task: TrainingTask, control: ControlDirectory, stop: Callable[[], bool]
) -> Generator[Progress, None, None]:
    """Do the task, noting and yielding how far it has come, a few times a second at the most."""
    progress, next_note = Progress(), 0.0
    for event in _wait_for_lock(task, stop):
        progress = update_progress(progress, event)
        if time.monotonic() >= next_note or isinstance(event, Started):
            next_note = time.monotonic() + BETWEEN_LOOKS
            control.write_progress(task.number, progress)
            yield progress
    manifest = Run.open(Path(task.path)).load_manifest()
    progress = replace(progress, epoch=manifest.epochs, best_epoch=manifest.best_epoch, done=manifest.status == "done")
    control.write_progress(task.number, progress)
    yield progress


def update_progress(progress: Progress, event: Event) -> Progress:
    """The progress after one more event of the training."""
    if isinstance(event, Started):
        known = replace(progress, epochs=event.epochs, metric=event.metric or "loss", notes=event.notes)
        return replace(known, epoch=event.done)
    if isinstance(event, LearningRateHalved):
        return replace(progress, epoch=event.epoch)
    if not isinstance(event, EpochReport):
        return progress
    if event.is_best:
        value = event.loss if event.metric is None else event.metric
        progress = replace(progress, best_epoch=event.epoch, value=value)
    return replace(progress, epoch=event.epoch)


def _wait_for_lock(task: TrainingTask, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    """The training's events, once nobody else is writing the run."""
    end = time.monotonic() + SECONDS_FOR_ANOTHER
    while True:
        try:
            yield from _events(task, stop)
        except RunLockedError:
            if time.monotonic() > end or stop():
                raise
            time.sleep(BETWEEN_LOOKS)
        else:
            return


def _events(task: TrainingTask, stop: Callable[[], bool]) -> Generator[Event, None, None]:
    path = Path(task.path)
    if not os.path.lexists(path):
        yield from train_network(task.config, path, stop=stop)
        return
    run = Run.open(path)
    changes = _changes(run, task.config)
    if not is_done(run.load_manifest(), changes):
        yield from resume_network(run, changes, stop=stop)


def is_done(manifest: Manifest, changes: list[str]) -> bool:
    """Whether there is nothing left to do of a run."""
    return manifest.status == "done" and not any(change.startswith("epochs=") for change in changes)


def _changes(run: Run, wanted: Config) -> list[str]:
    """What of the run's configuration is set anew, as assignments."""
    now, changes = load_config(run.path / CONFIG), []
    if wanted.epochs not in ("auto", now.epochs):
        changes.append(f"epochs={wanted.epochs}")
    if now.checkpoint != wanted.checkpoint:
        changes.append(f"checkpoint={wanted.checkpoint.model_dump_json()}")
    if now.memory_limit != wanted.memory_limit:
        changes.append(f"memory_limit={wanted.memory_limit}")
    return changes
