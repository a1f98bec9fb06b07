"""The metrics of the rows that are served: their number, their anomalies, and the predicted classes."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable
from threading import Lock

import numpy as np
import polars as pl
from prometheus_client import CollectorRegistry, Counter, Histogram

from nncli.api.prediction.frame import PredictedFrame
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.kinds import Column
from nncli.data.encoders.text import TextColumn
from nncli.data.table import FEW_ROWS, Table
from nncli.runs.monitoring.fit_reference import columns_of
from nncli.serving.metrics.served_profiles import ServedProfiles
from nncli.serving.models.served_model import ServedModel

BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048)
MAX_LABELS = 200
"""Columns or classes of a model with a time series of their own; all others share one whose label is empty."""
KINDS = ("unseen", "rare", "missing", "out_of_range")


class RowMetrics:
    """Counts the rows that are predicted, and keeps some for the profiles."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.profiles = ServedProfiles()
        self._rows = Counter("nncli_rows", "Rows that were predicted.", ["model"], registry=registry)
        self._batches = Histogram(
            "nncli_batch_rows", "Rows that were predicted together.", ["model"], buckets=BATCH_ROWS, registry=registry
        )
        self._cells = LabeledCounts(
            Counter(
                "nncli_anomalous_cells",
                "Cells unlike all training rows: unseen or rare categories, numbers out of range, missing cells.",
                ["model", "column", "kind"],
                registry=registry,
            )
        )
        self._classes = LabeledCounts(
            Counter("nncli_predicted_classes", "Rows by predicted class.", ["model", "class"], registry=registry)
        )

    def start(self, model: ServedModel) -> None:
        """Begin the time series of a model with 0, so that a rate is known from the first cell on."""
        self._rows.labels(model.name)
        self._batches.labels(model.name)
        target = model.model.spec.target
        if target.has_labels:
            codes = np.arange(min(len(target.labels), MAX_LABELS))
            for label in target.label_column(codes, "prediction").cast(pl.String):
                self._classes.add(0, model.name, label)
        for column in columns_of(model.model)[:MAX_LABELS]:
            for kind in _kinds(column):
                self._cells.add(0, model.name, column.name, kind)

    def observe(self, model: ServedModel, table: Table, predicted: PredictedFrame) -> None:
        """Count rows that were predicted together. One row takes about 10 microseconds."""
        self._rows.labels(model.name).inc(len(table))
        self._batches.labels(model.name).observe(len(table))
        self._count_cells(model.name, predicted.anomalies)
        if model.model.spec.target.has_labels and "prediction" in predicted.frame.columns:
            for label, rows in _rows_by_class(predicted.frame.get_column("prediction")):
                self._classes.add(rows, model.name, label)
        self.profiles.add(model, table)

    def _count_cells(self, model: str, anomalies: Anomalies) -> None:
        for column, found in anomalies.columns.items():
            for kind in KINDS:
                if cells := getattr(found, kind):
                    self._cells.add(cells, model, column, kind)


class LabeledCounts:
    """A counter whose second label has any values, of which each model has MAX_LABELS at most."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._known: dict[tuple[str, ...], Counter] = {}
        self._labels: dict[str, set[str]] = {}
        self._adding = Lock()

    def add(self, n: int, model: str, *labels: str) -> None:
        """Add to the time series with these labels."""
        child = self._known.get((model, *labels))
        if child is None:
            child = self._child(model, *labels)
        child.inc(n)

    def _child(self, model: str, value: str, *others: str) -> Counter:
        with self._adding:
            own = self._labels.setdefault(model, set())
            if value not in own and len(own) >= MAX_LABELS:
                return self._counter.labels(model, "", *others)
            own.add(value)
            child = self._known[model, value, *others] = self._counter.labels(model, label_text(value), *others)
            return child


def label_text(value: str) -> str:
    """The value as text that can be encoded."""
    return value.encode("utf-8", "backslashreplace").decode()


def _rows_by_class(classes: pl.Series) -> Iterable[tuple[str, int]]:
    if classes.dtype != pl.String:
        classes = classes.cast(pl.String)
    if len(classes) <= FEW_ROWS:
        return Tally(classes.to_list()).items()
    return classes.alias("class").value_counts(name="rows").iter_rows()


def _kinds(column: Column) -> tuple[str, ...]:
    """The kinds of anomalies of a column."""
    missing = () if getattr(column, "has_missing", False) else ("missing",)
    if isinstance(column, TextColumn):
        return missing
    return ("unseen" if isinstance(column, CategoricalColumn) else "out_of_range", *missing)
