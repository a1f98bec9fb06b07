"""`nncli explain`: feature importance, partial dependence and attributions of a trained run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.analysis.evaluation.explanation import (
    PERMUTATIONS,
    ModelExplanation,
    PredictionOf,
    RowsToExplain,
    background_rows,
    explain_rows,
    sample_positions,
)
from nncli.analysis.evaluation.held_out import predict_held_out, run_copies, scored_model, weights_of
from nncli.analysis.inspection.attribution import Attributions, ExplainedRow, attribute
from nncli.analysis.inspection.permutation_importance import Importance, PartialDependence
from nncli.api.options import ExplainOptions
from nncli.api.prediction.tables import ON_ERROR_HINT, without_invalid_cells
from nncli.base.errors import Advice, CellError, DataError, Location, UsageError
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.base.text import json_safe, quote
from nncli.config.schema import Config
from nncli.data.encoders.anomalies import InvalidCounts
from nncli.data.sources.table_source import TableLocation
from nncli.data.table import Table
from nncli.fitting.train.provenance import check_config_unchanged
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_data
from nncli.nn.arrays import RowIndices
from nncli.run_directory.run import Run
from nncli.run_directory.training_rows import RowMatches
from nncli.targets.decision import decision_note
from nncli.targets.explained import check_target
from nncli.targets.target import Target

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame

MAX_ATTRIBUTED = 1_000
"""Default number of rows whose predictions are attributed: each takes some hundred passes through the network."""
FEW_ROWS = 5
"""Most rows of a table that are explained one by one: importance and partial dependence of so few mean nothing."""


@dataclass(frozen=True)
class Explanation:
    """Feature importance, partial dependence and attributions of a model on some rows.

    `rows` of the `table_rows` were used. `loss` and `score` (of the `metric`) are of the `labeled_rows` before
    shuffling, `importances` are ordered from the most important column on; all are None if no row has a target.
    `partial_dependence` is of the most important columns, then of other monotone ones. These are of predictions by the
    members that were not trained on the row, or by the whole model (`prediction_of`). `attributions`, if requested, are
    of the whole model's predictions for the rows with the numbers `attributed`, from 1. `interactions` are the sets of
    columns that act together by construction; none if all may.

    A table of at most FEW_ROWS rows has attributions in any case, which are also those of its `explained_rows`, and
    neither importances nor partial dependence; its `permutations` are 0.

    `training_rows` says how many labeled rows of another table the run was trained or validated on, if it is known. A
    run of several `targets` has an explanation of each; then there is none of all.
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
    attributed: RowIndices
    notes: tuple[str, ...]
    training_rows: RowMatches | None = None
    prediction_of: PredictionOf = "model"
    permutations: int = PERMUTATIONS
    explained_rows: tuple[ExplainedRow, ...] = ()
    interactions: tuple[tuple[str, ...], ...] = ()
    targets: Mapping[str, Explanation] = field(default_factory=dict)
    target: Target = field(kw_only=True, repr=False)

    @classmethod
    def of_targets(cls, target: Target, targets: Mapping[str, Explanation]) -> Explanation:
        """The explanation of several targets, with the most rows that one has."""
        each = [*targets.values()]
        rows, table_rows = max(part.rows for part in each), max(part.table_rows for part in each)
        labeled = max(part.labeled_rows for part in each)
        nothing = np.arange(0)
        return cls(
            rows, table_rows, labeled, "", None, "", None, None, (), None, nothing, (), targets=targets, target=target
        )

    def json(self) -> dict[str, Any]:
        """The explanation, with attributions of a few rows only; null stands for unknown and infinite numbers.

        Of several targets, {"targets": {name: …}}.
        """
        if self.targets:
            return {"targets": {name: of_target.json() for name, of_target in self.targets.items()}}
        document = {
            "rows": self.rows,
            "table_rows": self.table_rows,
            "labeled_rows": self.labeled_rows,
            "training_rows": None if self.training_rows is None else self.training_rows.json(),
            "prediction_of": self.prediction_of,
            "permutations": self.permutations,
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
                    "monotone": curve.monotone,
                }
                for curve in self.partial_dependence
            ],
            "interactions": [list(names) for names in self.interactions],
            "explained_rows": [asdict(row) for row in self.explained_rows],
            "notes": list(self.notes),
        }
        return {key: json_safe(value) for key, value in document.items()}


@dataclass(frozen=True)
class _Data:
    """The rows to explain, and notes on them; `is_own` if they are the rows that the run is scored on."""

    rows: RowsToExplain
    notes: tuple[str, ...]
    is_own: bool = False


def explain_with(run: str | Path, data: TableLocation | Frame | None = None, *, options: ExplainOptions) -> Explanation:
    """Explain a trained run: feature importance, partial dependence, and attributions of single predictions.

    `data` is a file or a frame, with or without the target; `-` is the standard input. The default are the run's
    validation rows with their weights, or the out-of-fold rows of an ensemble. A table of at most 5 rows is explained
    row by row. A run of several targets has an explanation of each, or of the one that the options name.

    Raises:
        UsageError: a number is too small, there is no such class or target, or nothing is attributed to it.
        RunError: the run directory is missing or damaged.
        DataError: the table cannot be read, has no rows or lacks a column; or the run's own table is not available.
    """
    if options.permutations < 1 or options.top < 0 or (options.rows is not None and options.rows < 1):
        raise UsageError("rows and permutations must be at least 1, and top at least 0")
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        runs = opened.targets
        if options.target in runs:
            return explain_with(runs[options.target].path, data, options=replace(options, target=None))
        if runs:
            check_target(options.target, [*runs])
        model, manifest = opened.load_model(several=True), opened.load_manifest()
    if targets := opened.each_target(lambda _, path: explain_with(path, data, options=options), data):
        return Explanation.of_targets(model.spec.target, targets)
    output = model.spec.head.explained.named(options.class_label, options.target)
    config = check_config_unchanged(opened, manifest, ())
    model = scored_model(opened, config, model) if data is None else model
    with run_copies(opened.path):
        whole = _load_data(run, data, model, config.data.sample_weight, options)
        try:
            return _explain(opened, config, model, whole, options, output)
        except CellError as error:
            raise error.for_model(ON_ERROR_HINT) from None


