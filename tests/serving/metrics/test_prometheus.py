"""What the metrics of a server say of requests, queues, models and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from nncli.data.table import Table
from nncli.serving.metrics.prometheus import OTHER, Metrics, buckets
from nncli.serving.models.reload import ModelSlot, ModelSlots
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from tests.serving.trained import TARGETS, table_of


@pytest.fixture
def slot(models: Mapping[str, ServedModel], runs: Mapping[str, Path]) -> ModelSlot:
    return ModelSlot(runs["number"], models["number"])


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """The values by name and the values of the labels, in the order of their names."""
    text = metrics.exposition("")[0].decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_queue_is_that_of_the_moment(slot: ModelSlot) -> None:
    waiting = [1, 2, 3]
    metrics = Metrics(ModelSlots([slot]), 7, lambda: len(waiting))
    assert (samples(metrics)["nncli_queue_requests",], samples(metrics)["nncli_queue_limit",]) == (3, 7)
    waiting.clear()
    assert samples(metrics)["nncli_queue_requests",] == 0


def test_requests_are_counted_by_address_known_method_and_status(slot: ModelSlot) -> None:
    metrics = Metrics(ModelSlots([slot]), 7, lambda: 0)
    for method in ("POST", "POST", "BREW", "PROPFIND"):
        metrics.count_request("/predict", method, 200, 0.01, received=5, sent=3)
    result = samples(metrics)
    assert result["nncli_requests_total", "/predict", "POST", "200"] == 2
    assert result["nncli_requests_total", "/predict", OTHER, "200"] == 2
    assert result["nncli_request_seconds_count", "/predict"] == 4
    assert (result["nncli_request_body_bytes_total",], result["nncli_response_body_bytes_total",]) == (20, 12)


def test_reloads_begin_with_0_and_a_failure_is_shown(slot: ModelSlot) -> None:
    metrics = Metrics(ModelSlots([slot]), 7, lambda: 0)
    assert samples(metrics)["nncli_model_reloads_total", "number", "failure"] == 0
    metrics.count_reload("number", is_replaced=False)
    slot.problem = "it is damaged"
    result = samples(metrics)
    assert result["nncli_model_reloads_total", "number", "failure"] == 1
    assert result["nncli_model_reload_failed", "number"] == 1
    assert any(key[0] == "nncli_model_info" and slot.current.version in key for key in result)


def test_the_help_of_profiled_metrics_says_that_rows_are_sampled(slot: ModelSlot) -> None:
    text = Metrics(ModelSlots([slot]), 7, lambda: 0).exposition("")[0].decode()
    for name in ("nncli_prediction", "nncli_probability", "nncli_profile_rows"):
        (help_line,) = (line for line in text.splitlines() if line.startswith(f"# HELP {name} "))
        assert "sample" in help_line
        assert "late" in help_line


def test_buckets_are_cumulative_and_count_every_row_that_is_not_missing(slot: ModelSlot) -> None:
    metrics, model = Metrics(ModelSlots([slot]), 7, lambda: 0), slot.current
    table = Table(table_of(seed=1).drop(TARGETS), "rows", dialect=model.model.spec.dialect)
    model.predict(table, PredictionOptions(), metrics.rows.observe)
    metrics.rows.profiles.profile(model)
    metrics.close()
    served = metrics.rows.profiles.current()["number"]
    for bins, counts in zip(served.reference.numbers, served.histograms, strict=True):
        ends, sums = zip(*buckets(bins, counts), strict=True)
        assert ends[-1] == "+Inf"
        assert [*map(float, ends[:-1])] == sorted(map(float, ends[:-1]))
        assert all(item <= other for item, other in pairwise(sums))
        assert sums[-1] == np.sum(counts[1:]) == len(table)
