"""`nncli cross-validate`: train once per fold, and score each model on the fold that it was not trained on.

config.yaml              the configuration of every training, without data.leave_out
cross-validation.json    the number of folds and repeats, and digests of configuration and table
folds/1, folds/2 …       the run directory of each training
held_out.safetensors     the rows of the folds with their predictions
metrics.json             the scores
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from nncli.api.options import CrossValidateOptions
from nncli.api.prediction.tables import title_of
from nncli.api.training_input import copied_table, resolve_input
from nncli.base.errors import Advice, UsageError, config_error
from nncli.base.findings import FindingCode, keeps_rows, note
from nncli.base.option import operation
from nncli.base.scratch import Scratch, existing_parent
from nncli.config.loading import LoadedConfig
from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.fitting.ensemble.cross_validation import (
    CrossValidation,
    data_of_trainings,
    open_record,
    read_folds,
    score_folds,
    score_targets,
    scores_of,
    start_record,
    with_row_checks,
)
from nncli.fitting.ensemble.out_of_fold import EnsembleData, as_subtask, check_members
from nncli.fitting.ensemble.train import EnsembleRun, train_members
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.trainings import MORE_MEMORY, TrainingStream, TrainingTask, removed_if_untrained
from nncli.fitting.prepare.load import table_copies
from nncli.fitting.train.events import MembersProgress, MembersStarted
from nncli.fitting.training_call import TrainingCall
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import MAX_TRAININGS, CrossValidationRecord
from nncli.run_directory.filenames import CONTROL_FOLDER, FOLDS, METRICS
from nncli.run_directory.manifest import MEMBERS
from nncli.run_directory.run import Run


@dataclass(frozen=True)
class CrossValidated:
    """The cross-validation has ended; `result` is None if it was stopped."""

    path: Path
    result: CrossValidation | None


KEYS = ("row", "fold")
"""The columns of out-of-fold predictions that are not predicted."""

CrossEvent: TypeAlias = MembersStarted | MembersProgress | CrossValidated


@operation(CrossValidateOptions)
def cross_validate(
    config: Config | str | Path | None = None, *, options: CrossValidateOptions
) -> CrossValidation | None:
    """Cross-validate a configuration: train on all folds but one, and score on that fold, for each fold in turn.

    `config` is a `Config`, a path, or `-` for the standard input; or a table, with `target`. `set` is for a
    path only. Folds are stratified by class, and split by `data.group` and `data.time` if configured; repetitions have
    different ones. The directory is by default the configuration's output with `-cv` appended. With `resume` instead of
    `config`, a cross-validation that was stopped or killed goes on; the scores are the same. Returns None if it was
    stopped.

    Raises:
        UsageError, ConfigError: the training cannot start.
        DataError: the table cannot be read, or has changed since the cross-validation began.
        RunError: the directory to resume holds no cross-validation, was changed, or another process is writing it.
    """
    for event in cross_validation_events_with(config, options=options):
        if isinstance(event, CrossValidated):
            return event.result
    raise AssertionError("a cross-validation ends with CrossValidated or an error")


def cross_validation_events_with(
    config: Config | str | Path | None = None, *, options: CrossValidateOptions, command: Sequence[str] = ()
) -> Generator[CrossEvent, None, None]:
    """As `cross_validate`, event by event: `MembersStarted`, `MembersProgress`, `CrossValidated`."""
    options.check_input(config)
    if config is None:
        path = Path(options.resume or "")
        with table_copies(read_config(path), existing_parent(path)):
            yield from _resume(path, options.training_call(command))
        return
    with copied_table(config, options, options.output):
        given = resolve_input(config, options)
        loaded = given.load()
        config = loaded.config if isinstance(loaded, LoadedConfig) else loaded
        config = config.model_copy(update={"private": config.private or options.private})
        findings = [*given.findings, *([keeps_rows("cross-validation")] if config.private else [])]
        yield from _begin(config, options, options.training_call(command, findings))


cross_validation_events = operation(CrossValidateOptions)(cross_validation_events_with)


def _begin(config: Config, options: CrossValidateOptions, call: TrainingCall) -> Generator[CrossEvent, None, None]:
    folds, repeats = options.folds, options.repeats
    wanted = options.new_directory(f"{config.output or 'runs/model'}-cv")
    config = as_subtask(config)
    if folds < 2 or repeats < 1:
        raise UsageError("cross-validation needs 2 folds or more, and 1 repeat or more")
    if folds * repeats > MAX_TRAININGS:
        raise UsageError(
            f"{folds:,} folds and {repeats:,} repeats are more than {MAX_TRAININGS:,} trainings",
            hint="Use fewer repeats: 10 folds and 10 repeats are many.",
        )
    if config.data.leave_out is not None:
        raise UsageError("data.leave_out is what cross-validation sets itself", hint="Remove the key.")
    if config.data.time is not None and repeats > 1:
        raise UsageError(
            "with data.time the folds are the same every time",
            hint=Advice("Leave ", CrossValidateOptions.use("repeats"), " out."),
        )
    if config.teacher is not None:
        message = "the teacher was trained on rows of every fold, so that the scores would be too good"
        raise config_error("teacher", message, "Cross-validate the configuration of the teacher, or remove the key.")
    if config.is_ensemble:
        check_members(config)
    parent = existing_parent(wanted)
    with table_copies(config, parent), Scratch() as scratch:
        data = EnsembleData.of(config, scratch)
        config = data.config
        for fold in range(folds):
            _ = data.without(
                Fold(folds=folds, fold=fold, seed=config.seed)
            ).excluded_rows  # raises an error before any training
        data = with_row_checks(data, call.findings)
        run, record = start_record(wanted, config, folds, repeats, replaces=call.replaces)
        tasks = f"{FOLDS}/*" if not config.is_ensemble else f"{FOLDS}/*/{MEMBERS}/*"
        with run.locked() as run, removed_if_untrained(run.path, tasks, parent):
            yield from _cross_validate(data, run, record, call)


def _resume(path: Path, call: TrainingCall) -> Generator[CrossEvent, None, None]:
    run, record, config = open_record(path)
    with run.locked() as run, Scratch() as scratch:
        finished = note(FindingCode.ALREADY_FINISHED, "this cross-validation had finished; it is scored again")
        findings = [finished] if (run.path / METRICS).is_file() else []
        data = with_row_checks(EnsembleData.of(config, scratch), findings)
        yield from _cross_validate(data, run, record, call)


def _cross_validate(
    data: EnsembleData,
    run: Run,
    record: CrossValidationRecord,
    call: TrainingCall,
) -> Generator[CrossEvent, None, None]:
    config, path = data.config, run.path.absolute()
    fold_data = data_of_trainings(data, record)
    paths = [path / FOLDS / str(i + 1) for i in range(len(fold_data))]
    count = len(fold_data) * config.n_members
    kept = read_folds(run, record.held_out, fold_data, paths)
    if kept is not None:
        yield MembersStarted(run.path, count, 1, data.findings, "trainings")
        result = scores_of(fold_data, kept, record)
        yield CrossValidated(run.path, _with_targets(result, score_targets(run, fold_data, paths, record)))
        return
    workers = call.workers(config)
    at_a_time = workers.sharing(count)
    with ExitStack() as stack:
        runs, tasks = [], []
        if config.is_ensemble:
            runs = [
                _open_ensemble(data, folder, call.command, stack) for data, folder in zip(fold_data, paths, strict=True)
            ]
        else:
            members = [
                as_subtask(data.config, output=str(folder), at_a_time=at_a_time)
                for data, folder in zip(fold_data, paths, strict=True)
            ]
            tasks = [TrainingTask(i, member, member.output or "") for i, member in enumerate(members)]
        control = ControlDirectory(path / CONTROL_FOLDER)
        try:
            with TrainingStream(count, control, workers, run.watched(call.stop), MORE_MEMORY) as stream:
                yield MembersStarted(run.path, count, stream.workers, data.findings, "trainings")
                yield from train_members(stream, runs, at_a_time, tasks)
            built = [ensemble_run.finalize() is not None for ensemble_run in runs]
        except BaseException as error:
            for ensemble_run in runs:
                ensemble_run.abort(error)
            raise
    if not all(built) or not all(task.saved().done for task in tasks):
        yield CrossValidated(run.path, None)
        return
    result = score_folds(run, fold_data, paths, record)
    result = _with_targets(result, score_targets(run, fold_data, paths, record))
    run.save_metrics(result.json())
    yield CrossValidated(run.path, result)


def _with_targets(result: CrossValidation, targets: Mapping[str, CrossValidation]) -> CrossValidation:
    """The scores with those of each of several targets, and the predictions of all."""
    predictions = result.predictions
    for name, of_target in targets.items():
        columns = {column: title_of(column, name) for column in of_target.predictions.columns if column not in KEYS}
        own = of_target.predictions[["row", *columns]].rename(columns)
        predictions = predictions.join(own, on="row", how="left")
    return replace(result, predictions=predictions, targets=targets)


def _open_ensemble(data: EnsembleData, folder: Path, command: Sequence[str], stack: ExitStack) -> EnsembleRun:
    """Create or resume the ensemble of a fold; the `stack` holds the lock of its run directory."""
    if not os.path.lexists(folder):
        return stack.enter_context(EnsembleRun.create(data, folder, command))
    run = stack.enter_context(Run.open(folder).locked())
    return EnsembleRun.resume(data, run, command)
