"""Predictions of a run for its validation or out-of-fold rows, read and split again, or for the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.analysis.evaluation.two_class_rows import ExpectedScore, TwoClassRows
from nncli.base.errors import CellError, DataError, Location, NncliError
from nncli.base.scratch import Scratch
from nncli.base.text import closest_match, join_quoted, quote
from nncli.config.schema import Config
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.splitting.holdout import group_numbers
from nncli.data.store.column_store import ColumnStore
from nncli.data.table import Table
from nncli.fitting.ensemble.out_of_fold import EnsembleData, LabeledRows, predict_table, truth_of
from nncli.fitting.prepare.load import load_labeled_rows, load_numbered_rows, table_copies
from nncli.fitting.prepare.validation import split_table
from nncli.fitting.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.held_out_rows import RowCategories
from nncli.models.model import Model
from nncli.models.predictions import Predictions
from nncli.models.scores import Averaging, ScoredRows, ScoresWithIntervals, ScoreWithInterval, baseline_predictions
from nncli.nn.losses import Loss
from nncli.nn.training.state import RandomStreams
from nncli.run_directory.config import read_config
from nncli.run_directory.filenames import HELD_OUT
from nncli.run_directory.history_and_metrics import read_metrics
from nncli.run_directory.loader import check_not_removed
from nncli.run_directory.manifest import METRICS, SCORED, Manifest
from nncli.run_directory.run import Run
from nncli.run_directory.training_rows import RowMatches
from nncli.targets.decision import Threshold, constant_decision
from nncli.targets.head import Head
from nncli.targets.metrics.bootstrap import ConfidenceInterval
from nncli.targets.metrics.registry import COST
from nncli.targets.target import Target
from nncli.targets.target_base import Scores, Truth

ScoredSplit: TypeAlias = Literal["validation", "training", "table"]
"""Which rows are scored; `table` are those of another table, see `nncli.analysis.evaluation.held_out`."""


@dataclass(frozen=True)
class HeldOutPredictions:
    """The rows that a run is scored on, with targets and predictions.

    The `model` is the one that is scored and explained, see `scored_model`. `table` has all columns of the source,
    including dropped ones, and `row_numbers` (rows,) those there, from 1. `y` holds class codes (rows,), or
    numbers (rows, targets) in their own units, `weights` (rows,) sample weights.
    An ensemble's predictions for a row are the mean of the members that were not trained on it, see `oof_mask`
    (members, rows). Without validation rows these are the training rows (`split`), and scores are too good. `baseline`
    are the predictions of the baseline, which uses no features. `training_rows` says how many rows of another table the
    run was trained or validated on; None if that is not known.

    A row is predicted at the epoch, and with the temperature, that other rows chose; `optimistic` if it took part in
    the choice, as in runs of older versions. `averaging` is the expected gain of an ensemble over these predictions.
    The rows are a random sample of `total` rows where a run has more validation rows than it keeps. `signs` and
    `categories` are those that the run recorded, see `HeldOutRows`.
    """

    config: Config
    manifest: Manifest
    model: AnyModel
    table: Table
    row_numbers: npt.NDArray[np.int64]
    y: Truth
    weights: Weights | None
    predictions: Predictions
    loss: Loss
    split: ScoredSplit
    baseline: Predictions
    oof_mask: npt.NDArray[np.bool_] | None = None
    training_rows: RowMatches | None = None
    averaging: Averaging | None = None
    optimistic: bool = False
    total: int | None = None
    signs: tuple[int, ...] = ()
    categories: tuple[RowCategories, ...] = ()

    @property
    def head(self) -> Head:
        """The target with the loss."""
        return self.predictions.target.head(self.loss)

    @property
    def is_out_of_fold(self) -> bool:
        """Whether a row is predicted by some members alone, those that were not trained on it."""
        return self.oof_mask is not None and not bool(self.oof_mask.all())

    def __len__(self) -> int:
        return len(self.y)

    @property
    def scored_rows(self) -> ScoredRows:
        """The rows for scoring."""
        groups = group_numbers(self.table, self.config.data.group)
        return ScoredRows(
            self.predictions, self.baseline, self.y, self.weights, self.loss, groups, averaging=self.averaging
        )

    def rows_of(self, saved: Threshold) -> TwoClassRows:
        """The rows with the probabilities of the positive class of a saved threshold."""
        target, values = self.predictions.target, self.predictions.values
        j = target.labels.index(saved.positive)
        groups, seed = self.scored_rows.groups, self.manifest.seed
        return TwoClassRows(values[:, j], self.y == j, values.argmax(axis=1) == j, self.weights, groups, seed)

    def scores_with_intervals(self) -> ScoresWithIntervals:
        """All scores with intervals, as metrics.json records them.

        If these rows chose the saved threshold, the cost is that which is expected on new rows, as in `threshold`.
        """
        scores, saved = self.scored_rows.with_intervals(self.manifest.seed), self.predictions.decision
        chosen = None if saved is None else saved.of_lowest_cost
        if self.split == "table" or chosen is None or len(np.unique(self.y)) < 2:
            return scores
        cost = self.rows_of(chosen).achieved(chosen.goal, chosen.threshold)[-1]
        return replace(scores, scores=tuple(_with_cost(score, cost) for score in scores.scores))

    @property
    def scores(self) -> Scores:
        """The scores of the rows, as in metrics.json."""
        return self.scored_rows.scores


def _with_cost(score: ScoreWithInterval, cost: ExpectedScore) -> ScoreWithInterval:
    """The score; if it is the cost, as it is expected on new rows."""
    if score.name != COST.name or score.value is None:
        return score
    improvement, less = score.improvement, score.value - cost.value
    if improvement is not None:
        improvement = ConfidenceInterval(improvement.low + less, improvement.high + less)
    return replace(score, value=cost.value, interval=cost.interval, improvement=improvement)


@contextmanager
def run_copies(path: Path) -> Iterator[None]:
    """Within the block, read the tables of a run from local copies where they need one and can be copied."""
    with ExitStack() as stack:
        with suppress(NncliError):
            stack.enter_context(table_copies(read_config(path), again=True))
        yield


def predict_held_out(path: str | Path) -> HeldOutPredictions:
    """Predict the validation rows of the run at `path`: the same bits as when it was trained.

    Raises:
        RunError: the run is not trained or damaged, or its configuration was changed.
        DataError: its table has changed, is missing, or was read from a pipe.
    """
    run = Run.open(Path(path))
    manifest, model = run.load_manifest(), run.load_model()
    config = check_config_unchanged(run, manifest, ())
    with table_copies(config, again=True):
        return _held_out(run, manifest, model, config)


def scored_model(run: Run, config: Config, model: AnyModel) -> AnyModel:
    """The model of a run that is scored: of a refit, the network that the held-out rows were kept from.

    Raises:
        RunError: it is missing or damaged.
    """
    if config.teacher is None or not config.teacher.refit:
        return model
    scored = Run.open(run.path / SCORED).load_model()
    assert isinstance(scored, Model)  # a teacher teaches one network
    return replace(scored, spec=scored.spec.model_copy(update={"decision": model.spec.decision}))


def _held_out(run: Run, manifest: Manifest, model: AnyModel, config: Config) -> HeldOutPredictions:
    _require_tables(config, manifest)
    recorded = read_metrics(run.path, manifest).validation if METRICS in manifest.files else None
    kept = run.load_held_out()
    decision, model = model.spec.decision, scored_model(run, config, model)
    with Scratch() as scratch:
        if kept is None and (manifest.selection is not None or manifest.beside):
            check_not_removed(run.path, manifest, HELD_OUT)
        if kept is not None:
            rows = load_numbered_rows(config, kept.row_numbers, model.spec.dialect, scratch)
            predictions, baseline = kept.predictions, kept.baseline_predictions
            split: ScoredSplit = "validation"
            oof_mask = kept.oof_mask if isinstance(model, Ensemble) else None
        else:
            rows, predictions, training, truth, split, oof_mask = (
                _of_ensemble(config, model, run.path, scratch)
                if isinstance(model, Ensemble)
                else _of_network(config, model, scratch)
            )
            baseline = baseline_predictions(predictions.target, training, truth, model.spec.loss)
            predictions = replace(predictions, context=truth.context)
        table = rows.columns(rows.header.names)
    weight = config.data.sample_weight
    return HeldOutPredictions(
        config=config,
        manifest=manifest,
        model=model,
        table=table,
        row_numbers=table.row_numbers,
        y=predictions.target.read(table),
        weights=read_weights(table, weight) if weight else None,
        predictions=replace(predictions, decision=decision),
        loss=model.spec.loss,
        split=split,
        baseline=replace(baseline, decision=constant_decision(decision, predictions.target.labels)),
        oof_mask=oof_mask,
        averaging=None if recorded is None else recorded.averaging,
        optimistic=split == "validation" and (kept is None or recorded is None or recorded.optimistic),
        total=None if kept is None else kept.total,
        signs=() if kept is None else kept.signs,
        categories=() if kept is None else kept.categories,
    )


class _PredictedRows(NamedTuple):
    """Rows with their predictions and their `truth`; the baseline comes from the targets of the `training` rows."""

    rows: ColumnStore
    predictions: Predictions
    training: LabeledRows
    truth: LabeledRows
    split: ScoredSplit
    oof_mask: npt.NDArray[np.bool_] | None = None


def _of_network(config: Config, model: Model, scratch: Scratch) -> _PredictedRows:
    """The validation rows of a single network, with its predictions."""
    target, rng = model.spec.target, RandomStreams.of(config.seed).split
    table = load_labeled_rows(config, config.data, scratch, all_columns=True)
    split = split_table(config, table, type(target), rng, scratch, all_columns=True)
    training, validation = split.training_store, split.validation_store
    rows = training if validation is None else validation
    return _PredictedRows(
        rows,
        predict_table(model, rows, target),
        truth_of(training, target, config),
        truth_of(rows, target, config),
        "training" if validation is None else "validation",
    )


def _of_ensemble(config: Config, ensemble: Ensemble, run: Path, scratch: Scratch) -> _PredictedRows:
    """The validation rows of an ensemble, with the predictions of the members not trained on them."""
    data = EnsembleData.of(config, scratch, all_columns=True).of_run(run)
    out_of_fold, training = data.out_of_fold(ensemble), data.table.take(data.training_rows)
    truth = data.truth(training)
    if out_of_fold is None:
        return _PredictedRows(training, predict_table(ensemble, training, data.target), truth, truth, "training")
    predictions = out_of_fold.predicted(ensemble.spec.temperature)
    parts = (out_of_fold.table, predictions, truth, out_of_fold.rows)
    return _PredictedRows(*parts, "validation", out_of_fold.oof_mask)


def _require_tables(config: Config, manifest: Manifest) -> None:
    """Raise a DataError unless the tables are unchanged since training."""
    try:
        check_tables_unchanged(config, manifest)
    except DataError as error:
        raise DataError(
            f"the validation rows cannot be read again: {error.message}",
            location=error.location,
            hint="Restore the training table, or score the run on another one: nncli evaluate RUN TABLE",
        ) from error


LABELS_NEEDED = "Evaluation needs labels; `nncli predict` does not."


def labeled_rows(table: Table, target: Target, features: Sequence[str]) -> Table:
    """The rows of a table that have a target. `features` are the columns that the model reads.

    Raises:
        DataError: a target column is missing, or no row has a target.
    """
    if missing := [name for name in target.names if name not in table.names]:
        raise DataError(
            f"the table has no target column{'s' * (len(missing) > 1)} {join_quoted(missing)}",
            location=Location(source=table.source),
            hint=_missing_target_hint(missing[0], table, features),
        )
    rows = target.rows_with_target(table, target.names)
    if not len(rows):
        raise DataError(
            "no row has a target",
            location=Location(source=table.source, column=target.names[0]),
            hint=LABELS_NEEDED,
        )
    return table if len(rows) == len(table) else table.take(rows)


def _missing_target_hint(missing: str, table: Table, features: Sequence[str]) -> str:
    """Advice to rename a column of a similar name that is no feature, if nothing else is missing."""
    others = [name for name in table.names if name not in features]
    close = closest_match(missing, others) if set(features) <= set(table.names) else None
    return LABELS_NEEDED if close is None else f"If {quote(close)} is the target, rename it to {quote(missing)}."


def labeled_truth(table: Table, model: AnyModel, weight: str | None) -> tuple[LabeledRows, str | None]:
    """The targets, the sample weights and the context of a table for a trained model, and a note on the weights.

    Raises:
        DataError: see `labels_of` and `weights_of`.
    """
    weights, note = weights_of(table, weight)
    context = (model.members[0] if isinstance(model, Ensemble) else model).spec.encoder.context(table)
    return LabeledRows(labels_of(table, model.spec.target), weights, context=context), note


def labels_of(table: Table, target: Target) -> npt.NDArray[Any]:
    """The targets of a table for a trained model: class codes (rows,), or numbers (rows, targets).

    Raises:
        DataError: a cell cannot be read; its hint names no configuration key, which a trained model does not have.
    """
    try:
        return target.read(table)
    except CellError as error:
        raise error.for_model() from None


def sample_weight_column(run: Run) -> str | None:
    """The column of the sample weights of a run; None if it has none, or its configuration cannot be read."""
    try:
        return read_config(run.path).data.sample_weight
    except NncliError:
        return None


def weights_of(table: Table, column: str | None) -> tuple[Weights | None, str | None]:
    """The sample weights of the rows of a table, if it has their `column`, and a note on them.

    Raises:
        DataError: a weight is missing or negative, or all are zero.
    """
    if column is None:
        return None, None
    if column not in table.names:
        return None, f"rows are not weighted: the table has no column {quote(column)}"
    return read_weights(table, column), f"rows are weighted by {quote(column)}"


def predict_labeled(path: str | Path, read: Callable[[AnyModel], Table]) -> HeldOutPredictions:
    """Predict the labeled rows of a table with the run at `path`; `read` reads the table as the model needs it.

    Rows have their sample weights if the table has the column. The baseline uses the labels of these rows.

    Raises:
        RunError: the run is not trained or damaged, or its configuration was changed.
        DataError: the table cannot be read, lacks a column, or has a class that is not in the training table.
    """
    run = Run.open(Path(path))
    manifest, model = run.load_manifest(), run.load_model()
    config = check_config_unchanged(run, manifest, ())
    target = model.spec.target
    table = labeled_rows(read(model), target, model.names)
    with np.errstate(all="ignore"):
        predictions = model.predict(table)
    rows = labeled_truth(table, model, config.data.sample_weight)[0]
    training_rows = run.load_training_rows()
    baseline = baseline_predictions(target, rows, rows, model.spec.loss)
    return HeldOutPredictions(
        config=config,
        manifest=manifest,
        model=model,
        table=table,
        row_numbers=table.row_numbers,
        y=rows.y,
        weights=rows.weights,
        predictions=replace(predictions, context=rows.context),
        loss=model.spec.loss,
        split="table",
        baseline=replace(baseline, decision=constant_decision(model.spec.decision, target.labels)),
        training_rows=None if training_rows is None else training_rows.match(model.hash_rows(table)),
    )
