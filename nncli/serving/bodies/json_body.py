"""Bodies of JSON: rows, JSON lines, and the documents of other protocols."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any

from nncli.base.text import join_quoted, quote
from nncli.data.formats.jsonlines import json_type
from nncli.data.table import Table
from nncli.serving.bodies.body_hints import AS_CSV, ONE_LINE, begins_like_json, document_hint, rows_hint
from nncli.serving.bodies.body_size import BodyLimits, check_rows
from nncli.serving.bodies.media_types import MediaType
from nncli.serving.bodies.strict_json import check_size, parse_json_text
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import bad_request, invalid_row

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


def parse_document(body: bytes, model: ServedModel, limits: BodyLimits) -> Any:
    """The document of a body, which may have NaN: pandas and the clients of other protocols write it.

    Raises:
        ProblemError: it is not JSON, or has more lists and objects than the rows and columns of a request need.
    """
    return parse_json_text(body, accepts_nan=True, most=4 * (limits.max_rows + len(model.model.names)))
