"""Feature importance and partial dependence of a run on a sample of rows: the same numbers in every command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.inspection.encoded_rows import EncodedRows, OofMask, ProgressCallback, no_progress
from nncli.analysis.inspection.permutation_importance import (
    Importance,
    PartialDependence,
    Scorer,
    partial_dependence,
    permutation_importance,
    rank_by_prediction_change,
)
from nncli.base.errors import DataError
from nncli.base.logs import log_duration
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.table import Table
from nncli.fitting.prepare.load import load_labeled_rows
from nncli.fitting.train.provenance import check_tables_unchanged
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.nn.arrays import RowIndices
from nncli.run_directory.manifest import Manifest
from nncli.targets.target import Target

PredictionOf: TypeAlias = Literal["out-of-fold", "model"]
"""Whose predictions: of the members that were not trained on the row, or of the whole model, as in `nncli predict`."""

PERMUTATIONS = 5
"""Default number of permutations of each column."""
TOP_COLUMNS = 6
"""Default number of columns whose partial dependence is computed."""
MAX_ROWS, MIN_ROWS = 5_000, 100
"""Default number of rows: more would hardly narrow the intervals; fewer for large networks."""
MULTIPLICATIONS = 1.5e10
"""Multiplications of a few seconds, which limit the default number of rows."""


@dataclass(frozen=True)
class RowsToExplain:
    """Rows with their sample weights and the mask of the members that were not trained on them, if there are any."""

    table: Table
    weights: Weights | None = None
    oof_mask: OofMask | None = None

    @classmethod
    def of(cls, held_out: HeldOutPredictions) -> RowsToExplain:
        """The rows that a run is scored on."""
        return cls(held_out.table, held_out.weights, held_out.oof_mask)

    def __len__(self) -> int:
        return len(self.table)

    def take(self, rows: RowIndices) -> RowsToExplain:
        """The rows at these positions."""
        weights = None if self.weights is None else self.weights[rows]
        oof_mask = None if self.oof_mask is None else self.oof_mask[:, rows]
        return RowsToExplain(self.table.take(rows), weights, oof_mask)


@dataclass(frozen=True)
class ModelExplanation:
    """Importance and partial dependence of the columns, computed on the rows `encoded` of the `table`.

    `labeled` are the positions of the rows with a target. `loss` and `score` (of the `metric`) are theirs before
    shuffling, and `importances` are in descending order; all are None if there are no such rows.
    """

    table: Table
    encoded: EncodedRows
    labeled: RowIndices
    loss_name: str
    metric: str
    permutations: int
    loss: float | None
    score: float | None
    importances: tuple[Importance, ...] | None
    partial_dependence: tuple[PartialDependence, ...]

    @property
    def prediction_of(self) -> PredictionOf:
        """Whose predictions are explained."""
        mask = self.encoded.oof_mask
        return "model" if mask is None or mask.all() else "out-of-fold"


def explain_rows(
    model: AnyModel,
    config: Config,
    rows: RowsToExplain,
    *,
    size: int | None = None,
    permutations: int = PERMUTATIONS,
    top: int = TOP_COLUMNS,
    on_progress: ProgressCallback = no_progress,
) -> ModelExplanation:
    """Explain a model on at most `size` of the rows, sampled with the seed of its run.

    Without `permutations` there is no importance.

    Raises:
        DataError: a column is missing, or a cell cannot be read.
    """
    rng = np.random.default_rng(config.seed)
    size = max(MIN_ROWS, affordable_rows(model, rows.oof_mask)) if size is None else size
    sample = rows.take(sample_positions(len(rows), size, rng))
    table, target = sample.table, model.spec.target
    with log_duration("encoding"):
        encoded = EncodedRows.of(model, table, sample.oof_mask, sample.weights)
    labeled = _labeled(table, target)
    scorer = Scorer(model, target.read(table.take(labeled)) if len(labeled) else np.empty(0), _metric(config, target))
    loss = score = importances = None
    if len(labeled) and permutations:
        labeled_rows = encoded if len(labeled) == len(table) else encoded.take(labeled)
        loss, score = scorer.unshuffled(labeled_rows)
        with log_duration("shuffling columns") as log:
            importances = permutation_importance(labeled_rows, scorer, permutations, rng, on_progress)
            log.details.append(f"{len(importances):,} columns, {len(labeled):,} rows")
        ranked = [item.column for item in importances]
    else:
        ranked = rank_by_prediction_change(encoded, rng) if top else []
    with log_duration("computing partial dependence"):
        drawn = [*ranked[:top], *(name for name in encoded.monotone if top and name not in ranked[:top])]
        curves = partial_dependence(encoded, table, drawn, rng, on_progress)
    return ModelExplanation(
        table, encoded, labeled, scorer.loss_name, scorer.metric, permutations, loss, score, importances, curves
    )


def affordable_rows(model: AnyModel, oof_mask: OofMask | None) -> int:
    """The number of rows, at most MAX_ROWS, whose columns are shuffled in a few seconds."""
    members = model.members if isinstance(model, Ensemble) else (model,)
    parameters = sum(max(1, member.spec.network.layout.size) for member in members)
    share = 1.0 if oof_mask is None else max(float(oof_mask.mean()), 1.0 / len(members))
    return min(MAX_ROWS, int(MULTIPLICATIONS / (parameters * share * (len(model.names) * PERMUTATIONS + 1))))


def sample_positions(n: int, size: int, rng: np.random.Generator) -> RowIndices:
    """Sorted positions of at most `size` of n rows."""
    return np.arange(n) if n <= size else np.sort(rng.choice(n, size, replace=False))


def background_rows(
    config: Config, manifest: Manifest, model: AnyModel, rows: EncodedRows
) -> tuple[EncodedRows, str | None]:
    """The rows whose mean is the baseline of attributions: of the run's table, or else, with a note, the `rows`."""
    try:
        check_tables_unchanged(config, manifest)
    except DataError as error:
        fallback = replace(rows, oof_mask=None)
        return fallback, f"the average row is of this table, not of the training table: {error.message}"
    with Scratch() as scratch:
        of_trials = manifest.selection is not None  # which may use columns that the configuration drops
        stored = load_labeled_rows(config, config.data, scratch, all_columns=of_trials)
        sampled = sample_positions(len(stored), MAX_ROWS, np.random.default_rng(config.seed))
        sample, weight = stored.take(sampled), config.data.sample_weight
        weights = None if weight is None else read_weights(sample.columns([weight]), weight)
        return EncodedRows.of(model, sample.columns(model.names), weights=weights), None


def _metric(config: Config, target: Target) -> str:
    """The metric that the run monitored, if it is a known one; else accuracy or rmse."""
    return config.metric if config.metric in target.metric_names() else target.default_metric


def _labeled(table: Table, target: Target) -> RowIndices:
    """Positions of the rows that have a target; none where the table has no such column."""
    has_target = set(target.names) <= set(table.names)
    return target.rows_with_target(table, target.names) if has_target else np.empty(0, np.int64)
