"""`nncli explain`: feature importance, partial dependence and attributions of a trained run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.commands.evaluate import read_data
from nncli.config.schema import Config
from nncli.data.encoders.target import Target, rows_with_target
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.store.scratch import Scratch
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.errors import DataError, Location, UsageError
from nncli.evaluation.held_out import predict_held_out
from nncli.evaluation.labeled_table import weights_of
from nncli.inspection.attribution import Attributions, attribute, select_output
from nncli.inspection.encoded_rows import EncodedRows, OofMask, ProgressCallback, Rows, no_progress
from nncli.inspection.partial_dependence import PartialDependence, partial_dependence
from nncli.inspection.permutation_importance import (
    Importance,
    Scorer,
    permutation_importance,
    rank_by_prediction_change,
)
from nncli.metrics.registry import DEFAULT_METRIC, metric_names
from nncli.pipeline.prepare.load import load_labeled_rows
from nncli.pipeline.train.provenance import check_config_unchanged, check_tables_unchanged
from nncli.runs.run import Run
from nncli.runs.training_rows import RowMatches
from nncli.text import closest_match, join_quoted, json_safe, quote
from nncli.utils.logs import log_duration

if TYPE_CHECKING:
    from nncli.data.io.dataframes import Frame

MAX_ROWS = 5_000
"""Default number of rows for importance: more would hardly narrow the intervals."""
MAX_ATTRIBUTED = 1_000
"""Default number of rows whose predictions are attributed: each takes some hundred passes through the network."""


@dataclass(frozen=True)
class Explanation:
    """Feature importance, partial dependence and attributions of a model on some rows.

    `rows` of the `table_rows` were used. `loss` and `score` (of the `metric`) are of the `labeled_rows`, `importances`
    are ordered from the most important column on; all are None if no row has a target. `partial_dependence` is of the
    most important columns. `attributions`, if requested, are of the rows with the numbers `attributed`, from 1.
    `training_rows` says how many labeled rows of another table the run was trained or validated on, if it is known.
    """

    rows: int
    table_rows: int
    labeled_rows: int
    loss_name: str
    loss: float | None
    metric: str
    score: float | None
    importances: tuple[Importance, ...] | None
    partial_dependence: tuple[PartialDependence, ...]
    attributions: Attributions | None
    attributed: Rows
    notes: tuple[str, ...]
    training_rows: RowMatches | None = None

    def json(self) -> dict[str, Any]:
        """The explanation without the attributions; null stands for unknown and infinite numbers."""
        document = {
            "rows": self.rows,
            "table_rows": self.table_rows,
            "labeled_rows": self.labeled_rows,
            "training_rows": None if self.training_rows is None else self.training_rows.json(),
            "loss_name": self.loss_name,
            "loss": self.loss,
            "metric": self.metric,
            "score": self.score,
            "feature_importance": None if self.importances is None else [asdict(item) for item in self.importances],
            "partial_dependence": [
                {
                    "column": curve.column,
                    "points": curve.points,
                    "outputs": list(curve.outputs),
                    "description": curve.meaning,
                    "mean_predictions": curve.means.tolist(),
                }
                for curve in self.partial_dependence
            ],
            "notes": list(self.notes),
        }
        return {key: json_safe(value) for key, value in document.items()}


@dataclass(frozen=True)
class _Data:
    """The rows to explain, and notes on them; the run's own (`is_own`) with their out-of-fold mask and weights."""

    table: Table
    notes: tuple[str, ...]
    oof_mask: OofMask | None = None
    weights: Weights | None = None
    is_own: bool = False

    def take(self, rows: Rows) -> _Data:
        """The rows at these positions."""
        oof_mask = None if self.oof_mask is None else self.oof_mask[:, rows]
        weights = None if self.weights is None else self.weights[rows]
        return _Data(self.table.take(rows), self.notes, oof_mask, weights, self.is_own)


@dataclass(frozen=True)
class _ImportanceResult:
    """Loss and score of the labeled rows, and the importance of the columns; all None if there are no such rows."""

    loss: float | None = None
    score: float | None = None
    importances: tuple[Importance, ...] | None = None


@dataclass(frozen=True)
class _Options:
    """Options of `explain`, checked."""

    rows: int | None
    repeats: int
    top: int
    attributions: bool
    output: str | None
    on_progress: ProgressCallback


