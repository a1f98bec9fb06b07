"""The metrics of a server, in a registry of its own: requests, rows, models, and the process."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from threading import Lock

import numpy as np
import polars as pl
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from nncli import __version__
from nncli.api.prediction.tables import PredictedFrame
from nncli.data.encoders.anomalies import Anomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_types import Column
from nncli.data.encoders.text import TextColumn
from nncli.data.table import FEW_ROWS, Table
from nncli.nn.arrays import Counts
from nncli.run_directory.monitoring.reference import NumberBins, columns_of
from nncli.serving.metrics.served_profiles import ServedProfiles
from nncli.serving.models.reload import ModelSlots
from nncli.serving.models.served_model import ServedModel

SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
"""Upper ends of the buckets of durations."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
"""The label of unknown addresses and methods."""
SAMPLE = " Counted some seconds late, and for a sample of the rows at high load."
"""What the help of metrics says that come from the profiles of served rows."""

disable_created_metrics()  # type: ignore[no-untyped-call, unused-ignore]  # a time beside every series, which nobody reads


class Metrics:
    """Counts what a server does.

    `waiting` returns the number of requests that wait; at most `limit` do for each model.
    """

    def __init__(self, slots: ModelSlots, limit: int, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        self._slots = slots
        self.rows = RowMetrics(self.registry)
        self._requests = Counter(
            "nncli_requests", "Requests that were answered.", ["address", "method", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "nncli_request_seconds",
            "Time from the headers of a request to the end of its response.",
            ["address"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._received = Counter("nncli_request_body_bytes", "Bytes of request bodies.", registry=self.registry)
        self._sent = Counter("nncli_response_body_bytes", "Bytes of response bodies.", registry=self.registry)
        self._reloads = Counter(
            "nncli_model_reloads",
            "Runs that were loaded again, or could not be.",
            ["model", "result"],
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "nncli_requests_in_progress", "Requests that are being answered.", registry=self.registry
        )
        queue = Gauge("nncli_queue_requests", "Requests that wait to be predicted.", registry=self.registry)
        queue.set_function(waiting)
        Gauge("nncli_queue_limit", "Requests that may wait for each model.", registry=self.registry).set(limit)
        for slot in slots.all:
            for result in ("success", "failure"):
                self._reloads.labels(slot.name, result)
        self.registry.register(ModelCollector(slots, self.rows))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def count_request(self, address: str, method: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count a request to an address, which is a pattern such as /models/{model}/predict, and its answer."""
        series = self._series.get((address, method, status))
        if series is None:
            labels = (address, method if method in METHODS else OTHER, str(status))
            series = self._requests.labels(*labels), self._seconds.labels(address)
            if labels[1] == method:  # of others, there may be any number
                self._series[address, method, status] = series
        requests, durations = series
        requests.inc()
        durations.observe(seconds)
        self._received.inc(received)
        self._sent.inc(sent)

    def count_reload(self, model: str, is_replaced: bool) -> None:
        """Count that a model was loaded again, or could not be."""
        self._reloads.labels(model, "success" if is_replaced else "failure").inc()

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """All metrics and their media type: OpenMetrics if `accept` names it, else the text format of Prometheus."""
        for slot in self._slots.all:
            self.rows.start(slot.current)  # it may have been replaced
        accepted = {media_type.partition(";")[0].strip().lower() for media_type in accept.split(",")}
        if "application/openmetrics-text" in accepted:
            encode: Callable[[Collector], bytes] = openmetrics.generate_latest
            return encode(self.registry), openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4

    def close(self) -> None:
        """End the thread of the profiles."""
        self.rows.profiles.close()


class ModelCollector(Collector):
    """The models that are served, and the histograms of their predictions."""

    def __init__(self, slots: ModelSlots, rows: RowMetrics) -> None:
        self._slots, self._rows = slots, rows

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        info = InfoMetricFamily("nncli_model", "The models that are served.", labels=["model"])
        loaded = GaugeMetricFamily(
            "nncli_model_loaded_timestamp_seconds", "When the model was loaded.", labels=["model"]
        )
        failed = GaugeMetricFamily(
            "nncli_model_reload_failed", "1 if what is at the path of the run could not be loaded.", labels=["model"]
        )
        for slot in self._slots.all:
            model = slot.current
            info.add_metric([slot.name], {"version": model.version, "nncli_version": __version__})
            loaded.add_metric([slot.name], model.loaded.timestamp())
            failed.add_metric([slot.name], slot.problem is not None)
        yield from (info, loaded, failed)
        yield from self._histograms()

    def _histograms(self) -> Iterator[Metric]:
        numbers = HistogramMetricFamily("nncli_prediction", f"Predictions.{SAMPLE}", labels=["model", "target"])
        probabilities = HistogramMetricFamily(
            "nncli_probability",
            f"Probabilities of the positive class, or the largest ones.{SAMPLE}",
            labels=["model", "class"],
        )
        profiled = GaugeMetricFamily("nncli_profile_rows", f"Rows in the profile.{SAMPLE}", labels=["model"])
        for name, served in self._rows.profiles.current().items():
            profiled.add_metric([name], served.profile.rows)
            for bins, counts in zip(served.reference.numbers, served.histograms, strict=True):
                family = probabilities if bins.measure == "probability" else numbers
                family.add_metric([name, label_text(bins.name)], buckets(bins, counts), None)
        yield from (numbers, probabilities, profiled)


def buckets(bins: NumberBins, counts: Counts) -> list[tuple[str, float]]:
    """The cumulative buckets of a histogram, without missing values, by the ends of the groups of the reference."""
    last_of_group = np.flatnonzero(np.diff(bins.groups, append=-1))
    ends = [*map(floatToGoString, bins.edges[last_of_group[:-1]]), "+Inf"]
    sums = np.add.reduceat(counts[1:], np.concatenate([[0], last_of_group[:-1] + 1]))
    return list(zip(ends, map(float, accumulate(sums.tolist())), strict=True))


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
        for label in model.model.spec.head.monitoring.class_names(MAX_LABELS):
            self._classes.add(0, model.name, label)
        for column in columns_of(model.model)[:MAX_LABELS]:
            for kind in _kinds(column):
                self._cells.add(0, model.name, column.name, kind)

    def observe(self, model: ServedModel, table: Table, predicted: PredictedFrame) -> None:
        """Count rows that were predicted together. One row takes about 10 microseconds."""
        self._rows.labels(model.name).inc(len(table))
        self._batches.labels(model.name).observe(len(table))
        self._count_cells(model.name, predicted.summary.anomalies)
        for column in model.model.spec.head.monitoring.predicted_classes(predicted.frame):
            for label, rows in _rows_by_class(column):
                self._classes.add(rows, model.name, label)
        self.profiles.add(model, table)

    def _count_cells(self, model: str, anomalies: Anomalies) -> None:
        for column, counts in anomalies.columns.items():
            for kind in KINDS:
                if cells := getattr(counts, kind):
                    self._cells.add(cells, model, column, kind)


class LabeledCounts:
    """A counter whose second label has any values, of which each model has MAX_LABELS at most."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._counters: dict[tuple[str, ...], Counter] = {}
        self._labels: dict[str, set[str]] = {}
        self._adding = Lock()

    def add(self, n: int, model: str, *labels: str) -> None:
        """Add to the time series with these labels."""
        child = self._counters.get((model, *labels))
        if child is None:
            child = self._child(model, *labels)
        child.inc(n)

    def _child(self, model: str, value: str, *others: str) -> Counter:
        with self._adding:
            children = self._labels.setdefault(model, set())
            if value not in children and len(children) >= MAX_LABELS:
                return self._counter.labels(model, "", *others)
            children.add(value)
            child = self._counters[model, value, *others] = self._counter.labels(model, label_text(value), *others)
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
