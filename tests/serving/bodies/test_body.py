"""Bodies that are no request, or cannot be predicted: each has its status, and none is a fault of the server."""

from __future__ import annotations

import io
import json
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.serving.asgi_client import AsgiClient
from tests.serving.trained import TARGETS, table_of

TABLE = table_of(1).drop(TARGETS).drop_nulls()
ROW = TABLE.to_dicts()[0]
TEXT = json.dumps(ROW)[1:-1]
"""The members of a row."""
ARROW, ARROW_FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"


def having(**cells: Any) -> bytes:
    return json.dumps({**ROW, **cells}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" \n\t ", 400),
        (b"{", 400),
        (b"null", 400),
        (b"3", 400),
        (b'"rows"', 400),
        (b"[]", 400),
        (b"[{}]", 400),
        (b'{"rows": {}}', 400),
        (b'{"rows": null}', 400),
        (b'{"rows": []}', 400),
        (b"{}", 422),
        (b'{"rows": [{}]}', 422),
        (b'{"rows": [null]}', 422),
        (b'{"rows": [[]]}', 422),
        (b'{"rows": [3]}', 422),
        (b'{"rows": [{%s}], "proba": true}' % TEXT.encode(), 400),
        (b'{"rows": [{%s}]} {}' % TEXT.encode(), 400),
        (b'{%s, "x": 3}' % TEXT.encode(), 400),
        (b'{%s, "other": 1, "other" :2}' % TEXT.encode(), 400),
        (b'{"rows": [], "rows": [{%s}]}' % TEXT.encode(), 400),
        (b'{%s, "z": NaN}' % TEXT.encode(), 400),
        (b'{%s, "z": -Infinity}' % TEXT.encode(), 400),
        (b'{%s, "z": 01}' % TEXT.encode(), 400),
        (b'{%s, "z": +1}' % TEXT.encode(), 400),
        (b"{%s, 'z': 1}" % TEXT.encode(), 400),
        (b"{%s,}" % TEXT.encode(), 400),
        (b'{%s, "z": "a\nb"}' % TEXT.encode(), 400),
        (b'{%s, "z": "\\ud800"}' % TEXT.encode(), 400),
        (b'{%s, "z": "\\udc00\\ud800"}' % TEXT.encode(), 400),
        (b'{%s, "z\\udfff": 1}' % TEXT.encode(), 400),
        (b'{%s, "z": "\xff"}' % TEXT.encode(), 400),
        (b'{%s, "z": "\xed\xa0\x80"}' % TEXT.encode(), 400),
        (json.dumps(ROW).encode("utf-16"), 400),
        (json.dumps(ROW).encode("utf-16-le"), 400),
        (json.dumps(ROW).encode("utf-32"), 400),
        (b"[" * 100_000, 413),
        (b'{"rows":' * 40 + b"[" * 60, 400),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 413),
        (b'{%s, "z": %s}' % (TEXT.encode(), b"[" * 150 + b"]" * 150), 200),
        (b'{%s, "z": %s}' % (TEXT.encode(), b"1" * 5_000), 400),
        (having(x=[1]), 422),
        (having(x={"a": 1}), 422),
        (having(color=[]), 422),
        (having(note={}), 422),
        (having(x=10**400), 422),
        (having(color=10**400), 422),
        (having().replace(b'"x": ', b'"x": 1e999, "other": '), 422),
        (having(x="many"), 422),
        (having(x="1e999"), 422),
        (having(x=1e308), 422),
        (having(day="tomorrow"), 422),
        (having(price="€3"), 422),
        (b"\xef\xbb\xbf" + having(), 200),
        (having(other=[{"a": [1, 2]}]), 200),
        (having(other="\ud83d\ude00"), 200),
        (json.dumps({"rows": [ROW] * 51}).encode(), 413),
        (json.dumps({"rows": [{}] * 20_000}).encode(), 413),
        (json.dumps({"rows": [ROW] * 50}).encode(), 200),
    ],
)
def test_json_bodies(client: AsgiClient, body: bytes, status: int) -> None:
    answer = client.post("/predict", body, "application/json")
    assert answer.status == status, answer.body[:300]
    if status != 200:
        assert answer.problem(status)["detail"]


