"""The table of a search with its folds, and the held-out rows of trainings, which trials are scored by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nncli.base.errors import DataError, Location
from nncli.config.schema import Config
from nncli.data.sources.open import open_reader
from nncli.data.splitting.folds import Fold
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.ensemble.cross_validation import FoldTruth
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows
from nncli.fitting.prepare.fit import infer_loss
from nncli.fitting.prepare.validation import split_indices
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.nn.training.state import RandomStreams
from nncli.tuning.trials.objective import Objective

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
        loss, _ = infer_loss(config, self.table_data.table.columns(config.data.target))
        self.objective.check(loss, type(self.table_data.target))
        return loss

    def score(self, held_out: Sequence[HeldOut]) -> float | None:
        """The metric of all rows of some trainings together; None where it is undefined."""
        rows = np.concatenate([one.rows for one in held_out])
        values = np.concatenate([one.predictions.values for one in held_out])
        first = held_out[0].predictions
        parts = [one.predictions.quantiles for one in held_out if one.predictions.quantiles is not None]
        predictions = replace(first, values=values, quantiles=np.concatenate(parts) if parts else None)
        order = np.argsort(rows, kind="stable")
        with np.errstate(all="ignore"):
            score = self.objective.score(predictions.take(order), self.truth.take(rows[order]))
        return score if math.isfinite(score) else None
