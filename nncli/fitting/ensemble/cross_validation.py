"""The record of a cross-validation, and its out-of-fold scores."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.atomic_files import batched_fsync, relabel_errors, write_text
from nncli.base.errors import DataError, Location, RunError
from nncli.base.findings import Finding, FindingCode, warnings_json
from nncli.config.schema import Config
from nncli.data.sources.open import open_reader
from nncli.fitting.checks.scores import check_scores
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows, predict_table
from nncli.fitting.ensemble.target_runs import TargetData
from nncli.fitting.prepare.execution import Execution
from nncli.fitting.train.provenance import fingerprint, fingerprints, with_recorded_features
from nncli.fitting.train.target_runs import new_target_run
from nncli.models.held_out_rows import LARGEST_FILE, HeldOutRows, MemberPredictions
from nncli.models.predictions import Predictions
from nncli.models.scores import headlines, to_json
from nncli.run_directory.config import read_config
from nncli.run_directory.cross_validation import (
    CrossValidationRecord,
    KeptFolds,
    digest_of_models,
    fold_folder,
    read_record,
)
from nncli.run_directory.filenames import CROSS_VALIDATION, target_folders
from nncli.run_directory.loader import read_file
from nncli.run_directory.manifest import CONFIG, HELD_OUT
from nncli.run_directory.run import Run
from nncli.targets.target_base import Scores

Folds: TypeAlias = tuple[MemberPredictions, ...]
"""The rows of each fold, by their positions in the table, and the predictions of the model that left them out."""
UNSET_EXECUTION = Execution("numpy", 1, 1)
"""For the fingerprint of a configuration, whose trainings each choose their own execution."""


def with_row_checks(data: EnsembleData, findings: Sequence[Finding] = ()) -> EnsembleData:
    """The data with the warnings about its rows; few validation rows are none, since every row is scored."""
    checked = data.with_checks(findings)
    kept = tuple(finding for finding in checked.findings if finding.code != FindingCode.FEW_VALIDATION_ROWS)
    return replace(checked, findings=kept)


def new_record(config: Config, folds: int, repeats: int, data_sha256: str) -> CrossValidationRecord:
    """The record of a cross-validation that begins."""
    return CrossValidationRecord(
        folds=folds,
        repeats=repeats,
        epochs=config.epochs,
        fingerprint=fingerprint(config, UNSET_EXECUTION),
        data_sha256=data_sha256,
        time_is_feature=True,
        fold_seeds=True,
    )


def data_of_trainings(data: EnsembleData, record: CrossValidationRecord) -> list[EnsembleData]:
    """The data of each training of a cross-validation: without its fold, and with its seed."""
    seed = data.config.seed
    left_out = map(data.without, record.of(seed))
    return [
        replace(fold, config=fold.config.model_copy(update={"seed": record.seed_of(seed, i)}))
        for i, fold in enumerate(left_out)
    ]


def start_record(
    requested: Path, config: Config, folds: int, repeats: int, *, replaces: bool = False
) -> tuple[Run, CrossValidationRecord]:
    """Create the directory, `requested` or the first of `requested-2` … that is free.

    Raises:
        NncliError: it cannot be created.
    """
    sha256 = open_reader(config.data.source).checksum().sha256
    assert sha256 is not None, "a pipe is refused before"
    record = new_record(config, folds, repeats, sha256)
    with Run.temporary(requested) as run, relabel_errors(run.path, requested):
        run = run.rename_to_free_name(
            requested, lambda path: write_record(run.path, config, record, path), replaces=replaces
        )
    return Run(run.path), record


def write_record(folder: Path, config: Config, record: CrossValidationRecord, path: Path) -> None:
    """Write the configuration and the record of a cross-validation into a folder, whose path is to be `path`."""
    Run(folder).save_config(config.model_copy(update={"output": str(path)}))
    write_text(folder / CROSS_VALIDATION, record.model_dump_json(indent=1) + "\n", in_place=True)


def open_record(path: Path) -> tuple[Run, CrossValidationRecord, Config]:
    """Open a cross-validation that was started, with its configuration.

    Raises:
        RunError: there is none, or its configuration was changed.
        DataError: the table was changed.
    """
    if not os.path.lexists(path / CROSS_VALIDATION):
        raise RunError(
            f"there is no cross-validation to resume: no {CROSS_VALIDATION}",
            location=Location(source=str(path)),
            hint="`nncli cross-validate CONFIG` begins one and says where.",
        )
    record = read_record(path)
    config = read_config(path)
    if record.fingerprint not in fingerprints(config, UNSET_EXECUTION) or config.epochs != record.epochs:
        raise RunError(
            "the configuration has been changed since the cross-validation began",
            location=Location(source=str(path / CONFIG)),
            hint="Undo the change, or begin a new one.",
        )
    if open_reader(config.data.source).checksum().sha256 != record.data_sha256:
        raise DataError(
            "the table has changed since the cross-validation began",
            location=Location(source=config.data.path),
            hint="Restore it, or begin a new one.",
        )
    return Run(path), record, with_recorded_features(config, time_is_feature=record.time_is_feature)


@dataclass(frozen=True)
class FoldScores:
    """Scores of one training on its fold. Repeats and folds count from 1."""

    repeat: int
    fold: int
    rows: int
    scores: Scores


@dataclass(frozen=True)
class CrossValidation:
    """The scores of every fold, the scores of all out-of-fold predictions, and these predictions.

    `predictions` has the columns `row` (from 1), `fold` (without repeats) and those of `nncli predict --proba`. With
    repeats a prediction is their mean. Rows that are in no fold are left out. `findings` are the warnings about rows
    and scores. Each of several `targets` has its own, which has the predictions.
    """

    folds: tuple[FoldScores, ...]
    out_of_fold: Scores
    predictions: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    targets: Mapping[str, CrossValidation] = field(default_factory=dict)

    @property
    def means(self) -> dict[str, float | None]:
        """The mean of each metric over the folds for which it is defined."""
        return {name: fmean(values) if values else None for name, values in self._values().items()}

    @property
    def standard_deviations(self) -> dict[str, float | None]:
        """The standard deviation of each metric over the folds."""
        return {name: stdev(values) if len(values) > 1 else None for name, values in self._values().items()}

    def _values(self) -> dict[str, list[float]]:
        all_of: dict[str, list[float]] = {}
        for fold in self.folds:
            for name, value in headlines(fold.scores):
                all_of.setdefault(name, []).extend([] if value is None else [value])
        return all_of

    def json(self) -> dict[str, Any]:
        """{"folds": [{"repeat": …, "fold": …, "rows": …, "metrics": …}], "mean": …, "std": …, "out_of_fold": …, …}."""
        each = [
            {"repeat": fold.repeat, "fold": fold.fold, "rows": fold.rows, "metrics": to_json(fold.scores)}
            for fold in self.folds
        ]
        return {
            "folds": each,
            "mean": self.means,
            "std": self.standard_deviations,
            "out_of_fold": {"rows": len(self.predictions), "metrics": to_json(self.out_of_fold)},
            "findings": warnings_json(self.findings),
            **({"targets": {name: result.json() for name, result in self.targets.items()}} if self.targets else {}),
        }


def score_folds(
    run: Run,
    fold_data: Sequence[EnsembleData],
    paths: Sequence[Path],
    record: CrossValidationRecord,
    folds: Folds | None = None,
    truth: FoldTruth | None = None,
) -> CrossValidation:
    """Score the run at each path on the rows of its fold, and keep the predictions; `fold_data` share one table.

    The predictions of the `folds`, and their `truth`, may have been computed already.
    """
    folds, truth, data = folds or predict_folds(fold_data, paths), truth or FoldTruth.of(fold_data), fold_data[0]
    rows = np.unique(np.concatenate([fold.rows for fold in folds]))
    scored = data.scored_rows(truth.rows.take(rows), truth.rows, mean_of_folds(data, folds))
    members = [replace(fold, rows=np.searchsorted(rows, fold.rows)) for fold in folds]
    held_out = HeldOutRows.of(scored, data.table.take(rows).row_numbers, members).bounded(data.config.seed)
    with batched_fsync():
        run.save_held_out(held_out)
        sha256 = hashlib.sha256(read_file(run.path, HELD_OUT, LARGEST_FILE)).hexdigest()
        kept = None if held_out.is_sample else KeptFolds(sha256=sha256, models=tuple(map(digest_of_models, paths)))
        record = record.model_copy(update={"held_out": kept})
        write_text(run.path / CROSS_VALIDATION, record.model_dump_json(indent=1) + "\n", in_place=True)
    return scores_of(fold_data, folds, record, truth)


@dataclass(frozen=True)
class FoldTruth:
    """The true targets of all rows of a table, and the positions of the rows that the training of each fold uses."""

    rows: LabeledRows
    used: tuple[npt.NDArray[np.int64], ...]

    @classmethod
    def of(cls, fold_data: Sequence[EnsembleData]) -> FoldTruth:
        """Read them from the table."""
        return cls(fold_data[0].truth(fold_data[0].table), tuple(data.used_rows for data in fold_data))


def scores_of(
    fold_data: Sequence[EnsembleData],
    folds: Folds,
    record: CrossValidationRecord,
    fold_truth: FoldTruth | None = None,
) -> CrossValidation:
    """The scores of the predictions of each fold."""
    table = fold_data[0].table
    fold_truth = fold_truth or FoldTruth.of(fold_data)
    truth, fold_of, scored = fold_truth.rows, np.zeros(len(table), np.int64), []
    for i, (data, held_out) in enumerate(zip(fold_data, folds, strict=True)):
        used = truth.take(fold_truth.used[i])
        scores = data.scored_rows(truth.take(held_out.rows), used, held_out.predictions).scores
        repeat, fold = divmod(i, record.folds)
        scored.append(FoldScores(repeat + 1, fold + 1, len(held_out.rows), scores))
        fold_of[held_out.rows] = fold + 1
    rows, predictions = np.unique(np.concatenate([fold.rows for fold in folds])), mean_of_folds(fold_data[0], folds)
    combined = fold_data[0].scored_rows(truth.take(rows), truth, predictions).card()
    findings = (*fold_data[0].findings, *check_scores(combined, "out-of-fold"))
    columns = [pl.Series("row", table.take(rows).row_ids.row_numbers)] + (
        [pl.Series("fold", fold_of[rows])] if record.repeats == 1 else []
    )
    frame = pl.DataFrame(columns).hstack(predictions.frame(proba=True))
    return CrossValidation(tuple(scored), combined.model, frame, findings)


def score_targets(
    run: Run, fold_data: Sequence[EnsembleData], paths: Sequence[Path], record: CrossValidationRecord
) -> dict[str, CrossValidation]:
    """Write the cross-validation of each of several targets, of copies of their runs, and return their scores."""
    target, results = fold_data[0].target, {}
    for j, part in enumerate(target.parts):
        data = [TargetData.of_target(fold, j) for fold in fold_data]
        of_target = new_target_run(run, target, j)
        folds = [of_target.path / fold_folder(i) for i in range(len(paths))]
        for path, fold in zip(paths, folds, strict=True):
            shutil.copytree(path / target_folders(target.names)[j], fold)
        section = data[0].config.data.model_copy(update={"leave_out": None})
        config = data[0].config.model_copy(update={"data": section})
        own = record.model_copy(update={"fingerprint": fingerprint(config, UNSET_EXECUTION)})
        write_record(of_target.path, config, own, of_target.path)
        results[part.target.names[0]] = scores = score_folds(of_target, data, folds, own)
        of_target.save_metrics(scores.json())
    return results


def mean_of_folds(data: EnsembleData, folds: Folds) -> Predictions:
    """The mean of the predictions of every row that is in a fold, in the order of the table."""
    target, levels, precision = data.target, data.loss.quantile_levels, data.config.precision
    total = np.zeros((len(data.table), target.n_outputs * max(1, len(levels))))
    counts = np.zeros((len(data.table), 1), np.int64)
    for fold in folds:
        total[fold.rows] += fold.predictions.points.reshape(len(fold.rows), -1)
        counts[fold.rows] += 1
    rows = np.flatnonzero(counts)
    mean = total[rows] / counts[rows]
    if not levels:
        return Predictions(target, mean, precision)
    quantiles = mean.reshape(len(mean), -1, len(levels))
    return Predictions(target, quantiles, precision, levels=levels, loss=data.loss)


def predict_folds(fold_data: Sequence[EnsembleData], paths: Sequence[Path]) -> Folds:
    """Predict the rows of each fold by the run at its path."""
    rows = [data.excluded_rows for data in fold_data]
    return tuple(
        MemberPredictions(
            fold_rows, predict_table(Run(path).load_model(several=True), data.table.take(fold_rows), data.target)
        )
        for data, path, fold_rows in zip(fold_data, paths, rows, strict=True)
    )


def read_folds(
    run: Run, kept: KeptFolds | None, fold_data: Sequence[EnsembleData], paths: Sequence[Path]
) -> Folds | None:
    """The predictions that a cross-validation keeps.

    None if it keeps none or not all, if the file is damaged, or if a model was trained again since.
    """
    if kept is None:
        return None
    data = fold_data[0]
    try:
        content = read_file(run.path, HELD_OUT, LARGEST_FILE)
        if hashlib.sha256(content).hexdigest() != kept.sha256 or tuple(map(digest_of_models, paths)) != kept.models:
            return None
        held_out = HeldOutRows.from_bytes(content, data.target, len(paths), data.loss.quantile_levels)
    except (RunError, ValueError):
        return None
    rows = [data.excluded_rows for data in fold_data]
    if [len(member.rows) for member in held_out.members] != [len(fold_rows) for fold_rows in rows]:
        return None
    return tuple(
        MemberPredictions(fold_rows, member.predictions)
        for fold_rows, member in zip(rows, held_out.members, strict=True)
    )
