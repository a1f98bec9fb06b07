"""The held-out predictions of the trials of a search, read one trial at a time, all of the same rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nncli.base.errors import RunError
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.held_out_rows import LARGEST_FILE, HeldOutRows
from nncli.models.predictions import Predictions
from nncli.runs.cross_validation import read_record
from nncli.runs.loader import read_file
from nncli.runs.manifest import HELD_OUT
from nncli.targets.target import Target
from nncli.tuning.trials.search_data import HeldOut, SearchData
from nncli.tuning.trials.trial_training import TrialTraining
from nncli.tuning.trials.trials import Trial, folder_of

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SearchRows:
    """The rows that trials are scored on: their targets, and the fold (rows,) that each is in, from 0."""

    truth: LabeledRows
    fold_of: npt.NDArray[np.int64]
    target: Target

    def __len__(self) -> int:
        return len(self.fold_of)


@dataclass(frozen=True)
class TrialPredictions:
    """The predictions of a trial for the rows of the search.

    `known` (rows,) is False for the rows of folds that a pruned trial was not trained on; those predictions are NaN.
    """

    predictions: Predictions
    known: Mask

    def filled(self, other: TrialPredictions) -> Predictions:
        """The predictions, with those of another trial for the rows that are not known."""
        if self.known.all():
            return self.predictions
        return other.predictions.with_rows(self.known, self.predictions.take(self.known))


class TrialReader:
    """Reads the predictions of trials in the search directory `path`.

    The rows are those that trial 0 keeps, which are all held-out rows unless there are more than a million.
    """

    def __init__(self, path: Path, data: SearchData, config_of: Callable[[Trial], Config]) -> None:
        self._path, self._data, self._config_of = path, data, config_of

    @cached_property
    def positions(self) -> npt.NDArray[np.int64]:
        """The positions of the rows in the table, or in the validation file, in ascending order."""
        positions = np.unique(np.concatenate(self._data.fold_rows))
        kept = None if self._data.is_holdout else self._kept(Trial(number=0, values={}))
        if kept is None or len(kept) == len(positions):
            return positions
        numbers = positions + 1 if self._row_numbers is None else self._row_numbers[positions]
        return positions[np.searchsorted(numbers, kept.numbers)]

    @cached_property
    def rows(self) -> SearchRows:
        """The rows, in ascending order."""
        fold_of = np.zeros(len(self.positions), np.int64)
        for fold, rows in enumerate(self._data.fold_rows):
            fold_of[np.isin(self.positions, rows)] = fold
        return SearchRows(self._data.truth.take(self.positions), fold_of, self._data.table_data.target)

    def read(self, trial: Trial) -> TrialPredictions:
        """The predictions of a trial that is complete or pruned.

        They are read from its directory, or computed again where it does not keep them.

        Raises:
            RunError: its directory is damaged.
        """
        if trial.state == "complete" and not self._data.is_holdout:
            kept = self._kept(trial)
            if kept is not None and len(kept) == len(self.positions):
                return TrialPredictions(kept.predictions, np.ones(len(kept), np.bool_))
        training = TrialTraining(
            trial.number, self._config_of(trial), folder_of(self._path, trial.number), self._data, 1
        )
        return self._aligned([training.predict(fold) for fold in range(len(trial.folds))])

    def _aligned(self, held_out: list[HeldOut]) -> TrialPredictions:
        first = held_out[0].predictions
        n = len(self.positions)
        quantiles = None if first.quantiles is None else np.full((n, *first.quantiles.shape[1:]), np.nan)
        predictions = replace(first, values=np.full((n, first.values.shape[1]), np.nan), quantiles=quantiles)
        known = np.zeros(n, np.bool_)
        for one in held_out:
            places = np.searchsorted(self.positions, one.rows).clip(max=n - 1)
            kept = self.positions[places] == one.rows
            predictions = predictions.with_rows(places[kept], one.predictions.take(kept))
            known[places[kept]] = True
        return TrialPredictions(predictions, known)

    @property
    def _row_numbers(self) -> npt.NDArray[np.int64] | None:
        return self._data.table_data.table.row_numbers

    def _kept(self, trial: Trial) -> HeldOutRows | None:
        """The rows that a finished cross-validation keeps; None if they are missing, damaged, or of other quantiles."""
        path, data = folder_of(self._path, trial.number), self._data.table_data
        try:
            content = read_file(path, HELD_OUT, LARGEST_FILE)
            recorded = read_record(path).held_out
            if recorded is not None and hashlib.sha256(content).hexdigest() != recorded.sha256:
                return None
            return HeldOutRows.from_bytes(content, data.target, self._data.folds, data.loss.quantile_levels)
        except (RunError, ValueError):
            return None
