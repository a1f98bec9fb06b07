"""An answer says which cells of its own rows differ from all training rows, in every format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from nncli.data.table import Table
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from tests.serving.asgi_client import AsgiClient, Call
from tests.serving.routes.test_predict import LINES_TYPE, TYPES, body_of
from tests.serving.trained import CONFIGS, TARGETS, table_of

PLAIN: dict[str, Any] = table_of().drop(TARGETS).drop_nulls().to_dicts()[0]
UNSEEN, FAR = {**PLAIN, "color": "ultraviolet"}, {**PLAIN, "x": 1e9}
ODD = [UNSEEN, FAR, {**PLAIN, "count": None}]


def table(model: ServedModel, rows: list[dict[str, Any]]) -> Table:
    return model.rows.table(rows)


def expected(model: ServedModel, rows: list[dict[str, Any]]) -> list[str]:
    """The notes of rows that are predicted alone."""
    note = model.predict(table(model, rows), PredictionOptions()).anomalies.note
    return [] if note is None else [note]


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("row", [UNSEEN, FAR])
def test_an_answer_in_json_has_the_notes_of_nncli_predict(
    client: AsgiClient, models: Mapping[str, ServedModel], name: str, row: dict[str, Any]
) -> None:
    notes = expected(models[name], [row])
    column = "color" if row is UNSEEN else "x"
    assert len(notes) == 1
    assert repr(column) in notes[0]
    assert client.post_json(f"/models/{name}/predict", row).json["notes"] == notes
    assert client.post_json(f"/models/{name}/predict?effects=true", row).json["notes"] == notes
    assert client.post_json(f"/models/{name}/predict", {"rows": [row]}).json["notes"] == notes
    many = client.post_json(f"/models/{name}/predict", {"rows": [row] * 30}).json
    assert (len(many["rows"]), many["notes"]) == (30, expected(models[name], [row] * 30))


@pytest.mark.parametrize("media_type", [item for item in TYPES if item != "application/json"])
def test_other_formats_have_a_header(client: AsgiClient, models: Mapping[str, ServedModel], media_type: str) -> None:
    answer = client.post("/predict", body_of([UNSEEN, FAR], media_type), media_type)
    assert json.loads(answer.headers["x-notes"]) == expected(models["number"], [UNSEEN, FAR])
    assert "x-notes" not in client.post("/predict", body_of([PLAIN], media_type), media_type).headers


def test_an_answer_without_odd_cells_has_no_notes(client: AsgiClient) -> None:
    assert "notes" not in client.post_json("/predict", PLAIN).json
    assert "notes" not in client.post_json("/invocations", {"inputs": PLAIN}).json
    assert "notes" not in client.post_json("/predict", {"rows": [PLAIN] * 30}).json


def test_mlflows_protocol_has_the_same_notes(client: AsgiClient, models: Mapping[str, ServedModel]) -> None:
    notes = expected(models["number"], [UNSEEN])
    assert client.post_json("/invocations", {"inputs": UNSEEN}).json["notes"] == notes


@pytest.mark.slow
def test_requests_that_are_predicted_together_have_their_own_notes(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    rows = [*ODD, PLAIN] * 10
    answers = client.call_all(
        [Call("POST", "/predict", (json.dumps(row).encode(),), {"content-type": "application/json"}) for row in rows]
    )
    assert [answer.json.get("notes", []) for answer in answers] == [expected(models["number"], [row]) for row in rows]


def test_the_anomalies_of_a_table_are_those_of_its_predictions(models: Mapping[str, ServedModel]) -> None:
    for model in models.values():
        rows = table(model, ODD * 20)
        assert model.model.anomalies(rows) == model.predict(rows, PredictionOptions()).anomalies


def test_json_lines_that_are_answered_in_json_have_a_member(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    headers = {"accept": "application/json"}
    answer = client.post("/predict", body_of([UNSEEN], LINES_TYPE), LINES_TYPE, headers)
    assert answer.json["notes"] == expected(models["number"], [UNSEEN])
