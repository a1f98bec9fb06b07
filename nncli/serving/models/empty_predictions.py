"""The columns of a model's predictions."""

from __future__ import annotations

import polars as pl

from nncli.data.table import Table
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.models.prediction_options import PredictionOptions
from nncli.serving.models.served_model import ServedModel


def default_options(model: ServedModel) -> PredictionOptions:
    """The options of a V2 request without parameters: the probabilities of classes are predicted, too."""
    return PredictionOptions(proba=model.model.spec.target.has_probabilities)


def empty_predictions(model: ServedModel) -> pl.DataFrame:
    """The predictions of a table without rows, with `default_options`: their names and data types."""
    frame = pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in model.model.names})
    return model.predict(Table(frame, SOURCE), default_options(model)).frame
