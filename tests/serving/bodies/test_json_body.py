"""Bodies of JSON that cannot be read or predicted: each has its status, and none is an error of the server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest

from nncli.serving.bodies.json_body import parse_document
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems import ProblemError
from tests.serving.asgi_client import AsgiClient
from tests.serving.bodies.test_table_body import ROW

MAX_ROWS = 10
TEXT = json.dumps(ROW)[1:-1]
"""The members of a row."""


def having(**cells: Any) -> bytes:
    return json.dumps({**ROW, **cells}).encode()


@pytest.mark.slow
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


@pytest.mark.parametrize("item", [b"{},", b"[],"])
@pytest.mark.parametrize("lines", [1, 9])
def test_lists_and_objects_within_lines_are_bounded_together(client: AsgiClient, item: bytes, lines: int) -> None:
    line = b'{"x": [' + item * (1800 // lines) + b"1]}\n"
    assert client.post("/predict", line * lines, "application/jsonl").status == 413
    assert client.post("/predict", b'{"x": "' + item * 1800 + b'"}\n', "application/jsonl").status == 422


def test_nan_is_read(models: Mapping[str, ServedModel]) -> None:
    assert math.isnan(parse_document(b'{"a": NaN}', models["two"], MAX_ROWS)["a"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 100_000, 413),
        (b'{"a": ' + b"9" * 5_000 + b"}", 400),
        (b"nan", 400),
        (b'{"a": 1, "a": 2}', 400),
    ],
)
def test_what_is_no_json_is_refused(models: Mapping[str, ServedModel], body: bytes, status: int) -> None:
    with pytest.raises(ProblemError) as error:
        parse_document(body, models["two"], MAX_ROWS)
    assert error.value.problem.status == status
