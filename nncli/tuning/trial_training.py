"""The trainings of a trial: those of an ordinary cross-validation, or one ordinary run, and their held-out rows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.config.schema import Config
from nncli.data.splitting.folds import Fold
from nncli.errors import RunError
from nncli.nn.arrays import Floats
from nncli.pipeline.ensemble.cross_validation import new_record, score_folds, write_record
from nncli.pipeline.ensemble.fold_predictions import FoldPredictions
from nncli.pipeline.ensemble.member_config import as_subtask
from nncli.pipeline.ensemble.out_of_fold import EnsembleData, LabeledRows, predict_table
from nncli.pipeline.parallel.task import TrainingTask
from nncli.pipeline.prepare.split import split_indices
from nncli.predictions import Predictions
from nncli.runs.cross_validation import CrossValidationRecord
from nncli.runs.filenames import CROSS_VALIDATION, FOLDS
from nncli.runs.run import Run
from nncli.training.state import RandomStreams
from nncli.tuning.objective import Objective


class HeldOut(NamedTuple):
    """The rows that a training left out: their positions in the table, or in the validation file, and predictions."""

    rows: npt.NDArray[np.int64]
    predictions: Predictions
    losses: Floats


@dataclass(frozen=True)
class SearchData:
    """The table of a search, with its folds, the same for all trials; one fold stands for the validation rows."""

    data: EnsembleData
    folds: int
    objective: Objective
    sha256: str

    @property
    def is_holdout(self) -> bool:
        """Whether a trial is one run, scored on its validation rows."""
        return self.folds == 1

    @cached_property
    def truth(self) -> LabeledRows:
        """The true targets of all rows that may be held out."""
        table = self.data.validation_table if self.is_file else None
        return self.data.truth(self.data.table if table is None else table)

    @property
    def is_file(self) -> bool:
        """Whether the held-out rows are those of a validation file."""
        return self.is_holdout and self.data.validation_table is not None

    @cached_property
    def fold_rows(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The positions of the held-out rows of each training."""
        if not self.is_holdout:
            return tuple(self.data.without(fold).excluded_rows for fold in self.fold_list)
        if self.is_file:
            return (np.arange(len(self.truth.y)),)
        config, task = self.data.config, self.data.target.task
        return (split_indices(config, self.data.table, task, RandomStreams.of(config.seed).split).validation,)

    @property
    def fold_list(self) -> list[Fold]:
        """The folds of the cross-validation."""
        return [Fold(folds=self.folds, fold=i, seed=self.data.config.seed) for i in range(self.folds)]

    def held_out(self, fold: int, predictions: Predictions) -> HeldOut:
        """The held-out rows of a training with their predictions."""
        rows = self.fold_rows[fold]
        return HeldOut(rows, predictions, self.objective.row_losses(predictions, self.truth.take(rows)))

    def score(self, held_out: list[HeldOut]) -> float:
        """The metric of all rows of some trainings together."""
        rows = np.concatenate([one.rows for one in held_out])
        values = np.concatenate([one.predictions.values for one in held_out])
        first = held_out[0].predictions
        parts = [one.predictions.quantiles for one in held_out if one.predictions.quantiles is not None]
        predictions = replace(first, values=values, quantiles=np.concatenate(parts) if parts else None)
        order = np.argsort(rows, kind="stable")
        return self.objective.score(predictions.take(order), self.truth.take(rows[order]))


@dataclass
class TrialTraining:
    """The trainings of one trial in the directory `path`. `at_a_time` trainings share the memory."""

    number: int
    config: Config
    path: Path
    search: SearchData
    at_a_time: int
    held_out: list[HeldOut] = field(default_factory=list)

    @cached_property
    def _fold_data(self) -> list[EnsembleData]:
        data = replace(self.search.data, config=self.config)
        if self.config.loss != self.search.data.config.loss:
            loss = self.config.loss or self.search.data.loss
            data = replace(data, loss=loss)
        return [data.without(fold) for fold in self.search.fold_list]

    @property
    def _paths(self) -> list[Path]:
        return [self.path / FOLDS / str(i + 1) for i in range(self.search.folds)]

    @cached_property
    def _record(self) -> CrossValidationRecord:
        return new_record(self.config, self.search.folds, 1, self.search.sha256)

    def prepare(self) -> None:
        """Write what a cross-validation writes before its first training, unless it is there."""
        if self.search.is_holdout or (self.path / CROSS_VALIDATION).exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        write_record(self.path, self.config, self._record)

    def task(self, fold: int) -> TrainingTask:
        """The training that leaves out a fold."""
        number = self.number * self.search.folds + fold
        if self.search.is_holdout:
            config = as_subtask(self.config, output=str(self.path), at_a_time=self.at_a_time)
            return TrainingTask(number, config, str(self.path))
        path = self._paths[fold]
        config = as_subtask(self._fold_data[fold].config, output=str(path), at_a_time=self.at_a_time)
        return TrainingTask(number, config, str(path))

    def predict(self, fold: int) -> HeldOut:
        """Predict the held-out rows of a training that is done.

        Raises:
            RunError: its directory is damaged.
        """
        if self.search.is_holdout:
            kept = Run.open(self.path).load_held_out()
            if kept is None or len(kept) != len(self.search.fold_rows[0]):
                raise RunError("the run does not hold the predictions of its validation rows")
            return self.search.held_out(0, kept.predictions)
        data, model = self._fold_data[fold], Run.open(self._paths[fold]).load_model()
        rows = self.search.fold_rows[fold]
        return self.search.held_out(fold, predict_table(model, data.table.take(rows), data.target))

    def finish(self) -> float:
        """Write the scores of a cross-validation whose folds are all held out; returns the score of the trial."""
        if not self.search.is_holdout:
            predictions = FoldPredictions(
                tuple(one.rows for one in self.held_out), tuple(one.predictions for one in self.held_out)
            )
            run = Run(self.path)
            result = score_folds(run, self._fold_data, self._paths, self._record, predictions)
            run.save_metrics(result.json())
        return self.search.score(self.held_out)

    @property
    def exists(self) -> bool:
        """Whether a training has begun."""
        return os.path.lexists(self.path)
