"""`nncli evaluate`: score a run on a labeled table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nncli.analysis.evaluation.held_out import labeled_rows, labeled_truth, sample_weight_column
from nncli.analysis.evaluation.uncertainty import Uncertainty, UncertaintyScores
from nncli.api.options import ErrorsOptions, EvaluateOptions
from nncli.api.prediction.tables import predict_valid
from nncli.api.prediction.to_file import open_errors
from nncli.base.errors import DataError, Location
from nncli.base.logs import log_duration
from nncli.base.option import operation
from nncli.data.encoders.anomalies import Anomalies, InvalidCells, InvalidCounts
from nncli.data.sources.table_source import TableLocation
from nncli.models.ensemble import AnyModel
from nncli.models.read_table import read_data
from nncli.models.scores import baseline_predictions, headlines, no_better_note, score, to_json
from nncli.run_directory.run import Run
from nncli.run_directory.training_rows import RowMatches, TrainingRows
from nncli.targets.decision import BestConstant, Decision, constant_decision
from nncli.targets.metrics.registry import COST
from nncli.targets.target_base import Scores

if TYPE_CHECKING:
    from nncli.data.formats.dataframes import Frame


@dataclass(frozen=True)
class Evaluation:
    """Scores of a model on `rows` labeled rows; `skipped` rows had no target.

    `notes` are on how the table was read, `anomalies` are the unexpected values in the labeled rows. `training_rows`
    says how many of the rows the run was trained or validated on; None if it does not know its training rows.
    `weighted_by` is the column of the sample weights, None for rows that count the same. `invalid_cells` could not be
    read, in `invalid_rows` rows; they were missing, or these rows are not scored. `uncertainty` are the scores of
    prediction intervals or sets, if they were asked for. The predicted classes follow the saved `decision` of the run,
    None for the most probable class; one with costs is beside the best `constant` prediction. A run of several
    `targets` has an evaluation of each; then there are no scores of all.
    """

    rows: int
    skipped: int
    scores: Scores
    notes: tuple[str, ...] = ()
    anomalies: Anomalies = field(default_factory=Anomalies)
    training_rows: RowMatches | None = None
    weighted_by: str | None = None
    invalid_cells: int = 0
    invalid_rows: int = 0
    uncertainty: UncertaintyScores | None = None
    decision: Decision | None = None
    constant: BestConstant | None = None
    targets: Mapping[str, Evaluation] = field(default_factory=dict)

    @classmethod
    def of_targets(cls, targets: Mapping[str, Evaluation]) -> Evaluation:
        """The evaluation of several targets, with the most rows that one has."""
        each = targets.values()
        return cls(max(one.rows for one in each), min(one.skipped for one in each), (), targets=targets)

    @property
    def cost_per_row(self) -> float | None:
        """The mean cost of a row by the costs of the decision; None without costs."""
        return dict(headlines(self.scores)).get(COST.name)

    def json(self) -> dict[str, Any]:
        """The counts, `training_rows`, `weighted_by`, `decision`, its cost and `metrics` as a JSON object.

        `constant` is the best constant prediction by its cost. With intervals or sets also "intervals" or "sets". Of
        several targets, {"targets": {name: …}}.
        """
        if self.targets:
            return {"targets": {name: of_target.json() for name, of_target in self.targets.items()}}
        uncertainty = {} if self.uncertainty is None else self.uncertainty.json()
        return {
            "rows": self.rows,
            "skipped": self.skipped,
            "invalid_cells": self.invalid_cells,
            "invalid_rows": self.invalid_rows,
            "training_rows": None if self.training_rows is None else self.training_rows.json(),
            "weighted_by": self.weighted_by,
            "decision": None if self.decision is None else self.decision.model_dump(mode="json"),
            "cost_per_row": self.cost_per_row,
            "constant": None if self.constant is None else asdict(self.constant),
            "metrics": to_json(self.scores),
            **uncertainty,
        }


def evaluate_with(run: str | Path, data: TableLocation | Frame, options: EvaluateOptions) -> Evaluation:
    """Score a trained run on a table that has the target's column: a file, or a Polars or pandas frame.

    `-` is the standard input. Unless invalid cells are errors, rows whose target cannot be read are left out. Rows
    count by their sample weights if the run has data.sample_weight and the table that column. With levels of prediction
    intervals or sets, their coverage is measured. A run of several targets has an evaluation of each.

    Raises:
        RunError: the run directory is missing or damaged, or has no rows to calibrate with.
        UsageError: the levels do not fit the task of the run, or its number of calibration rows.
        DataError: the table cannot be read, lacks a column, or has a class that is not in the training table.
    """
    with log_duration(f"loading {run}"):
        opened = Run.open(Path(run))
        kinds = opened.each_target(lambda _, path: Run(path).load_model().spec.target) if options.levels else {}
        options.uncertainty.check_any([*kinds.values()])

        def of_target(name: str, path: Path) -> Evaluation:
            return evaluate_with(path, data, options.of_target(kinds[name]) if kinds else options)

        if targets := opened.each_target(of_target, data):
            return Evaluation.of_targets(targets)
        model, training_rows = opened.load_model(), opened.load_training_rows()
        uncertainty = Uncertainty.of(opened, model, options.uncertainty)
    return evaluate_data(model, data, options, training_rows, sample_weight_column(opened), uncertainty)


evaluate = operation(EvaluateOptions)(evaluate_with)


def evaluate_data(
    model: AnyModel,
    data: TableLocation | Frame,
    options: ErrorsOptions,
    training_rows: TrainingRows | None = None,
    sample_weight: str | None = None,
    uncertainty: Uncertainty | None = None,
) -> Evaluation:
    """Score a model; rows count by the column `sample_weight`, if the table has it. See `evaluate`."""
    table, target = read_data(model, data), model.spec.target
    if uncertainty is not None:
        uncertainty.check(table)
    labeled, counts = labeled_rows(table, target, model.names), InvalidCounts()
    rows_with_label = len(labeled)
    with open_errors(options, by_file=table.origins is not None) as on_invalid:
        notes = []
        if not options.fails:
            notes.append(InvalidCells.of(labeled, target.cell_errors(labeled)))
            labeled = labeled.take(notes[0].valid_rows(len(labeled)))
        with log_duration("predicting"), np.errstate(all="ignore"):
            if uncertainty is None:
                predictions, labeled, _, invalid = predict_valid(model, labeled, options, model.predict)
            else:
                conformal, labeled, _, invalid = predict_valid(model, labeled, options, uncertainty.predictor.predict)
                predictions = conformal.predictions
        for cells in (*notes, invalid):
            counts += InvalidCounts.of(cells)
            if on_invalid is not None and len(cells):
                on_invalid(cells.frame)
    if not len(labeled):
        raise DataError("no row can be read", location=Location(source=table.source), hint="Correct the cells.")
    with log_duration("scoring"):
        rows, note = labeled_truth(labeled, model, sample_weight)
        y, weights, predictions = rows.y, rows.weights, replace(predictions, context=rows.context)
        scores, decision = score(predictions, y, weights, model.spec.loss), model.spec.decision
        constant = None
        baseline = baseline_predictions(target, rows, rows, model.spec.loss)
        no_better = no_better_note(scores, score(baseline, y, weights, model.spec.loss), len(y))
        if (best := constant_decision(decision, target.labels)) is not None:
            baseline = replace(baseline, decision=best)
            of_constant, decided = (
                float(dict(headlines(each))[COST.name] or 0.0)
                for each in (score(baseline, y, weights, model.spec.loss), scores)
            )
            constant = BestConstant.of(target.labels[baseline.classes[0]], of_constant, decided)
        coverage = None if uncertainty is None else uncertainty.scores(conformal, labeled, y, weights)
    matches = None if training_rows is None else training_rows.match(model.hash_rows(labeled))
    return Evaluation(
        len(labeled),
        len(table) - rows_with_label,
        scores,
        (
            *table.notes,
            *filter(None, (note, counts.note(skipped=options.skips), no_better)),
            *(() if uncertainty is None else uncertainty.predictor.notes()),
        ),
        predictions.anomalies,
        matches,
        None if weights is None else sample_weight,
        counts.columns.total(),
        counts.rows,
        coverage,
        decision,
        constant,
    )
