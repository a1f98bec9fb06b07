"""Predictions of a run for the labeled rows of a table that it was not given in training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from nncli.data.encoders.target import Target, rows_with_target
from nncli.data.sample_weights import read_weights
from nncli.data.table import Table
from nncli.ensemble import AnyModel
from nncli.errors import DataError, Location
from nncli.evaluation.held_out import HeldOutPredictions
from nncli.pipeline.train.provenance import check_config_unchanged
from nncli.runs.run import Run
from nncli.scoring import baseline_predictions
from nncli.text import closest_match, join_quoted, quote

LABELS_NEEDED = "Evaluation needs labels; `nncli predict` does not."


def labeled_rows(table: Table, target: Target) -> Table:
    """The rows of a table that have a target.

    Raises:
        DataError: a target column is missing, or no row has a target.
    """
    if missing := [name for name in target.names if name not in table.names]:
        close = closest_match(missing[0], table.names)
        raise DataError(
            f"the table has no target column {join_quoted(missing)}",
            location=Location(source=table.source),
            hint=f"Did you mean {quote(close)}?" if close else LABELS_NEEDED,
        )
    rows = rows_with_target(table, target.names)
    if not len(rows):
        raise DataError(
            "no row has a target",
            location=Location(source=table.source, column=target.names[0]),
            hint=LABELS_NEEDED,
        )
    return table if len(rows) == len(table) else table.take(rows)


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
    target, weight = model.spec.target, config.data.sample_weight
    table = labeled_rows(read(model), target)
    with np.errstate(all="ignore"):
        predictions = model.predict(table)
    y = target.read(table)
    weights = read_weights(table, weight) if weight is not None and weight in table.names else None
    return HeldOutPredictions(
        config=config,
        manifest=manifest,
        model=model,
        table=table,
        numbers=table.row_numbers,
        y=y,
        weights=weights,
        predictions=predictions,
        loss=model.spec.loss,
        split="table",
        baseline=baseline_predictions(target, y, weights, len(table)),
    )