explain = operation(ExplainOptions)(explain_with)


def _explain(
    run: Run, config: Config, model: AnyModel, whole: _Data, options: ExplainOptions, output: str | None
) -> Explanation:
    """The explanation of a model on a sample of the data, drawn with the run's seed."""
    are_few = len(whole.rows) <= FEW_ROWS
    if output is not None and not (options.attributions or are_few):
        option = ExplainOptions.use(model.spec.head.explained.option)
        raise UsageError(
            Advice(option, " selects what attributions explain"),
            hint=Advice(
                "Add ", ExplainOptions.use("attributions", True, "FILE"), f", or explain at most {FEW_ROWS} rows."
            ),
        )
    explained = explain_rows(
        model,
        config,
        whole.rows,
        size=options.rows,
        permutations=0 if are_few else options.permutations,
        top=0 if are_few else options.top,
        on_progress=options.on_progress,
    )
    table, labeled = explained.table, explained.labeled
    attributions, attributed, notes = None, np.arange(0), list[str]()
    if options.attributions or are_few:
        rng = np.random.default_rng([config.seed, 1])
        attributed = sample_positions(len(table), options.rows or MAX_ATTRIBUTED, rng)
        notes = []
        if len(attributed) < len(explained.encoded):
            more = ExplainOptions.use("rows")
            notes.append(Advice(f"attributions are of {len(attributed):,} of the rows; set ", more, " for more"))
        background, note = background_rows(config, run.load_manifest(), model, explained.encoded)
        with log_duration("computing attributions") as log:
            attributions = attribute(explained.encoded.take(attributed), background, output, options.on_progress)
            log.details.append(f"{len(attributed):,} rows")
        notes += filter(None, (note, _completeness_note(attributions)))
    return Explanation(
        rows=len(table),
        table_rows=len(whole.rows),
        labeled_rows=len(labeled),
        loss_name=explained.loss_name,
        loss=explained.loss,
        metric=explained.metric,
        score=explained.score,
        importances=explained.importances,
        partial_dependence=explained.partial_dependence,
        attributions=attributions,
        attributed=table.row_numbers[attributed],
        notes=(*whole.notes, *_notes(whole.rows.table, explained), *notes),
        training_rows=None if whole.is_own or are_few else _training_rows(run, model, table.take(labeled)),
        prediction_of=explained.prediction_of,
        permutations=explained.permutations,
        target=model.spec.target,
        explained_rows=attributions.explained_rows(table, table.row_numbers) if attributions and are_few else (),
        interactions=explained.encoded.interactions,
    )


def _training_rows(run: Run, model: AnyModel, labeled: Table) -> RowMatches | None:
    """How many of the labeled rows the run was trained or validated on; None if there are none, or it is not known."""
    training_rows = run.load_training_rows()
    return None if training_rows is None or not len(labeled) else training_rows.match(model.hash_rows(labeled))


def _load_data(
    run: str | Path, data: TableLocation | Frame | None, model: AnyModel, weight: str | None, options: ExplainOptions
) -> _Data:
    """The rows to explain, with their sample weights if they have any, and without invalid cells if asked for."""
    if data is None:
        held_out = predict_held_out(run)
        notes = [] if held_out.split == "validation" else ["the run has no validation rows: these are training rows"]
        if weight is not None:
            notes.append(f"rows are weighted by {quote(weight)}")
        loaded = _Data(RowsToExplain.of(held_out), tuple(notes), is_own=True)
    else:
        table, invalid = read_data(model, data), None
        if not options.fails:
            table, _, cells = without_invalid_cells(model, table, options)
            invalid = InvalidCounts.of(cells).note(skipped=options.skips)
        weights, note = weights_of(table, weight) if len(table) else (None, None)
        loaded = _Data(RowsToExplain(table, weights), (*table.notes, *filter(None, (invalid, note))))
    if not len(loaded.rows):
        place = Location(source=loaded.rows.table.source)
        raise DataError("the table has no rows", location=place, hint="Is this the right file?")
    return loaded


def _notes(table: Table, explained: ModelExplanation) -> list[str]:
    """Notes on the sample of the table's rows."""
    encoded = explained.encoded
    decision = encoded.model.spec.decision
    notes = [] if decision is None else [decision_note(decision)]
    if len(encoded) < len(table):
        notes.append(f"used {len(encoded):,} of {len(table):,} rows, sampled with the run's seed")
    if encoded.anomalies.note:
        notes.append(encoded.anomalies.note)
    if explained.permutations and not len(explained.labeled):
        notes.append("feature importance needs the target's column, which the table does not have")
    return notes


def _completeness_note(attributions: Attributions) -> str:
    """A note on the rows whose attributions do not add up; empty if there are none."""
    if not attributions.missed:
        return ""
    rows = "1 row" if attributions.missed == 1 else f"{attributions.missed:,} rows"
    finite = attributions.error[np.isfinite(attributions.error)]
    size = f"up to {finite.max():.2g}" if len(finite) == len(attributions.error) else "an infinite amount"
    return f"attributions of {rows} miss the prediction by {size} (tolerance: {attributions.tolerance:.2g})"
