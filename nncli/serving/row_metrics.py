"""The metrics of the rows that are served: their number, their anomalies, and the predicted classes.

A batch is only noted when it is answered, which takes some microseconds; the counters are brought up to date when they
are read, or when many batches are noted.
"""

from __future__ import annotations

from collections import deque
from threading import Lock
from typing import NamedTuple

import polars as pl
from prometheus_client import CollectorRegistry, Counter, Histogram

from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.kinds import Column
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table
from nncli.monitoring.fit_reference import columns_of
from nncli.prediction.frame import PredictedFrame
from nncli.serving.served_model import ServedModel
from nncli.serving.served_profiles import ServedProfiles

BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192)
MAX_LABELS = 200
"""Columns or classes of a model with a time series of their own; all others share one whose label is empty."""
MAX_NOTED = 1_000
"""Batches that are noted before they are counted."""


class Batch(NamedTuple):
    """What is counted of a batch."""

    model: ServedModel
    rows: int
    anomalies: Anomalies
    classes: pl.Series | None


class RowMetrics:
    """Counts the rows of batches, and keeps some for the profiles."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.profiles = ServedProfiles()
        self._noted: deque[Batch] = deque()
        self._counting = Lock()
        self._started: dict[str, ServedModel] = {}
        self._labels: dict[tuple[str, str], dict[str, str]] = {}
        self._rows = Counter("nncli_rows", "Rows that were predicted.", ["model"], registry=registry)
        self._batches = Histogram(
            "nncli_batch_rows",
            "Rows that were predicted together.",
            ["model"],
            buckets=BATCH_ROWS,
            registry=registry,
        )
        self._cells = Counter(
            "nncli_anomalous_cells",
            "Cells unlike all training rows: unseen or rare categories, numbers out of range, missing cells.",
            ["model", "column", "kind"],
            registry=registry,
        )
        self._classes = Counter(
            "nncli_predicted_classes", "Rows by predicted class.", ["model", "class"], registry=registry
        )

    def observe(self, model: ServedModel, table: Table, predicted: PredictedFrame) -> None:
        """Note a batch that was predicted."""
        is_class = model.model.spec.target.task == "classification" and "prediction" in predicted.frame.columns
        classes = predicted.frame.get_column("prediction") if is_class else None
        self._noted.append(Batch(model, len(table), predicted.anomalies, classes))
        self.profiles.add(model, table)
        if len(self._noted) >= MAX_NOTED:
            self.count()

    def count(self) -> None:
        """Count the batches that are noted."""
        with self._counting:
            for _ in range(len(self._noted)):
                self._count(self._noted.popleft())

    def start(self, model: ServedModel) -> None:
        """Begin the time series of a model with 0, so that a rate is known from the first cell on."""
        with self._counting:
            if self._started.get(model.name) is model:
                return
            self._started[model.name] = model
            self._rows.labels(model.name)
            self._batches.labels(model.name)
            target = model.model.spec.target
            for label in (target.labels if target.task == "classification" else ())[:MAX_LABELS]:
                self._classes.labels(model.name, self._label(model, "class", str(label)))
            for column in columns_of(model.model)[:MAX_LABELS]:
                for kind in _kinds(column):
                    self._cells.labels(model.name, self._label(model, "column", column.name), kind)

    def _count(self, batch: Batch) -> None:
        name = batch.model.name
        self._rows.labels(name).inc(batch.rows)
        self._batches.labels(name).observe(batch.rows)
        for column, found in batch.anomalies.columns.items():
            label = self._label(batch.model, "column", column)
            for kind in ("unseen", "rare", "missing", "out_of_range"):
                if cells := getattr(found, kind):
                    self._cells.labels(name, label, kind).inc(cells)
        if batch.classes is not None:
            for predicted, rows in batch.classes.cast(pl.String).alias("class").value_counts(name="rows").rows():
                self._classes.labels(name, self._label(batch.model, "class", predicted or "")).inc(rows)

    def _label(self, model: ServedModel, kind: str, value: str) -> str:
        """The value as a label, or the empty one if the model has too many values."""
        labels = self._labels.setdefault((model.name, kind), {})
        if value not in labels and len(labels) < MAX_LABELS:
            labels[value] = label_text(value)
        return labels.get(value, "")


def label_text(value: str) -> str:
    """The value as text that can be encoded."""
    return value.encode("utf-8", "backslashreplace").decode()


def _kinds(column: Column) -> tuple[str, ...]:
    """The kinds of anomalies of a column."""
    has_missing = getattr(column, "has_missing", False)
    missing = () if has_missing else ("missing",)
    if isinstance(column, TextColumn):
        return missing
    return ("unseen" if isinstance(column, CategoricalColumn) else "out_of_range", *missing)
