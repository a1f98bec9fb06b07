"""The body of a request as a table: JSON, JSON lines, CSV, TSV, Arrow or Parquet."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from http import HTTPStatus
from threading import Lock
from typing import Any

import polars as pl

from nncli.data.columns.parsing import TEXT_TYPES
from nncli.data.io.jsonlines import json_type
from nncli.data.io.streams import POLARS_ERRORS
from nncli.data.table import Table, replace_na_values
from nncli.errors import NncliError, reraise_out_of_memory
from nncli.serving.bodies.arrow_body import read_arrow
from nncli.serving.bodies.body_hints import (
    AS_CSV,
    ONE_LINE,
    begins_like_json,
    document_hint,
    is_one_line,
    rows_hint,
    type_of_json,
)
from nncli.serving.bodies.body_size import BodyLimits, BodySize, check_rows
from nncli.serving.bodies.delimited_body import read_delimited_body
from nncli.serving.bodies.media_types import SUPPORTED, ContentType, MediaType
from nncli.serving.bodies.parquet_body import read_parquet
from nncli.serving.bodies.strict_json import check_size, parse_json_text
from nncli.serving.columns.absent_columns import AbsentColumns
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems.problem import ProblemError, bad_request, invalid_row, problem_of
from nncli.text import join_quoted, quote

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


def read_file(body: bytes, content_type: ContentType, model: ServedModel, limits: BodyLimits) -> Table:
    """A body of CSV, TSV, Arrow or Parquet as a table, read as `nncli predict` reads a file.

    Raises:
        ProblemError: it has no rows, or too many, or grows too large when it is decompressed.
        ProblemError: a column is missing.
    """
    if not content_type.media_type.is_delimited:
        return _read_table(body, content_type, model, limits)
    if (media_type := type_of_json(body)) is not None:
        raise bad_request(
            f"the body is JSON, and its Content-Type is {content_type.name}",
            f"Send it with Content-Type: {media_type}.",
        )
    try:
        return _read_table(body, content_type, model, limits)
    except ProblemError as error:
        if not is_one_line(body):
            raise
        raise ProblemError(replace(error.problem, hint=ONE_LINE)) from None


def _read_table(body: bytes, content_type: ContentType, model: ServedModel, limits: BodyLimits) -> Table:
    names: list[str] | None = None
    try:
        if content_type.media_type is MediaType.PARQUET:
            frame, names = read_parquet(body, model.schema.by_name, BodySize(limits))
            table = _typed_table(frame, model)
        elif content_type.media_type in (MediaType.ARROW_FILE, MediaType.ARROW_STREAM):
            table = _typed_table(read_arrow(body, BodySize(limits)), model)
        else:
            table = read_delimited_body(body, content_type, model.model, limits.max_rows)
    except (OSError, *POLARS_ERRORS) as error:
        reraise_out_of_memory(error)
        reason, *_ = [*str(error).splitlines(), type(error).__name__]
        raise bad_request(f"the body cannot be read: {reason}") from None
    except NncliError as error:
        raise _as_bad_request(error, content_type) from None
    check_rows(len(table), limits.max_rows)
    _check_text_size(table, limits)
    AbsentColumns(model.name, model.schema).check_table(table.names if names is None else names)
    return table


def _typed_table(frame: pl.DataFrame, model: ServedModel) -> Table:
    spec = model.model.spec
    return Table(replace_na_values(frame, spec.missing_values), SOURCE, dialect=spec.dialect)


def table_of_columns(
    columns: Mapping[str, pl.Series], names: Sequence[str], rows: int, model: ServedModel, limits: BodyLimits
) -> Table:
    """Columns of `rows` cells as a table; `names` are those of all columns, also of others.

    Raises:
        ProblemError: there are no rows, or too many, or a column is missing.
    """
    check_rows(rows, limits.max_rows)
    # Without any column the frame would have no rows.
    frame = pl.DataFrame(dict(columns)) if columns else pl.DataFrame({"": [None] * rows})
    table = _typed_table(frame, model)
    _check_text_size(table, limits)
    return _with_optional_columns(table, model, names)


def _as_bad_request(error: NncliError, content_type: ContentType) -> ProblemError:
    """The problem that a body is not of its format; a row or a column that it names is unprocessable."""
    problem = problem_of(error)
    if problem.hint is None:
        problem = replace(problem, hint=f"Check that the body is {content_type.media_type}. {SUPPORTED}")
    is_named = problem.row is not None or problem.column is not None
    return ProblemError(problem if is_named else replace(problem, status=HTTPStatus.BAD_REQUEST))


def _check_text_size(table: Table, limits: BodyLimits) -> None:
    """Raise a ProblemError if the texts are larger than a body may be: a format may repeat a text many times."""
    size = BodySize(limits)
    for cells in table.frame:
        if cells.dtype == pl.String:
            size.add_bytes(int(cells.str.len_bytes().sum()))
        elif cells.dtype in TEXT_TYPES:
            size.add_bytes(int(cells.cat.len_bytes().sum()))


def _with_optional_columns(table: Table, model: ServedModel, names: Sequence[str]) -> Table:
    """The table, with missing cells in the optional columns that it lacks.

    `names` are those of all columns of the request.

    Raises:
        ProblemError: a column that the model needs is missing, or has a similar name.
    """
    names_of_table = set(table.names)
    absent = [name for name in model.schema.by_name if name not in names_of_table]
    if not absent:
        return table
    AbsentColumns(model.name, model.schema).check_row(names, absent)
    nulls = [pl.Series(name, [None], dtype=pl.String).new_from_index(0, len(table)) for name in absent]
    return replace(table, frame=table.frame.with_columns(nulls))
