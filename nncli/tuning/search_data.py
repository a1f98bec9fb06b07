"""The table of a search with its folds, and the held-out rows of trainings, which trials are scored by."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.base.atomic_files import batched_fsync
from nncli.base.errors import DataError, Location, UsageError, config_error
from nncli.config.schema import Config
from nncli.data.sources.open import open_reader
from nncli.data.splitting.folds import Fold
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.ensemble.cross_validation import (
    FoldTruth,
    data_of_trainings,
    new_record,
    score_folds,
    score_targets,
    write_record,
)
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows, as_subtask, predict_table
from nncli.fitting.parallel.trainings import TrainingTask
from nncli.fitting.prepare.fit import fit_loss, infer_loss, target_columns, with_losses
from nncli.fitting.prepare.validation import LOSS_NAMES, split_indices
from nncli.models.held_out_rows import MemberPredictions
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.nn.training.state import RandomStreams
from nncli.run_directory.cross_validation import CrossValidationRecord
from nncli.run_directory.filenames import CROSS_VALIDATION, FOLDS
from nncli.run_directory.run import Run
from nncli.targets.metrics.amounts import TWEEDIE_DEVIANCE
from nncli.targets.metrics.registry import CRPS, PINBALL, higher_is_better
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS
from nncli.targets.target import Target, TargetKind, kind_of

MAX_KEPT_POSITIONS = 10_000_000
"""Positions of rows of folds that are kept in memory."""
MAX_KEPT_CELLS = 1_000_000
"""Cells of a table that are kept in memory, to be predicted by each trial."""


class HeldOut(NamedTuple):
    """The rows that a training left out: their positions in the table, or in the validation file, and predictions.

    `losses` are those times the weights, summed by group if there are groups: what trials are compared by.
    """

    rows: npt.NDArray[np.int64]
    predictions: Predictions
    losses: Floats


@dataclass
class _KeptRows:
    """Some rows of a table, which stay in memory once they are read if they are few."""

    table: ColumnStore
    _names: tuple[str, ...] | None = None
    _blocks: tuple[Table, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def blocks(self, names: Sequence[str]) -> Iterable[Table]:
        """The columns `names` block by block."""
        if len(self) * len(names) > MAX_KEPT_CELLS:
            return self.table.blocks(names)
        if self._names != tuple(names):
            self._names, self._blocks = tuple(names), tuple(block.with_cache() for block in self.table.blocks(names))
        return self._blocks


@dataclass(frozen=True)
class SearchData:
    """The table of a search, with its folds, the same for all trials; one fold stands for the validation rows."""

    table_data: EnsembleData
    folds: int
    objective: Objective
    sha256: str

    @property
    def seed(self) -> int:
        """The seed of the search."""
        return self.table_data.config.seed

    @property
    def is_holdout(self) -> bool:
        """Whether a trial is one run, scored on its validation rows."""
        return self.folds == 1

    @property
    def table(self) -> ColumnStore:
        """The table with the rows that are held out."""
        validation_table = self.table_data.validation_table if self.is_holdout else None
        return self.table_data.table if validation_table is None else validation_table

    @cached_property
    def truth(self) -> LabeledRows:
        """The true targets of all rows that may be held out."""
        return self.table_data.truth(self.table)

    @property
    def is_file(self) -> bool:
        """Whether the held-out rows are those of a validation file."""
        return self.is_holdout and self.table_data.validation_table is not None

    @cached_property
    def fold_rows(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The positions of the held-out rows of each training."""
        if not self.is_holdout:
            return tuple(self.table_data.without(fold).excluded_rows for fold in self.fold_list)
        if self.is_file:
            return (np.arange(len(self.truth.y)),)
        config, kind = self.table_data.config, type(self.table_data.target)
        return (split_indices(config, self.table_data.table, kind, RandomStreams.of(config.seed).split).validation,)

    @cached_property
    def fold_tables(self) -> tuple[_KeptRows, ...]:
        """The held-out rows of each training."""
        return tuple(_KeptRows(self.table.take(rows)) for rows in self.fold_rows)

    @property
    def fold_list(self) -> list[Fold]:
        """The folds of the cross-validation."""
        return [Fold(folds=self.folds, fold=i, seed=self.table_data.config.seed) for i in range(self.folds)]

    @cached_property
    def fold_truth(self) -> FoldTruth | None:
        """What the scores of every trial are computed from; None where it would take much memory."""
        if self.folds * len(self.table_data.table) > MAX_KEPT_POSITIONS:
            return None
        return FoldTruth.of([self.table_data.without(fold) for fold in self.fold_list])

    def held_out(self, fold: int, predictions: Predictions) -> HeldOut:
        """The held-out rows of a training with their predictions, and the weighted losses of rows or groups."""
        rows = self.fold_rows[fold]
        truth = self.truth.take(rows)
        losses = self.objective.row_losses(predictions, truth)
        losses = losses if truth.weights is None else losses * truth.weights
        if truth.groups is not None:
            losses = np.bincount(np.unique(truth.groups, return_inverse=True)[1], losses).astype(np.float64)
        return HeldOut(rows, predictions, losses)

    def check_table(self, sha256: str | None = None) -> None:
        """Check that a training has read the table of the search, or that the table is still the same.

        Raises:
            DataError: it has changed, or cannot be read any more.
        """
        source = self.table_data.config.data.source
        if (sha256 or open_reader(source).checksum().sha256) != self.sha256:
            raise DataError(
                "the table has changed since the search began",
                location=Location(source=self.table_data.config.data.path),
                hint="Restore it, and resume the search; or begin a new one.",
            )

    def loss_of(self, config: Config) -> Loss:
        """The loss that a trial with this configuration is trained with.

        Raises:
            ConfigError, DataError: it does not fit the target, or the trial is not comparable with others.
        """
        if config.loss == self.table_data.config.loss:
            return self.table_data.loss
        loss, _ = infer_loss(config, self.table_data.table.columns(target_columns(config)))
        self.objective.check(loss, type(self.table_data.target))
        return fit_loss(config, self.table_data.table, self.table_data.target, loss)

    def score(self, held_out: Sequence[HeldOut]) -> float | None:
        """The metric of all rows of some trainings together; None where it is undefined."""
        rows = np.concatenate([fold.rows for fold in held_out])
        points = np.concatenate([fold.predictions.points for fold in held_out])
        predictions = replace(held_out[0].predictions, points=points)
        order = np.argsort(rows, kind="stable")
        with np.errstate(all="ignore"):
            score = self.objective.score(predictions.take(order), self.truth.take(rows[order]))
        return score if math.isfinite(score) else None


