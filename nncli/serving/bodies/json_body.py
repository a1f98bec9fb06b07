"""Bodies of JSON: rows, JSON lines, and the documents of other protocols."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import field
from threading import Lock
from typing import Any

from nncli.base.dataclass import dataclass
from nncli.base.text import join_quoted, quote
from nncli.data.formats.jsonlines import describe_json_error, json_type, reject_constant
from nncli.data.formats.streams import UTF8_BOM
from nncli.data.table import Table
from nncli.serving.bodies.body_hints import (
    AS_CSV,
    ONE_LINE,
    begins_like_json,
    columns_example,
    document_hint,
    row_example,
    rows_hint,
    split_hint,
)
from nncli.serving.bodies.body_size import check_rows
from nncli.serving.bodies.media_types import MediaType
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems import bad_request, invalid_row, too_large

LARGE_BODY = 1 << 20
"""Bytes from which bodies of JSON are read one at a time: Python needs some twenty times as much memory for them, and
reads one at a time anyway."""
_LARGE = Lock()


@dataclass(frozen=True)
class JsonRows:
    """Rows of a JSON body; `is_single` if it is one object, which has one object as its answer."""

    rows: Sequence[Mapping[str, Any]]
    is_single: bool = False


def parse_json(body: bytes, max_rows: int, schema: InputSchema) -> JsonRows:
    """`{"rows": [{…}, …]}`, or one object that is a row.

    Raises:
        ProblemError: the body is neither, or has too many rows.
    """
    hint = None if begins_like_json(body) else AS_CSV
    document = parse_json_text(body, most=4 * max_rows + 1, hint=hint)
    if not isinstance(document, dict):
        raise bad_request(
            f"the body is {json_type(document)}, not an object", document_hint(document, schema) or rows_hint(schema)
        )
    rows = document.get("rows")
    if not isinstance(rows, list):
        if [*document] == ["rows"] and not isinstance(rows, str | int | float):
            raise bad_request(f'"rows" is {json_type(rows)}, not a list', rows_hint(schema))
        if (hint := document_hint(document, schema)) is not None:
            raise bad_request(
                f"the body has only {quote(next(iter(document)))}, which is not a column of the model", hint
            )
        return JsonRows([document], is_single=True)
    if len(document) > 1:
        others = join_quoted(name for name in document if name != "rows")
        raise bad_request(f'beside "rows" the body has {others}', "Parameters belong to the address: ?interval=0.9.")
    check_rows(len(rows), max_rows)
    return JsonRows(_objects(rows, schema))


def parse_json_lines(body: bytes, max_rows: int, schema: InputSchema) -> JsonRows:
    """One object per line; blank lines are skipped.

    Raises:
        ProblemError: a line is not an object, or there are too many.
    """
    lines, rows = list[tuple[int, bytes]](), 0
    for number, line in enumerate(io.BytesIO(body), start=1):
        if line.strip():
            rows += 1
            if rows <= max_rows:
                lines.append((number, line))
    check_rows(rows, max_rows)
    most = 4 * max_rows + 1
    if max(body.count(b"{"), body.count(b"[")) > most:  # bytes that are not UTF-8 are refused when the lines are parsed
        check_size(body.decode(errors="replace"), most)
    hint = ONE_LINE if rows == 1 else None
    return JsonRows(
        _objects([parse_json_text(line, what=f"line {number:,}", hint=hint) for number, line in lines], schema)
    )


def _objects(rows: Sequence[Any], schema: InputSchema) -> Sequence[Mapping[str, Any]]:
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            detail = f"the row is {json_type(row)}, not an object"
            raise invalid_row(detail, rows_hint(schema), number)
    return rows


def read_json(body: bytes, media_type: MediaType, model: ServedModel, max_rows: int) -> tuple[Table, JsonRows]:
    """A body of JSON or JSON lines as a table, and its rows.

    Raises:
        ProblemError: the body is neither, or the model cannot read a row.
    """
    with one_at_a_time(body):
        is_file = media_type is MediaType.JSON_LINES
        parse = parse_json_lines if is_file else parse_json
        rows = parse(body, max_rows, model.schema)
        return model.rows.table(rows.rows, is_file=is_file), rows


def one_at_a_time(body: bytes) -> AbstractContextManager[object]:
    """A context in which a body of JSON is read: a lock, if the body is large."""
    return _LARGE if len(body) >= LARGE_BODY else nullcontext()


def parse_document(body: bytes, model: ServedModel, max_rows: int) -> Any:
    """The document of a body, which may have NaN: pandas and the clients of other protocols write it.

    Raises:
        ProblemError: it is not JSON, or has more lists and objects than the rows and columns of a request need.
    """
    return parse_json_text(body, accepts_nan=True, most=4 * (max_rows + len(model.model.names)))


TOO_MANY = "the body has too many rows, or lists and objects within rows"
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
STRING = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, also one without an end: so every character is looked at once."""


