"""Predictions of a run for the labeled rows of a table that it was not given in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.base.errors import CellError, DataError, Location, NncliError
from nncli.base.text import closest_match, join_quoted, quote
from nncli.config.loading import load_config
from nncli.data.sample_weights import Weights, read_weights
from nncli.data.table import Table
from nncli.fitting.train.provenance import check_config_unchanged
from nncli.models.ensemble import AnyModel
from nncli.models.scores import baseline_predictions
from nncli.runs.filenames import CONFIG
from nncli.runs.run import Run
from nncli.targets.base import rows_with_target
from nncli.targets.target import Target

LABELS_NEEDED = "Evaluation needs labels; `nncli predict` does not."


def labeled_rows(table: Table, target: Target, features: Sequence[str]) -> Table:
    """The rows of a table that have a target. `features` are the columns that the model reads.

    Raises:
        DataError: a target column is missing, or no row has a target.
    """
    if missing := [name for name in target.names if name not in table.names]:
        raise DataError(
            f"the table has no target column {join_quoted(missing)}",
            location=Location(source=table.source),
            hint=_missing_target_hint(missing[0], table, features),
        )
    rows = rows_with_target(table, target.names)
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
        return load_config(run.path / CONFIG).data.sample_weight
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
    y, weights = labels_of(table, target), weights_of(table, config.data.sample_weight)[0]
    training_rows = run.load_training_rows()
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
        baseline=baseline_predictions(target, y, weights, len(table), predictions.levels),
        training_rows=None if training_rows is None else training_rows.match(model.hash_rows(table)),
    )