def explain(
    run: str | Path,
    data: str | Path | Frame | None = None,
    *,
    rows: int | None = None,
    repeats: int = 5,
    top: int = 6,
    attributions: bool = False,
    class_label: str | None = None,
    target: str | None = None,
    on_progress: ProgressCallback = no_progress,
) -> Explanation:
    """Explain a trained run: feature importance, partial dependence, and attributions of single predictions.

    Args:
        run: a run directory.
        data: a file or a frame, with or without the target; `-` is the standard input. The default are the run's
            validation rows with their weights, or the out-of-fold rows of an ensemble.
        rows: the largest number of rows to use, sampled with the run's seed; default: 5,000, for attributions 1,000.
        repeats: how often every column is shuffled.
        top: the number of columns whose partial dependence is computed.
        attributions: whether to attribute the predictions of single rows to their columns.
        class_label: the class whose probability is attributed; default: the second of two classes, or each row's most
            probable class.
        target: the target whose prediction is attributed, of several; default: the first.
        on_progress: called with the name of a step, how many parts of it are done, and how many there are.

    Raises:
        UsageError: a number is too small, or there is no such class or target.
        RunError: the run directory is missing or damaged.
        DataError: the table cannot be read, has no rows or lacks a column; or the run's own table is not available.
    """
    if repeats < 1 or top < 0 or (rows is not None and rows < 1):
        raise UsageError("rows and repeats must be at least 1, and top at least 0")
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        model, manifest = opened.load_model(), opened.load_manifest()
    output = _output(model.spec.target, class_label, target)
    config = check_config_unchanged(opened, manifest, ())
    whole = _load_data(run, data, model, config.data.sample_weight)
    options = _Options(rows, repeats, top, attributions, output, on_progress)
    return _explain(opened, config, model, whole, options)


def _explain(run: Run, config: Config, model: AnyModel, whole: _Data, options: _Options) -> Explanation:
    """The explanation of a model on a sample of the data, drawn with the run's seed."""
    rng = np.random.default_rng(config.seed)
    sample = whole.take(_sample(len(whole.table), options.rows or MAX_ROWS, rng))
    table, target = sample.table, model.spec.target
    with log_duration("encoding"):
        encoded = EncodedRows.of(model, table, sample.oof_mask, sample.weights)
    labeled = _labeled(table, target)
    y = target.read(table.take(labeled)) if len(labeled) else np.empty(0)
    scorer = Scorer(model, y, _metric(config, target))
    importance = _importance(encoded.take(labeled), scorer, options, rng)
    if importance.importances is not None:
        ranked = [item.column for item in importance.importances]
    else:
        ranked = rank_by_prediction_change(encoded, rng) if options.top else []
    with log_duration("computing partial dependence"):
        curves = partial_dependence(encoded, table, ranked[: options.top], rng, options.on_progress)
    attributed = _sample(len(table), options.rows or MAX_ATTRIBUTED, rng) if options.attributions else np.arange(0)
    found, notes = _attribute(run, config, model, encoded, attributed, options) if options.attributions else (None, [])
    return Explanation(
        rows=len(table),
        table_rows=len(whole.table),
        labeled_rows=len(labeled),
        loss_name=scorer.loss_name,
        loss=importance.loss,
        metric=scorer.metric,
        score=importance.score,
        importances=importance.importances,
        partial_dependence=curves,
        attributions=found,
        attributed=table.row_numbers[attributed],
        notes=(*whole.notes, *_notes(whole.table, encoded, labeled), *notes),
        training_rows=None if whole.is_own else _training_rows(run, model, table.take(labeled)),
    )


def _training_rows(run: Run, model: AnyModel, labeled: Table) -> RowMatches | None:
    """How many of the labeled rows the run was trained or validated on; None if there are none, or it is not known."""
    training_rows = run.load_training_rows()
    return None if training_rows is None or not len(labeled) else training_rows.match(model.hash_rows(labeled))


def _attribute(
    run: Run, config: Config, model: AnyModel, encoded: EncodedRows, rows: Rows, options: _Options
) -> tuple[Attributions, list[str]]:
    """Attributions of the rows at these positions, and notes on them."""
    notes = []
    if len(rows) < len(encoded):
        notes.append(f"attributions are of {len(rows):,} of the rows; set --rows for more")
    background, note = _background(run, config, model, encoded)
    with log_duration("computing attributions") as log:
        found = attribute(encoded.take(rows), background, options.output, options.on_progress)
        log.details.append(f"{len(rows):,} rows")
    return found, [*notes, *(text for text in (note, _completeness_note(found)) if text)]


