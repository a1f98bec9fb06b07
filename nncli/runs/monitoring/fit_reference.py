"""The reference profile of a run, from its training rows and its held-out predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from nncli.base.logs import log_duration
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.date import DateColumn
from nncli.data.encoders.kinds import Column
from nncli.data.encoders.text import TextColumn
from nncli.data.store.column_store import ColumnStore
from nncli.models.ensemble import AnyModel, Ensemble
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.runs.monitoring.bins import Bins, CategoryBins, Measure, NumberBins
from nncli.runs.monitoring.reference import MAX_ROWS, N_QUANTILES, Reference, n_categories, n_quantiles

POSITIVE = 1
"""The code of the positive one of two classes."""


def columns_of(model: AnyModel) -> tuple[Column, ...]:
    """The columns of a model, of an ensemble those of the first member that has them."""
    members = model.members if isinstance(model, Ensemble) else (model,)
    found: dict[str, Column] = {}
    for member in members:
        for column in member.spec.encoder.columns:
            found.setdefault(column.name, column)
    return tuple(found.values())


def fit_columns(store: ColumnStore, columns: Sequence[Column], seed: int) -> tuple[Bins, ...]:
    """The bins of the columns, from the training rows, or a random sample of them."""
    n = len(store)
    if n > MAX_ROWS:
        store = store.take(np.sort(np.random.default_rng([seed, 4]).choice(n, MAX_ROWS, replace=False)))
    n_numbers = sum(not isinstance(column, CategoricalColumn) for column in columns)
    quantiles, categories = n_quantiles(n_numbers), n_categories(len(columns) - n_numbers)
    with log_duration("profiling the training rows") as stage:
        found = tuple(_fit(store, column, quantiles, categories) for column in columns)
        stage.details.append(f"{len(store):,} rows, {len(columns):,} columns")
    return found


def _fit(store: ColumnStore, column: Column, quantiles: int, categories: int) -> Bins:
    cells = column.comparable_cells(store.columns([column.name]))
    if isinstance(cells, pl.Series):
        return CategoryBins.fit(column.name, cells, categories, 20 * categories)
    return NumberBins.fit(column.name, measure_of(column), cells, quantiles)


def measure_of(column: Column) -> Measure:
    """What the numbers of a column are."""
    if isinstance(column, DateColumn):
        return "date"
    return "length" if isinstance(column, TextColumn) else "number"


def fit_predictions(predictions: Predictions) -> tuple[Bins, ...]:
    """The bins of predictions for rows that were held out."""
    target, values = predictions.target, predictions.values
    if not target.has_labels:
        return tuple(
            NumberBins.fit(name, "prediction", y, N_QUANTILES) for name, y in zip(target.names, values.T, strict=True)
        )
    classes = CategoryBins.of_classes(target.names[0], target.labels, values.argmax(axis=1))
    label = target.labels[POSITIVE] if len(target.labels) == 2 else ""
    return (classes, NumberBins.fit(label, "probability", probability_of(values), N_QUANTILES))


def probability_of(values: Floats) -> Floats:
    """The probability (rows,) of the positive of two classes, or the largest one of more."""
    return values[:, POSITIVE] if values.shape[1] == 2 else values.max(axis=1)


def reference_of(
    bins: tuple[Bins, ...], total: int, held_out: Predictions | None, members: tuple[int, ...] = ()
) -> Reference:
    """The reference of a run from the bins of its `total` training rows, and of predictions for rows held out, if any.

    `members` are the numbers of rows that each member predicted, see `HeldOutRows.one_member_a_row`.
    """
    predictions = () if held_out is None else fit_predictions(held_out)
    return Reference(min(total, MAX_ROWS), total, bins, predictions, members)
