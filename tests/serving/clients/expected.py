"""What a model predicts without a server."""

from __future__ import annotations

import polars as pl

from nncli.models.read_table import table_of
from nncli.serving.models.served_model import PredictionOptions, ServedModel


def predicted(
    model: ServedModel, table: pl.DataFrame, *, proba: bool = False, interval: float | tuple[()] = ()
) -> pl.DataFrame:
    """The predictions of a table."""
    options = PredictionOptions(proba=proba, interval=interval)
    return model.predict(table_of(model.model, table), options).frame