def _output(target: Target, class_label: str | None, name: str | None) -> str | None:
    """The class or target to attribute, checked; None for the default."""
    if class_label is not None and target.task == "regression":
        raise UsageError("the model predicts numbers and has no classes", hint="Name one of several targets instead.")
    if name is not None and name not in target.names:
        close = closest_match(name, target.names)
        raise UsageError(
            f"the model has no target {quote(name)}",
            hint=f"Did you mean {quote(close)}?" if close else f"The model predicts {join_quoted(target.names)}.",
        )
    output = class_label if target.task == "classification" else name
    if output is not None:
        select_output(target, np.empty((0, 1)), output)  # raises the error before any work
    return output


def _load_data(run: str | Path, data: str | Path | Frame | None, model: AnyModel, weight: str | None) -> _Data:
    """The rows to explain, with their sample weights if they have any."""
    if data is None:
        held_out = predict_held_out(run)
        notes = [] if held_out.split == "validation" else ["the run has no validation rows: these are training rows"]
        if weight is not None:
            notes.append(f"rows are weighted by {quote(weight)}")
        found = _Data(held_out.table, tuple(notes), held_out.oof_mask, held_out.weights, is_own=True)
    else:
        table = read_data(model, data)
        weights, note = weights_of(table, weight) if len(table) else (None, None)
        found = _Data(table, (*table.notes, *([] if note is None else [note])), weights=weights)
    if not len(found.table):
        place = Location(source=found.table.source)
        raise DataError("the table has no rows", location=place, hint="Is this the right file?")
    return found


def _notes(table: Table, encoded: EncodedRows, labeled: Rows) -> list[str]:
    """Notes on the sample of the table's rows."""
    notes = []
    if len(encoded) < len(table):
        notes.append(f"used {len(encoded):,} of {len(table):,} rows, sampled with the run's seed")
    if encoded.anomalies.note:
        notes.append(encoded.anomalies.note)
    if not len(labeled):
        notes.append("feature importance needs the target's column, which the table does not have")
    return notes


def _importance(rows: EncodedRows, scorer: Scorer, options: _Options, rng: np.random.Generator) -> _ImportanceResult:
    """Permutation importance; None for no rows."""
    if not len(rows):
        return _ImportanceResult()
    loss, score = scorer.unshuffled(rows)
    with log_duration("shuffling columns") as log:
        importances = permutation_importance(rows, scorer, options.repeats, rng, options.on_progress)
        log.details.append(f"{len(importances):,} columns, {len(rows):,} rows")
    return _ImportanceResult(loss, score, importances)


def _sample(n: int, size: int, rng: np.random.Generator) -> Rows:
    """Sorted positions of at most `size` of n rows."""
    return np.arange(n) if n <= size else np.sort(rng.choice(n, size, replace=False))


def _metric(config: Config, target: Target) -> str:
    """The metric that the run monitored, if it is a known one; else accuracy or rmse."""
    return config.metric if config.metric in metric_names(target.task) else DEFAULT_METRIC[target.task]


def _labeled(table: Table, target: Target) -> Rows:
    """Positions of the rows that have a target; none where the table has no such column."""
    has_target = set(target.names) <= set(table.names)
    return rows_with_target(table, target.names) if has_target else np.empty(0, np.int64)


def _background(run: Run, config: Config, model: AnyModel, rows: EncodedRows) -> tuple[EncodedRows, str | None]:
    """The rows whose mean is the baseline of attributions: of the run's table, or else, with a note, the `rows`."""
    try:
        check_tables_unchanged(config, run.load_manifest())
    except DataError as error:
        return rows, f"the average row is of this table, not of the training table: {error.message}"
    with Scratch() as scratch:
        stored = load_labeled_rows(config, config.data.path, scratch)
        sampled = _sample(len(stored), MAX_ROWS, np.random.default_rng(config.seed))
        sample, weight = stored.take(sampled), config.data.sample_weight
        weights = None if weight is None else read_weights(sample.columns([weight]), weight)
        return EncodedRows.of(model, sample.columns(model.names), weights=weights), None


def _completeness_note(attributions: Attributions) -> str:
    """A note on the rows whose attributions do not add up; empty if there are none."""
    if not attributions.missed:
        return ""
    rows = "1 row" if attributions.missed == 1 else f"{attributions.missed:,} rows"
    finite = attributions.error[np.isfinite(attributions.error)]
    size = f"up to {finite.max():.2g}" if len(finite) == len(attributions.error) else "an infinite amount"
    return f"attributions of {rows} miss the prediction by {size} (tolerance: {attributions.tolerance:.2g})"