@dataclass(frozen=True)
class Objective:
    """The metric of a search. Its `loss` is lower where it is better."""

    metric: str
    loss: Loss

    @classmethod
    def of(cls, name: str | None, config: Config, target: Target, loss: Loss) -> Objective:
        """The metric of that name; None: that of the configuration, or of its loss.

        Raises:
            ConfigError: there is no such metric for the target.
        """
        if name is None:
            monitored = config.metric
            is_loss = monitored in ("auto", CALIBRATED_LOG_LOSS.name, *LOSS_NAMES)
            name = target.loss_metric(loss) if is_loss else monitored
        if name != target.loss_metric(loss):
            try:
                target.metric(name)
            except UsageError as error:
                raise config_error("tune.metric", error.message, error.hint or "") from error
        return cls(name, loss)

    def check(self, loss: Loss, kind: TargetKind) -> None:
        """Check that a trial with this loss can be compared with others.

        Raises:
            ConfigError: it predicts something else.
        """
        if kind_of(loss) is not kind:
            message = f"with the loss {loss.type} the target is not the same: a {kind_of(loss).noun}"
        elif (difference := kind.difference(self.metric, loss, self.loss)) is not None:
            message = f"with the loss {loss.type} {difference}"
        else:
            return
        raise config_error("loss", message, "Remove it from the search space, or set tune.metric to another metric.")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the metric is better."""
        return higher_is_better(self.metric)

    def score(self, predictions: Predictions, rows: LabeledRows) -> float:
        """The metric of some rows; the mean over several targets. NaN where it is undefined."""
        if self.metric in (PINBALL, CRPS):
            return float(np.average(self.loss.per_row(predictions.points, rows.y), weights=rows.weights))
        if self.metric == TWEEDIE_DEVIANCE:
            return float(np.average(self.row_losses(predictions, rows), weights=rows.weights))
        metric = predictions.target.metric(self.metric, predictions.decision)
        return float(metric(rows.y, predictions.values, rows.weights))

    def loss_of(self, score: float) -> float:
        """What the samplers minimize."""
        return -score if self.higher_is_better else score

    def row_losses(self, predictions: Predictions, rows: LabeledRows) -> Floats:
        """A loss of each row (rows,) whose mean goes with the metric, for paired tests.

        For classes the log loss, or for accuracy the error; for numbers the squared or absolute error, of several
        targets in units of their spread; for quantiles the pinball loss.
        """
        return predictions.target.test_losses(self.metric, self.loss, predictions, rows.y)


class TrialTraining:
    """The trainings of one trial in the directory `path`. `at_a_time` trainings share the memory.

    Raises:
        ConfigError, DataError: the trial is not comparable with others.
    """

    def __init__(self, number: int, config: Config, path: Path, search: SearchData, at_a_time: int) -> None:
        self.number, self.config, self.path, self._search = number, config, path, search
        self._at_a_time = at_a_time
        loss = search.loss_of(config)
        data = replace(search.table_data, config=with_losses(config, loss), loss=loss)
        self._fold_data = [data] if search.is_holdout else data_of_trainings(data, self._record)
        self._paths = [path] if search.is_holdout else [path / FOLDS / str(i + 1) for i in range(search.folds)]
        self.held_out: list[HeldOut] = []

    @cached_property
    def _record(self) -> CrossValidationRecord:
        return new_record(self.config, self._search.folds, 1, self._search.sha256)

    def prepare(self) -> None:
        """Write what a cross-validation writes before its first training, unless it is there."""
        if self._search.is_holdout or (self.path / CROSS_VALIDATION).exists():
            return
        with batched_fsync():
            self.path.mkdir(parents=True, exist_ok=True)
            write_record(self.path, self.config, self._record, self.path)

    def fold_task(self, fold: int) -> TrainingTask:
        """The training that leaves out a fold."""
        path = str(self._paths[fold])
        config = as_subtask(self._fold_data[fold].config, output=path, at_a_time=self._at_a_time)
        return TrainingTask(self.number * self._search.folds + fold, config, path)

    def is_done(self, fold: int) -> bool:
        """Whether a training has ended before an interruption; one of another table is removed."""
        path = self._paths[fold]
        if not path.exists():
            return False
        if Run.open(path).load_manifest().data.sha256 != self._search.sha256:
            shutil.rmtree(path)
            return False
        return self.fold_task(fold).saved().done

    def predict(self, fold: int) -> HeldOut:
        """Predict the held-out rows of a training that is done.

        Raises:
            RunError: its directory is damaged.
            DataError: it has read another table.
        """
        rows, data, run = self._search.fold_rows[fold], self._fold_data[fold], Run.open(self._paths[fold])
        self._search.check_table(run.load_manifest().data.sha256)
        kept = run.load_held_out() if self._search.is_holdout else None
        if kept is not None and np.array_equal(kept.row_numbers, self._search.table.take(rows).row_ids.row_numbers):
            return self._search.held_out(fold, kept.predictions.aligned(data.target))
        predictions = predict_table(run.load_model(several=True), self._search.fold_tables[fold], data.target)
        return self._search.held_out(fold, predictions)

    def finish(self) -> None:
        """Write the scores of a cross-validation whose folds are all held out."""
        if self._search.is_holdout:
            return
        folds = tuple(MemberPredictions(fold.rows, fold.predictions) for fold in self.held_out)
        run = Run(self.path)
        with batched_fsync():
            truth = self._search.fold_truth
            result = score_folds(run, self._fold_data, self._paths, self._record, folds, truth)
            targets = score_targets(run, self._fold_data, self._paths, self._record)
            run.save_metrics(replace(result, targets=targets).json())

    @property
    def seconds(self) -> float:
        """The seconds of the trainings whose rows are held out."""
        manifests = (Run.open(path).load_manifest() for path in self._paths[: len(self.held_out)])
        return sum(manifest.seconds or 0.0 for manifest in manifests)
