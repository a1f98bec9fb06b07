"""`GET /metrics`, in both formats, and `/models/NAME/profile`, which `nncli drift` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from nncli import drift
from nncli.serving.models.served_model import ServedModel
from tests.cli.support import Cli
from tests.serving.asgi_client import Call
from tests.serving.metered import Metered, metered
from tests.serving.trained import TARGETS, table_of

FEATURES = table_of(seed=1).drop(TARGETS)
CSV = FEATURES.write_csv()
DELETE = Call("DELETE", "/models/number/profile")


@pytest.fixture
def app(models: Mapping[str, ServedModel]) -> Iterator[Metered]:
    """An application that serves the runs `number`, `two` and `many`."""
    with metered([models[name] for name in ("number", "two", "many")]) as app:
        yield app


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "text/html"])
def test_the_default_is_the_text_format(app: Metered, accept: str) -> None:
    answer = app.client.get("/metrics", {"accept": accept})
    assert (answer.status, answer.media_type) == (200, "text/plain")
    assert {"nncli_requests", "nncli_rows", "nncli_model_info"} <= {
        family.name for family in parse_text(answer.body.decode())
    }


def test_openmetrics_is_an_answer_to_its_media_type(app: Metered) -> None:
    app.client.post("/predict", CSV, "text/csv")
    app.client.get("/models/number/profile")
    accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5"
    answer = app.client.get("/metrics", {"accept": accept})
    assert answer.media_type == "application/openmetrics-text"
    families = {family.name: family for family in parse_openmetrics(answer.body.decode())}
    assert families["nncli_prediction"].type == "histogram"


HOSTILE = [
    "application/openmetrics-text;version=x",
    "application/openmetrics-text; version=",
    "application/openmetrics-text;version=1.0.0; escaping=\x00\xff",
    "text/plain; version=1.x; escaping==,,;;",
    "," * 5_000,
]


@pytest.mark.parametrize("accept", HOSTILE)
def test_an_unreadable_accept_header_is_no_error(app: Metered, accept: str) -> None:
    answer = app.client.get("/metrics", {"accept": accept})
    assert answer.status == 200
    assert "\x00" not in answer.headers["content-type"]


@pytest.mark.parametrize("name", ["number", "two", "many"])
def test_the_profile_is_that_of_predict(
    app: Metered, models: Mapping[str, ServedModel], nncli: Cli, tmp_path: Path, name: str
) -> None:
    app.client.post(f"/models/{name}/predict", CSV, "text/csv")
    for row in FEATURES.head(3).to_dicts():
        assert app.client.post_json(f"/models/{name}/predict", row).status == 200
    served = app.client.get(f"/models/{name}/profile").json
    FEATURES.vstack(FEATURES.head(3)).write_csv(tmp_path / "rows.csv")
    answers, profile = tmp_path / "answers.csv", tmp_path / "profile.json"
    nncli("predict", models[name].run.path, tmp_path / "rows.csv", "-o", answers, "--profile", profile).check()
    assert served == json.loads(profile.read_bytes())


def test_drift_reads_the_profile(app: Metered, models: Mapping[str, ServedModel], tmp_path: Path) -> None:
    moved = FEATURES.with_columns(x=FEATURES["x"] + 50.0)
    app.client.post("/predict", moved.write_csv(), "text/csv")
    (tmp_path / "profile.json").write_bytes(app.client.get("/models/number/profile").body)
    (batch,) = drift(models["number"].run.path, tmp_path / "profile.json").batches
    assert "x" in {column.name for column in batch.comparison.drifted}


def test_a_profile_that_is_taken_begins_again(app: Metered) -> None:
    app.client.post("/predict", CSV, "text/csv")
    first = app.client.call(DELETE).json
    assert first["rows"] == len(FEATURES)
    assert app.client.get("/models/number/profile").json["rows"] == 0
    app.client.post("/predict", CSV, "text/csv")
    assert app.client.call(DELETE).json == first
    assert app.samples("nncli_prediction_bucket")["+Inf", "number", "y"] == 2 * len(FEATURES)


def test_a_run_without_a_reference_has_no_profile(models: Mapping[str, ServedModel]) -> None:
    with metered([replace(models["number"], reference=None)]) as app:
        assert app.client.post("/predict", CSV, "text/csv").status == 200
        app.client.get("/models/number/profile").problem(404)
        assert app.samples("nncli_rows_total") == {("number",): len(FEATURES)}
        app.client.get("/models/other/profile").problem(404)
