"""Counters of rows, batches, anomalies and classes; their labels are bounded and may hold any text."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from nncli.api.prediction.tables import PredictedFrame, PredictionSummary
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies, InvalidCells
from nncli.data.table import Table
from nncli.serving.metrics.prometheus import MAX_LABELS, RowMetrics
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from tests.serving.metered import metered
from tests.serving.trained import ROWS, TARGETS, table_of

FEATURES = table_of().drop(TARGETS)
UNUSUAL = FEATURES.with_columns(x=pl.lit(1e6), color=pl.lit("violet"), flag=pl.lit(None, pl.Boolean))
HOSTILE = [
    '"',
    "\\",
    "\n",
    "\r\n",
    "a\\n",
    '"} 1\nnncli_rows_total{model="x"} 9',
    "",
    " ",
    "\x00\x1b",
    "é漢😀",
    "\u2028\x85",
]


def observed(rows: pl.DataFrame, model: ServedModel) -> RowMetrics:
    metrics = RowMetrics(CollectorRegistry())
    model.predict(Table(rows, "rows"), PredictionOptions(), metrics.observe)
    return metrics


def with_columns(names: list[str]) -> PredictedFrame:
    """Predictions of one row with anomalies in columns of these names."""
    cells = Anomalies({name: ColumnAnomalies(unseen=k + 1) for k, name in enumerate(names)})
    return PredictedFrame(pl.DataFrame({"prediction": [1.0]}), PredictionSummary(1, cells), InvalidCells.none())


def test_rows_and_anomalies_are_counted_by_column_and_kind(models: Mapping[str, ServedModel]) -> None:
    with metered([models["number"]]) as app:
        assert set(app.samples("nncli_anomalous_cells_total").values()) == {0.0}
        app.client.post("/predict", UNUSUAL.write_csv(), "text/csv")
        assert app.samples("nncli_rows_total") == {("number",): ROWS}
        assert app.samples("nncli_batch_rows_sum") == {("number",): ROWS}
        result = app.samples("nncli_anomalous_cells_total")
        assert result["x", "out_of_range", "number"] == ROWS
        assert result["color", "unseen", "number"] == ROWS
        assert result["flag", "missing", "number"] == ROWS
        assert result["count", "missing", "number"] == result["day", "out_of_range", "number"] == 0.0


@pytest.mark.parametrize("rows", [3, ROWS])
@pytest.mark.parametrize("name", ["two", "many"])
def test_classes_are_counted_as_they_are_answered(models: Mapping[str, ServedModel], name: str, rows: int) -> None:
    with metered([models[name]]) as app:
        before = app.samples("nncli_predicted_classes_total")
        answer = app.client.post("/predict", FEATURES.head(rows).write_csv(), "text/csv")
        predicted = answer.body.decode().splitlines()[1:]
        result = app.samples("nncli_predicted_classes_total")
        assert dict.fromkeys(result, 0.0) == before  # a rate is known from the first row on
        assert result == {key: predicted.count(key[0]) for key in result}


def test_a_batch_that_fails_is_not_counted(models: Mapping[str, ServedModel]) -> None:
    with metered([models["number"]]) as app:
        assert app.client.post_json("/predict", {"x": "none"}).status == 422
        assert app.samples("nncli_rows_total") == {("number",): 0.0}


def test_labels_may_be_any_text(models: Mapping[str, ServedModel]) -> None:
    registry = CollectorRegistry()
    metrics = RowMetrics(registry)
    metrics.observe(models["number"], Table(FEATURES.head(1), "rows"), with_columns(HOSTILE))
    written = [
        parse_text(generate_latest(registry).decode()),
        parse_openmetrics(generate_openmetrics(registry).decode()),
    ]
    for families in written:
        samples = [sample for family in families for sample in family.samples if "cells" in sample.name]
        assert {s.labels["column"]: s.value for s in samples} == {name: k + 1 for k, name in enumerate(HOSTILE)}


def test_text_that_cannot_be_encoded_is_no_error(models: Mapping[str, ServedModel]) -> None:
    registry = CollectorRegistry()
    RowMetrics(registry).observe(models["number"], Table(FEATURES.head(1), "rows"), with_columns(["\ud800"]))
    assert b'column="\\\\ud800"' in generate_latest(registry)


def test_a_wide_table_has_a_bounded_number_of_time_series(models: Mapping[str, ServedModel]) -> None:
    registry = CollectorRegistry()
    metrics = RowMetrics(registry)
    for _ in range(2):
        metrics.observe(
            models["number"], Table(FEATURES.head(1), "rows"), with_columns([f"c{k}" for k in range(10_000)])
        )
    (family,) = (family for family in registry.collect() if family.name == "nncli_anomalous_cells")
    assert len(family.samples) == MAX_LABELS + 1
    assert sum(sample.value for sample in family.samples) == 10_000 * 10_001
