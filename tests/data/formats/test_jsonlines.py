from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.api.head import head
from nncli.base.errors import DataError
from nncli.data.formats.file_format import detect_format
from nncli.data.formats.jsonlines import read_json_lines
from nncli.data.formats.registry import Format
from tests.assertions import raises


def read(text: bytes, *, size: int | None = None) -> list[tuple[int, dict[str, list[Any]]]]:
    frames = read_json_lines(io.BytesIO(text), "x.jsonl", size=size)
    return [(row, frame.to_dict(as_series=False)) for row, frame in frames]


def test_the_columns_are_all_keys_in_order_of_appearance() -> None:
    text = b'{"b": 1, "a": "x"}\n\n{"c": true}\r\n{"a": null, "b": 2.5}'
    assert read(text) == [(1, {"b": [1, None, 2.5], "a": ["x", None, None], "c": [None, True, None]})]


def test_kinds_are_kept() -> None:
    frame = next(read_json_lines(io.BytesIO(b'{"i": 9007199254740993, "f": 0.1, "s": "007", "b": false}\n'), "x"))[1]
    assert frame.dtypes == [polars.Int64, polars.Float64, polars.String, polars.Boolean]
    assert frame.row(0) == (9007199254740993, 0.1, "007", False)


def test_many_brackets_are_not_depth() -> None:
    text = b'{"a": "' + b'[{\\"' * 500 + b'", "b": [' + b"[1]," * 500 + b"[2]]}"
    frame = next(read_json_lines(io.BytesIO(text), "x"))[1]
    assert frame["a"].item() == '[{"' * 500
    assert len(frame["b"].item()) == 501


def test_a_chunk_has_the_keys_of_its_own_lines() -> None:
    assert read(b'{"a": 1}\n\n{"a": 2, "b": 3}\n', size=1) == [(1, {"a": [1]}), (2, {"a": [2], "b": [3]})]


