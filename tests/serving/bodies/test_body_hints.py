"""What a newcomer sends first, and what the answer says about it."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from nncli.serving.bodies.body_hints import document_hint, rows_hint, type_of_json
from nncli.serving.columns.input_schema import InputSchema
from tests.serving.asgi_client import AsgiClient
from tests.serving.bodies.test_table_body import ROW
from tests.serving.features import column_of

FORM = "application/x-www-form-urlencoded"
CSV = pl.DataFrame([ROW] * 3).write_csv()
SCHEMA = InputSchema(
    (column_of("alter", "number", False, typical=39.0), column_of("sex", "category", True, typical="f"))
)
TEXT = json.dumps(ROW)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "content_type", "status", "mentions"),
    [
        (TEXT, "text/csv", 400, "application/json"),
        (json.dumps([ROW]), "text/tab-separated-values", 400, "application/json"),
        (f"{TEXT}\n{TEXT}\n", "text/csv", 400, "application/jsonl"),
        (CSV, None, 400, "text/csv"),
        (CSV, "application/json", 400, "text/csv"),
        (CSV, FORM, 415, "-H 'Content-Type: text/csv'"),
        (CSV.replace("\n", ""), FORM, 415, "--data-binary"),
        (TEXT, FORM, 415, "-H 'Content-Type: application/json'"),
        ("--x\r\n", "multipart/form-data; boundary=x", 415, "--data-binary @FILE"),
        (CSV.replace("\n", ""), "text/csv", None, "--data-binary"),
        (CSV.splitlines()[0], "text/csv", 400, "--data-binary"),
        (TEXT + TEXT, "application/jsonl", 400, "--data-binary"),
        (json.dumps([ROW, ROW]), "application/json", 400, '{"rows": [{"x": '),
        (json.dumps({"instances": [ROW]}), "application/json", 400, "/invocations"),
        (json.dumps({"data": [ROW]}), "application/json", 400, '{"rows": [{"x": '),
        (json.dumps({"row": ROW}), "application/json", 400, '{"rows": [{"x": '),
        (json.dumps({"rows": [3]}), "application/json", 422, '{"rows": [{"x": '),
        ("a,b\n1,2\n", "application/vnd.apache.parquet", 415, "text/csv"),
    ],
)
def test_the_hint_fits_the_body(
    client: AsgiClient, body: str, content_type: str | None, status: int | None, mentions: str
) -> None:
    answer = client.post("/predict", body, content_type)
    problem = answer.problem(status or answer.status)
    assert mentions in problem["hint"]
    assert "file to" not in problem["hint"]


@pytest.mark.slow
def test_a_form_is_refused_at_the_address_of_mlflow_too(client: AsgiClient) -> None:
    problem = client.post("/invocations", CSV, FORM).problem(415)
    assert "-H 'Content-Type: text/csv'" in problem["message"]


def test_the_example_has_the_columns_of_the_model() -> None:
    assert '{"rows": [{"alter": 39.0, "sex": "f"}]}' in rows_hint(SCHEMA)
    long = InputSchema((column_of("a" * 500, "number", False),))
    assert len(rows_hint(long)) < 100


@pytest.mark.parametrize("document", [[], [1], {}, {"sex": "f"}, {"when": [1]}, {"row": 1}, {"a": 1, "rows": 2}])
def test_other_documents_have_no_hint(document: Any) -> None:
    assert document_hint(document, SCHEMA) is None


def test_a_column_may_have_the_name_of_rows() -> None:
    schema = InputSchema((column_of("data", "text", False),))
    assert document_hint({"data": ["a"]}, schema) is None


@pytest.mark.parametrize("body", [b"", b"a,b\n", b'"a":1', b"{}", b"[1]"])
def test_other_texts_are_not_taken_for_json(body: bytes) -> None:
    assert type_of_json(body) is None