def parse_json_text(
    body: bytes, *, accepts_nan: bool = False, most: int | None = None, what: str = "the body", hint: str | None = None
) -> Any:
    """The value of a JSON text of at most so many objects and so many lists, with NaN if `accepts_nan`.

    `what` is the name of the text in messages, `hint` what to do if it is not JSON.

    Raises:
        ProblemError: it is not valid JSON, or there are more.
    """
    try:
        text = body.removeprefix(UTF8_BOM).decode()
    except UnicodeDecodeError as error:
        raise bad_request(f"{what} is not UTF-8, from byte {error.start + 1:,} on", hint or "JSON is UTF-8.") from None
    try:
        if most is not None:
            check_size(text, most)
        value = (_LENIENT if accepts_nan else _STRICT).decode(text)
        if "\\u" in text and SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        surrogate = f"\\u{ord(error.object[error.start]):04x}"
        raise bad_request(f"{what} has {quote(surrogate)}, an unpaired surrogate, which is not a character") from None
    except RecursionError:
        raise bad_request(f"{what} is nested too deeply", "Send rows of numbers and texts.") from None
    except json.JSONDecodeError as error:
        raise bad_request(f"{what} is not JSON: {describe_json_error(error)}", hint) from None
    except ValueError as error:
        reason = str(error)
        if reason.startswith("Exceeds the limit"):
            reason = "an integer has thousands of digits"
        raise bad_request(f"{what} is not valid: {reason}") from None
    return value


def check_size(text: str, most: int) -> None:
    """Raise a ProblemError if a text, of one value or of one for each line, has more objects or lists than `most`."""
    if max(text.count("{"), text.count("[")) > most:
        outside = STRING.sub("", text)
        if max(outside.count("{"), outside.count("[")) > most:
            raise too_large(TOO_MANY, "Send fewer rows.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of pairs; a ValueError if a key is repeated."""
    members = dict(pairs)
    if len(members) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the key {quote(key)} more than once; keep one of the values")
    return members


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=reject_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=float)


FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
SPLIT_MEMBERS = ("columns", "index", "data", "index_names", "column_names")


@dataclass(frozen=True)
class Invocation:
    """The rows of a request to `/invocations`, and its parameters."""

    rows: Sequence[Mapping[str, Any]]
    params: Mapping[str, Any] = field(default_factory=dict)


def parse_invocation(document: Any, schema: InputSchema) -> Invocation:
    """The rows of a JSON document; messages name the columns of the model.

    Raises:
        ProblemError: it is not of the protocol.
    """
    if not isinstance(document, dict):
        raise bad_request("the body is not a JSON object", split_hint(schema))
    formats = [name for name in document if name in FORMATS]
    if len(formats) != 1:
        those = join_quoted(formats) if formats else "none of them"
        raise bad_request(f"the body must have one of {join_quoted(FORMATS)}; it has {those}", split_hint(schema))
    others = [name for name in document if name not in (formats[0], "params")]
    if others:
        raise bad_request(
            f"the body has {join_quoted(others)}, which is unknown", f"Leave it out. {split_hint(schema)}"
        )
    params = document.get("params")
    if not (params is None or isinstance(params, dict)):
        raise bad_request('"params" is not an object', 'Send {"params": {"proba": true}} beside the rows.')
    return Invocation(_rows(formats[0], document[formats[0]], schema), params or {})