def test_characters_outside_the_basic_plane_survive() -> None:
    assert read(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00 \xf0\x9f\x98\x80 \\\\ud83d"}\n') == [(1, {"a": ["😀 😀 \\ud83d"]})]


@pytest.mark.parametrize("size", [None, 1, 1000])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"[1, 2]", "holds a list"),
        (b"3", "holds a number"),
        (b'"a"', "holds text"),
        (b'"' + b"[" * 500 + b'"', "holds text"),
        (b"null", "holds null"),
        (b'{"a": 1} x', "not JSON: Extra data at character 10"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 007}', "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": "\x00"}', "not JSON: Invalid control character at character"),
        (b'{"a": "\xff"}', "0xff is not UTF-8"),
        (b'{"a": "\\ud83d"}', "surrogate"),
        (b'{"a": "\\udE00"}', "surrogate"),
        (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (b'{"a": ' * 900 + b"1" + b"}" * 900, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_object_is_named(line: bytes, message: str, size: int | None) -> None:
    with pytest.raises(DataError) as caught:
        read(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n', size=size)
    assert message in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.line == 3


@pytest.mark.parametrize(
    "text", [b'{"a": true}\n{"a": 1}\n', b'{"a": null}\n{"a": [1]}\n{"a": 1}\n', b'{"a": [1]}\n{"a": {"b": 1}}\n']
)
def test_values_of_incompatible_types_raise_with_line_and_key(text: bytes) -> None:
    with pytest.raises(DataError) as caught:
        read(text)
    assert caught.value.location is not None
    assert caught.value.location.column == "a"
    assert caught.value.location.line == text.count(b"\n")


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_nothing_at_all_is_refused(text: bytes, size: int | None) -> None:
    with pytest.raises(DataError, match="empty"):
        read(text, size=size)


def test_what_cannot_be_explained_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise polars.exceptions.ComputeError("no reason\nat all")

    monkeypatch.setattr(polars, "read_ndjson", refuse)
    with pytest.raises(DataError, match=r": no reason$"):
        read(b'{"a": 1}\n')


@pytest.mark.parametrize("size", [None, 7])
@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-16", "auto"), ("utf-16", "utf-16"), ("utf-16-be", "utf-16-be"), ("latin-1", "latin-1")]
)
def test_it_is_read_in_what_its_mark_or_the_person_says(encoding: str, said: str, size: int | None) -> None:
    text = '{"name": "Zoë"}\n\n{"name": "Müller"}\n'.encode(encoding)
    frames = read_json_lines(io.BytesIO(text), "x.jsonl", size=size, encoding=said)
    assert polars.concat([frame for _, frame in frames])["name"].to_list() == ["Zoë", "Müller"]


def test_what_is_no_text_in_its_encoding_is_named_by_its_line() -> None:
    text = '{"a": 1}\n{"a": 2}'.encode("utf-16") + b"\x00\xd8"
    with pytest.raises(DataError, match="are not utf-16 text") as caught:
        list(read_json_lines(io.BytesIO(text), "x.jsonl"))
    assert caught.value.location is not None
    assert caught.value.location.line == 2


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_told_from_a_stream_without_a_name(encoding: str) -> None:
    assert detect_format(("\ufeff" + '{"a": 1}').encode(encoding)[:4]) is Format.JSONL


@pytest.mark.parametrize("size", [None, 1])
@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 3, "b": 1, "a": 4}',
        b'{"a" : 3, "a"\t: 3}',
        b'{"a": null, "a": 1}',
        b'{"a": 1, "b": {"a": 1, "a": 2}}',
        b'{"a": 1, "b": [{"a": 1, "a": 2}]}',
        b'{"a": 1, "\\u0061": 2}',
        b'{"a":1,"b":"\\":","a":2}',
    ],
)
def test_an_object_that_repeats_a_key_is_refused(line: bytes, size: int | None) -> None:
    with pytest.raises(DataError, match="the key 'a'") as caught:
        read(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n', size=size)
    assert caught.value.location is not None
    assert caught.value.location.line == 3


KEYS = st.sampled_from(["a", "b", "c", 'a":', "a :", "é"])
SCALARS = st.none() | st.integers(-9, 9) | st.sampled_from(["", 'x":y', ' " : ', "{"])


@given(st.lists(st.dictionaries(KEYS, SCALARS, min_size=1), min_size=1, max_size=6), st.sampled_from([":", ": ", " :"]))
def test_what_repeats_no_key_is_read_whatever_it_looks_like(rows: list[dict[str, Any]], colon: str) -> None:
    texts = [{key: None if value is None else str(value) for key, value in row.items()} for row in rows]
    text = "\n".join(json.dumps(row, separators=(",", colon)) for row in texts)
    result = [
        row for _, frame in read_json_lines(io.BytesIO(text.encode()), "x", size=None) for row in frame.to_dicts()
    ]
    keys = {key for row in texts for key in row}
    assert result == [{key: row.get(key) for key in keys} for row in texts]


@pytest.mark.parametrize("text", ["{}\n{}\n", "{}", '{"a": null}\n{"a": null}\n', '{}\n{"a": null}\n'])
def test_objects_without_a_value_are_rows(text: str) -> None:
    ((row, frame),) = read_json_lines(io.BytesIO(text.encode()), "t.jsonl")
    assert (row, frame.height) == (1, text.count("{"))
    assert all(cells.null_count() == frame.height for cells in frame)


def test_empty_objects_with_a_repeated_key_inside_are_refused() -> None:
    with raises(DataError, file="t.jsonl", line=2):
        list(read_json_lines(io.BytesIO(b'{}\n{"a": {"b": 1, "b": 2}}\n'), "t.jsonl"))


@pytest.mark.parametrize("size", [1, 20, 1000])
def test_a_key_that_a_later_block_lacks_is_null_there(size: int) -> None:
    lines = b'{"a": 1, "b": "x"}\n' + b'{"a": 2}\n' * 5 + b"{}\n" * 9 + b'{"c": 3}\n'
    frames = [frame for _, frame in read_json_lines(io.BytesIO(lines), "t.jsonl", size=size)]
    table = polars.concat(frames, how="diagonal_relaxed")
    assert table["b"].to_list() == ["x"] + [None] * 15
    assert all({"a", "b"} <= {*frame.columns} for frame in frames)


VALUES = [None, ["x"], [1], {"k": 1}, {"k": 1, "l": "z"}, 1, 2.5, "word", True]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize("first", VALUES)
@pytest.mark.parametrize("second", [*VALUES, ...])
def test_a_key_of_several_kinds_is_read_or_refused(tmp_path: Path, first: object, second: object, end: str) -> None:
    rows = [{"a": 1, "t": first}, {"a": 2, "t": first}, {"a": 3} if second is ... else {"a": 3, "t": second}]
    table = tmp_path / "t.jsonl"
    table.write_text("\n".join(map(json.dumps, rows)) + end)

    with suppress(DataError):
        assert [column.name for column in head(table).columns] == ["a", "t"]
