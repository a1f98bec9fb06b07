"""Bodies of tables that cannot be read or predicted: each has its status, and none is an error of the server."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import TARGETS, table_of

TABLE = table_of(1).drop(TARGETS).drop_nulls()
ROW = TABLE.to_dicts()[0]
CSV = TABLE[:2].write_csv().encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\n\n", 400),
        (b"\0\0\0", 400),
        (b'"', 400),
        (CSV.splitlines()[0] + b"\n", 400),
        (CSV + b"1,2,3\n", 422),
        (b"x," + CSV.replace(b"\n", b"\n1,", 2), 422),
        (CSV.replace(b",$", b",\xff\xfe$"), 422),
        (b"x\n1\n", 422),
        (TABLE.write_csv().encode(), 413),
        (json.dumps(ROW).encode(), 400),
        (b"," * 100_000, 400),
        (b"a," * 50_000 + b"\n", 400),
        (b"\n" * 5 + b"a," * 5_000, 400),
        (b"a,b\n" + b"1,2,3\n" * 30_000, 413),
        (b"1\r" * 90_000, 413),
    ],
)
def test_csv_bodies(client: AsgiClient, body: bytes, status: int) -> None:
    answer = client.post("/predict", body, "text/csv")
    problem = answer.problem(status)
    assert "--" not in problem.get("hint", "").replace("--data-binary", "")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("note", [b"", b'it is 24" wide', b'"warm ""good"""', b'"warm\ngood"'])
def test_each_row_of_a_csv_body_is_predicted_with_any_end(client: AsgiClient, note: bytes, end: bytes) -> None:
    lines = TABLE[:3].with_columns(note=pl.lit("NOTE")).write_csv().encode().replace(b"NOTE", note).rstrip(b"\n")
    answer = client.post("/predict", lines + end, "text/csv")
    assert answer.status == 200
    assert answer.body.count(b"\n") == 1 + 3


def test_the_answer_notes_what_was_left_out_of_a_csv_body(client: AsgiClient) -> None:
    answer = client.post("/predict", b"A title\n\n" + CSV + b"Source: the office\n", "text/csv")
    notes = json.loads(answer.headers["x-notes"])
    assert answer.body.count(b"\n") == 1 + 2
    assert any("line 3, below a title" in note for note in notes)
    assert any("left out 1 line below the table" in note for note in notes)


def test_the_parameter_of_a_content_type_says_what_stray_quotes_are(client: AsgiClient) -> None:
    names, *rows = TABLE[:4].with_columns(note=pl.lit("n")).write_csv().encode().splitlines()
    rows[1:3] = [rows[1][:-1] + b'"n', rows[2] + b'"']  # the last cells
    body = b"\n".join([names, *rows, b""])
    problem = client.post("/predict", body, "text/csv").problem(400)

    assert "Content-Type: text/csv; quote=none" in problem["hint"]
    assert client.post("/predict", body, "text/csv; quote=none").body.count(b"\n") == 1 + 4
    assert client.post("/predict", body, "text/csv; quote=other").problem(415)


@pytest.mark.parametrize("media_type", ["application/json", "application/jsonl", "text/csv"])
@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
@example(b"ARROW1\0\0")
@example(b"PAR1PAR1")
def test_any_bytes_are_no_fault_of_the_server(client: AsgiClient, media_type: str, body: bytes) -> None:
    assert client.post("/predict", body, media_type).status in (400, 413, 422)