def _rows(form: str, data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    if form == "dataframe_split":
        return _split(data, schema)
    if form in ("instances", "inputs") and isinstance(data, dict):
        return _columns(form, data, schema)
    return _records(form, data, schema)


def _records(form: str, data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    """Rows as objects."""
    if not isinstance(data, list):
        raise bad_request(f"{quote(form)} is not a list of rows", f'Send {{"{form}": [{row_example(schema)}]}}.')
    for i, row in enumerate(data, start=1):
        if isinstance(row, dict):
            continue
        what = "a list" if isinstance(row, list) else "a single value"
        raise bad_request(
            f"row {i:,} of {quote(form)} is {what}, which does not name its columns",
            f'Send each row as an object, or {{"dataframe_split": {{"columns": […], "data": […]}}}}. The columns of '
            f"the model are {join_quoted(schema.by_name)}.",
        )
    return [_without_nan(row) for row in data]


def _split(data: Any, schema: InputSchema) -> list[dict[str, Any]]:
    """Rows as lists beside the names of their columns."""
    if not isinstance(data, dict):
        raise bad_request("'dataframe_split' is not an object", split_hint(schema))
    others = [name for name in data if name not in SPLIT_MEMBERS]
    if others:
        raise bad_request(f"'dataframe_split' has {join_quoted(others)}, which is unknown", split_hint(schema))
    columns, rows = data.get("columns"), data.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        lacking = [name for name in ("columns", "data") if not isinstance(data.get(name), list)]
        raise bad_request(f"'dataframe_split' has no list {join_quoted(lacking)}", split_hint(schema))
    names = [_column_name(name, schema) for name in columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise bad_request(f"'columns' has {join_quoted(twice)} more than once", "Rename one of them.")
    for i, row in enumerate(rows, start=1):
        if not isinstance(row, list):
            raise bad_request(f"row {i:,} of 'data' is not a list", split_hint(schema))
        if len(row) != len(names):
            raise bad_request(
                f"row {i:,} of 'data' has {len(row):,} values for {len(names):,} columns", split_hint(schema)
            )
    return [_without_nan(dict(zip(names, row, strict=True))) for row in rows]


def _column_name(name: Any, schema: InputSchema) -> str:
    """The name of a column; pandas names the columns of a frame without names 0, 1, …"""
    if isinstance(name, str):
        return name
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    raise bad_request(f"'columns' has {quote(name)}, which is not a name", split_hint(schema))


def _columns(form: str, data: Mapping[str, Any], schema: InputSchema) -> list[dict[str, Any]]:
    """Columns as lists of the same length, or one row of single values."""
    lists = [isinstance(values, list) for values in data.values()]
    if not any(lists):
        return [_without_nan(data)]
    if not all(lists):
        single = [name for name, is_list in zip(data, lists, strict=True) if not is_list]
        raise bad_request(
            f"in {quote(form)}, {join_quoted(single)} is a single value, and other columns are lists",
            f'Send {{"{form}": {columns_example(schema)}}}.',
        )
    first = next(iter(data))
    for name, values in data.items():
        if len(values) != len(data[first]):
            raise bad_request(
                f"in {quote(form)}, {quote(first)} has {len(data[first]):,} values and {quote(name)} {len(values):,}",
                "All columns must have the same length.",
            )
    return [_without_nan(dict(zip(data, row, strict=True))) for row in zip(*data.values(), strict=True)]


def _without_nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if isinstance(value, float) and value != value else value for name, value in row.items()}
