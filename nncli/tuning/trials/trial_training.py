"""The trainings of a trial: those of an ordinary cross-validation, or one ordinary run, and their held-out rows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.atomic_files import batched_fsync
from nncli.config.schema import Config
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.ensemble.cross_validation import (
    FoldPredictions,
    data_of_trainings,
    new_record,
    score_folds,
    write_record,
)
from nncli.fitting.ensemble.member_config import as_subtask
from nncli.fitting.ensemble.out_of_fold import predict_table
from nncli.fitting.parallel.trainings import TaskStatus, TrainingTask
from nncli.runs.cross_validation import CrossValidationRecord
from nncli.runs.filenames import CROSS_VALIDATION, FOLDS
from nncli.runs.run import Run
from nncli.tuning.trials.search_data import HeldOut, SearchData


class TrialTraining:
    """The trainings of one trial in the directory `path`. `at_a_time` trainings share the memory.

    Raises:
        ConfigError, DataError: the trial is not comparable with others.
    """

    def __init__(self, number: int, config: Config, path: Path, search: SearchData, at_a_time: int) -> None:
        self.number, self.config, self.path, self._search = number, config, path, search
        self._at_a_time = at_a_time
        data = replace(search.table_data, config=config, loss=search.loss_of(config))
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
            write_record(self.path, self.config, self._record)

    def task(self, fold: int) -> TrainingTask:
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
        return TaskStatus.read(self.task(fold)).status == "done"

    def predict(self, fold: int) -> HeldOut:
        """Predict the held-out rows of a training that is done.

        Raises:
            RunError: its directory is damaged.
            DataError: it has read another table.
        """
        rows, data, run = self._search.fold_rows[fold], self._fold_data[fold], Run.open(self._paths[fold])
        self._search.check_table(run.load_manifest().data.sha256)
        kept = run.load_held_out() if self._search.is_holdout else None
        if kept is not None and np.array_equal(kept.numbers, _row_numbers(self._search.table, rows)):
            values = data.target.align(kept.predictions.values, kept.predictions.target)
            return self._search.held_out(fold, replace(kept.predictions, target=data.target, values=values))
        predictions = predict_table(run.load_model(), self._search.fold_tables[fold], data.target)
        return self._search.held_out(fold, predictions)

    def finish(self) -> None:
        """Write the scores of a cross-validation whose folds are all held out."""
        if self._search.is_holdout:
            return
        predictions = FoldPredictions(
            tuple(one.rows for one in self.held_out), tuple(one.predictions for one in self.held_out)
        )
        run = Run(self.path)
        with batched_fsync():
            truth = self._search.fold_truth
            result = score_folds(run, self._fold_data, self._paths, self._record, predictions, truth)
            run.save_metrics(result.json())

    @property
    def seconds(self) -> float:
        """The seconds of the trainings whose rows are held out."""
        manifests = (Run.open(path).load_manifest() for path in self._paths[: len(self.held_out)])
        return sum(manifest.seconds or 0.0 for manifest in manifests)


def _row_numbers(table: ColumnStore, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The numbers of the rows at some positions, from 1."""
    return rows + 1 if table.row_numbers is None else table.row_numbers[rows]
