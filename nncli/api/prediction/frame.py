"""The predictions of one table in memory."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import polars as pl

from nncli.api.options import InvalidCellOptions, PredictOptions
from nncli.api.prediction.summary import PredictionSummary
from nncli.base.errors import CellError, UsageError
from nncli.base.text import join_quoted
from nncli.data.encoders.anomalies import Anomalies, InvalidCells, InvalidCounts
from nncli.data.table import Table
from nncli.models.conformal.predictor import ConformalPredictions, ConformalPredictor
from nncli.models.ensemble import AnyModel, average_members, predict_members
from nncli.models.label_predictor import PredictedClasses, predict_classes
from nncli.models.predictions import Predictions
from nncli.nn.arrays import RowIndices
from nncli.runs.monitoring.profiler import Profile, Profiler

ON_ERROR_HINT = "To predict the table all the same: --on-error missing or --on-error skip (in Python on_error)."


FramedPredictions: TypeAlias = Predictions | PredictedClasses | ConformalPredictions


class PredictedFrame(NamedTuple):
    """The predictions of one table, with the anomalies and the invalid cells of its rows."""

    frame: pl.DataFrame
    anomalies: Anomalies
    invalid: InvalidCells
    unknown_groups: int = 0
    profile: Profile | None = None

    @property
    def summary(self) -> PredictionSummary:
        """The counts of the table."""
        invalid = InvalidCounts.of(self.invalid)
        return PredictionSummary(len(self.frame), self.anomalies, invalid, self.unknown_groups, self.profile)


def predict_frame(
    model: AnyModel,
    table: Table,
    options: PredictOptions,
    *,
    conformal: ConformalPredictor | None = None,
    profiler: Profiler | None = None,
) -> PredictedFrame:
    """Predict one table in memory; with `conformal`, also intervals or sets, and with `profiler` their profile."""
    options.check_proba(model)
    proba, keep = options.proba, list(dict.fromkeys(options.keep))
    table.require(keep)
    with np.errstate(
        all="ignore"
    ):  # a value far out of the training range may overflow; that is seen in the predictions
        found: ValidPredictions[FramedPredictions]
        profile = None
        if profiler is not None:
            profiled = predict_valid(model, table, options, partial(_predict_profiled, profiler, conformal))
            found = ValidPredictions(profiled.predictions[0], profiled.table, profiled.rows, profiled.invalid)
            profile = profiled.predictions[1]
        elif conformal is not None:
            found = predict_valid(model, table, options, conformal.predict)
        elif proba or not model.spec.target.has_labels:
            found = predict_valid(model, table, options, model.predict)
        else:
            found = predict_valid(model, table, options, partial(predict_classes, model))
        predictions = found.predictions
        predicted = predictions.frame() if isinstance(predictions, PredictedClasses) else predictions.frame(proba=proba)
    duplicates = sorted(set(keep) & set(predicted.columns))
    if duplicates:
        raise UsageError(
            f"--keep {join_quoted(duplicates)} would appear twice: a column of the predictions has that name"
        )
    kept = table.frame if found.rows is None else table.frame[found.rows]
    frame = pl.concat([kept[keep], predicted], how="horizontal") if keep else predicted
    unknown = predictions.unknown_groups if isinstance(predictions, ConformalPredictions) else 0
    return PredictedFrame(frame, predictions.anomalies, found.invalid, unknown, profile)


def _predict_profiled(
    profiler: Profiler, conformal: ConformalPredictor | None, table: Table
) -> tuple[Predictions | ConformalPredictions, Profile]:
    """The predictions of a table and its profile; each member predicts once."""
    members = predict_members(profiler.model, table)
    predictions = average_members(profiler.model, members)
    profile = profiler.bin_codes(table, predictions, members).profile()
    return predictions if conformal is None else conformal.of_members(members, conformal.group_codes(table)), profile


P = TypeVar("P")


class ValidPredictions(NamedTuple, Generic[P]):
    """Predictions of a table without its `invalid` cells.

    `table` is what was predicted: with these cells missing, or only the `rows` (positions; None: all) without one.
    """

    predictions: P
    table: Table
    rows: RowIndices | None
    invalid: InvalidCells


def predict_valid(
    model: AnyModel, table: Table, options: InvalidCellOptions, predict: Callable[[Table], P]
) -> ValidPredictions[P]:
    """Predict a table by `predict`, with its invalid cells missing or without their rows.

    Raises:
        CellError: a cell cannot be read, and this is an error.
    """
    try:
        return ValidPredictions(predict(table), table, None, InvalidCells.none())
    except CellError as error:
        if options.fails:
            raise error.for_model(ON_ERROR_HINT) from None
    invalid = model.invalid_cells(table)
    rows = invalid.valid_rows(len(table)) if options.skips else None
    valid = invalid.removed_from(table) if rows is None else table.take(rows)
    return ValidPredictions(predict(valid), valid, rows, invalid)
