"""`nncli cross-validate`: the whole training, once for every fold of the rows, and scores on the rows it never saw.

config.yaml              the configuration of every fold, but for the fold that is left out
cross-validation.json    how many folds, of which table, and how far they have come
folds/1, folds/2 …       a run directory for each
metrics.json             the scores
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from nncli.config.loading import load_config
from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.data.store.scratch import Scratch
from nncli.errors import UsageError
from nncli.pipeline.ensemble.cross_validation import (
    CrossValidation,
    CrossValidationRecord,
    open_record,
    score_folds,
    start_record,
)
from nncli.pipeline.ensemble.member_config import as_subtask, check_members, check_table
from nncli.pipeline.ensemble.out_of_fold import EnsembleData
from nncli.pipeline.ensemble.train import WORK, EnsembleRun
from nncli.pipeline.parallel.control_dir import ControlDirectory
from nncli.pipeline.parallel.executor import workers_for
from nncli.pipeline.parallel.task import TaskStatus, TrainingTask
from nncli.pipeline.parallel.task_pool import TaskPool
from nncli.pipeline.train.events import MembersProgress, MembersStarted
from nncli.runs.filenames import FOLDS
from nncli.runs.run import Run


@dataclass(frozen=True)
class CrossValidated:
    """The trainings are over: with the scores, or, stopped, without."""

    path: Path
    result: CrossValidation | None


CrossEvent: TypeAlias = MembersStarted | MembersProgress | CrossValidated


def cross_validate(
    config: Config | str | Path,
    *,
    folds: int = 5,
    repeats: int = 1,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> CrossValidation | None:
    """Train on all folds but one, for each fold in turn, and score on that one; None where it was stopped.

    Args:
        config: a `Config`, a path, or `-` for the standard input.
        folds: into how many the rows are dealt: evenly over the classes, by `data.group` and `data.time` where given.
        repeats: how often all of it is done, each time with other folds.
        output: the directory to make; default: that of the configuration, and `-cv`.
        assignments: overrides such as `epochs=10`, for a path only.
        stop: asked a few times a second; once it answers True all trainings end and are saved.
        scheduler: the address of a Dask scheduler, to whose workers the trainings are handed.

    Raises:
        UsageError, ConfigError, DataError: nothing was started.
    """
    events = cross_validation_events(
        config, folds=folds, repeats=repeats, output=output, assignments=assignments, stop=stop, scheduler=scheduler
    )
    return _last(events)


def resume_cross_validation(
    path: str | Path, *, stop: Callable[[], bool] = lambda: False, scheduler: str | None = None
) -> CrossValidation | None:
    """Go on with a cross-validation that was stopped or killed, to the same scores."""
    return _last(resume_cross_validation_events(path, stop=stop, scheduler=scheduler))


def _last(events: Generator[CrossEvent, None, None]) -> CrossValidation | None:
    for event in events:
        if isinstance(event, CrossValidated):
            return event.result
    raise AssertionError("a cross-validation ends with CrossValidated or an error")


def cross_validation_events(
    config: Config | str | Path,
    *,
    folds: int = 5,
    repeats: int = 1,
    output: str | Path | None = None,
    assignments: Sequence[str] = (),
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> Generator[CrossEvent, None, None]:
    """As `cross_validate`, event by event: `MembersStarted`, `MembersProgress`, `CrossValidated`."""
    if not isinstance(config, Config):
        config = load_config(config, assignments, os.environ)
    elif assignments:
        raise UsageError("assignments go with the path of a configuration, not with a Config")
    config = as_subtask(config)
    if folds < 2 or repeats < 1:
        raise UsageError("cross-validation needs 2 folds or more, and 1 repeat or more")
    if config.data.leave_out is not None:
        raise UsageError("data.leave_out is what cross-validation sets itself", hint="Remove the key.")
    if config.data.time is not None and repeats > 1:
        raise UsageError("with data.time the folds are the same every time", hint="Leave --repeats out.")
    check_table(config)
    if config.members > 1:
        check_members(config)
    wanted = Path(output or f"{config.output or 'runs/model'}-cv")
    with Scratch() as scratch:
        survey = EnsembleData.of(config, scratch)
        for fold in range(folds):
            _ = survey.without(Fold(folds=folds, fold=fold, seed=config.seed)).excluded_rows  # or it is said now
        run, record = start_record(wanted, config, folds, repeats)
        with run.locked():
            yield from _cross_validate(survey, run, record, command, stop, scheduler)


def resume_cross_validation_events(
    path: str | Path,
    *,
    command: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
    scheduler: str | None = None,
) -> Generator[CrossEvent, None, None]:
    """As `resume_cross_validation`, event by event.

    Raises:
        RunError: there is no cross-validation in the directory, it was changed, or somebody else is writing it.
        DataError: the table is not the one that it began with.
    """
    run, record, config = open_record(Path(path))
    with run.locked(), Scratch() as scratch:
        yield from _cross_validate(EnsembleData.of(config, scratch), run, record, command, stop, scheduler)


def _cross_validate(
    survey: EnsembleData,
    run: Run,
    record: CrossValidationRecord,
    command: Sequence[str],
    stop: Callable[[], bool],
    scheduler: str | None,
) -> Generator[CrossEvent, None, None]:
    config, path = survey.config, run.path.absolute()
    surveys = [survey.without(fold) for fold in record.of(config.seed)]
    paths = [path / FOLDS / str(i + 1) for i in range(len(surveys))]
    count = len(surveys) * config.members
    at_a_time = 1 if scheduler else workers_for(count, config.workers)
    assemblies: list[EnsembleRun] = []
    with ExitStack() as held:
        tasks: list[TrainingTask] = []
        for one, folder in zip(surveys, paths, strict=True):
            if config.members == 1:
                tasks.append(
                    TrainingTask(
                        len(tasks), as_subtask(one.config, output=str(folder), at_a_time=at_a_time), str(folder)
                    )
                )
                continue
            assembly = _assembly(one, folder, command, held)
            assemblies.append(assembly)
            tasks += assembly.tasks(at_a_time, len(tasks))
        work = TaskPool(tasks, ControlDirectory(path / WORK), config.workers, scheduler, stop)
        try:
            yield MembersStarted(run.path, len(tasks), work.workers, survey.notes, "trainings")
            with closing(work.run()) as progress:
                yield from progress
            made = [assembly.finalize() is not None for assembly in assemblies]
        except BaseException as error:
            for assembly in assemblies:
                assembly.abort(error)
            raise
    if not all(made) or any(TaskStatus.read(task).status != "done" for task in tasks):
        yield CrossValidated(run.path, None)
        return
    result = score_folds(surveys, paths, record)
    run.save_metrics(result.json())
    yield CrossValidated(run.path, result)


def _assembly(survey: EnsembleData, folder: Path, command: Sequence[str], held: ExitStack) -> EnsembleRun:
    """The ensemble of a fold, begun or gone on with, its directory locked for as long as it is `held`."""
    if not os.path.lexists(folder):
        return held.enter_context(EnsembleRun.create(survey, folder, command))
    run = Run.open(folder)
    held.enter_context(run.locked())
    return EnsembleRun.resume(survey, run, command)