@pytest.mark.parametrize(
    ("cells", "row", "column", "value"),
    [
        ({"x": [1, "a", {}]}, 2, "x", '[1, "a", …]'),
        ({"color": {"a": [1], "b": None}}, 2, "color", '{"a": …, "b": null}'),
        ({"x": 10**400}, 2, "x", None),
        ({"x": "many"}, 2, "x", "many"),
        ({"x": "e" * 1000}, 2, "x", "e" * 199 + "…"),
    ],
)
def test_the_cell_is_named(client: AsgiClient, cells: dict[str, Any], row: int, column: str, value: str | None) -> None:
    problem = client.post_json("/predict", {"rows": [ROW, {**ROW, **cells}]}).problem(422)
    assert (problem["row"], problem["column"]) == (row, column)
    assert value in (None, problem["value"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (having() + b"\n\n" + having(), 200),
        (having() + b"\r\n", 200),
        (having() + b"\n3\n", 422),
        (having() + b"\n{\n", 400),
        (having() + having(), 400),
        ((having() + b"\n") * 51, 413),
        (b"\n" * 1000, 400),
    ],
)
def test_json_lines_bodies(client: AsgiClient, body: bytes, status: int) -> None:
    assert client.post("/predict", body, "application/jsonl").status == status


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


def arrow_of(frame: pl.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, **options)
    return buffer.getvalue()


def arrow_file_of(frame: pl.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, **options)
    return buffer.getvalue()


def parquet_of(frame: pl.DataFrame, **options: Any) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, **options)
    return buffer.getvalue()


WRITERS = {ARROW: arrow_of, ARROW_FILE: arrow_file_of, PARQUET: parquet_of}
DEEP = pl.DataFrame({**{name: [cell] for name, cell in ROW.items()}, "deep": [[[[[[[[[[[1]]]]]]]]]]]})
LARGE_TEXT = pl.DataFrame([ROW] * 40).with_columns(note=pl.lit("good " * 4_000))


@pytest.mark.parametrize("media_type", WRITERS)
@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (TABLE[:3].with_columns(other=pl.lit(b"\0\1"), more=pl.lit([1, 2])), 200),
        (TABLE[:0], 400),
        (TABLE[:60], 413),
        (TABLE[:3].with_columns(x=pl.lit([1.0])), 422),
        (TABLE[:3].with_columns(x=pl.lit(b"1")), 422),
        (TABLE[:3].drop("x"), 422),
        (TABLE[:3].cast({"color": pl.Categorical}), 200),
        (LARGE_TEXT, 413),
        (LARGE_TEXT.cast({"note": pl.Categorical}), 413),
    ],
)
def test_tables_of_columns(client: AsgiClient, media_type: str, frame: pl.DataFrame, status: int) -> None:
    answer = client.post("/predict", WRITERS[media_type](frame), media_type)
    assert answer.status == status, answer.body[:300]


@pytest.mark.parametrize("media_type", [ARROW, ARROW_FILE])
def test_deeply_nested_columns_are_refused(client: AsgiClient, media_type: str) -> None:
    assert client.post("/predict", WRITERS[media_type](DEEP), media_type).status == 400


@pytest.mark.parametrize("media_type", WRITERS)
def test_a_small_body_that_becomes_large_is_refused(client: AsgiClient, media_type: str) -> None:
    frame = pl.DataFrame([ROW]).with_columns(note=pl.lit("a" * 50_000_000))
    body = WRITERS[media_type](frame, compression="zstd")
    assert len(body) < 50_000
    client.post("/predict", body, media_type).problem(413)


@pytest.mark.parametrize("media_type", WRITERS)
@given(data=st.data())
def test_damaged_columns_are_no_fault_of_the_server(client: AsgiClient, media_type: str, data: st.DataObject) -> None:
    body = bytearray(WRITERS[media_type](TABLE[:3], compression=data.draw(st.sampled_from(["zstd", "uncompressed"]))))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.sampled_from([len(body), len(body), len(body) // 2, 9]))
    assert client.post("/predict", bytes(body[:end]), media_type).status in (200, 400, 413, 422)


@pytest.mark.parametrize("media_type", ["application/json", "application/jsonl", "text/csv", *WRITERS])
@given(body=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode(errors="replace"))))
@example(b"ARROW1\0\0")
@example(b"\xff\xff\xff\xff\xff\xff\xff\x7f")
@example(b"PAR1\xff\xff\xff\x7fPAR1")
@example(b"PAR1PAR1")
def test_any_bytes_are_no_fault_of_the_server(client: AsgiClient, media_type: str, body: bytes) -> None:
    assert client.post("/predict", body, media_type).status in (400, 413, 422)


@pytest.mark.parametrize("item", [b"{},", b"[],"])
@pytest.mark.parametrize("lines", [1, 9])
def test_lists_and_objects_within_lines_are_bounded_together(client: AsgiClient, item: bytes, lines: int) -> None:
    line = b'{"x": [' + item * (1800 // lines) + b"1]}\n"
    assert client.post("/predict", line * lines, "application/jsonl").status == 413
    assert client.post("/predict", b'{"x": "' + item * 1800 + b'"}\n', "application/jsonl").status == 422
