"""Tables of requests: a body of CSV or TSV, or columns."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

import numpy as np
import polars
import polars as pl

from nncli.base.errors import NncliError, reraise_out_of_memory
from nncli.data.dialect import AUTO, TAB, CsvDialect
from nncli.data.formats.compression import CompressionError, detect_compression
from nncli.data.formats.csv.header import MAX_TITLES
from nncli.data.formats.file_format import load_format
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import HEAD_BYTES, POLARS_ERRORS, InputFile
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.serving.bodies.body_hints import ONE_LINE, is_one_line, type_of_json
from nncli.serving.bodies.body_size import check_rows, too_many_rows
from nncli.serving.bodies.media_types import SUPPORTED, ContentType, MediaType
from nncli.serving.columns.row_reader import SOURCE, AbsentColumns
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems import ProblemError, bad_request, problem_of


def read_file(body: bytes, content_type: ContentType, model: ServedModel, max_rows: int) -> Table:
    """A body of CSV or TSV as a table, read as `nncli predict` reads a file.

    Raises:
        ProblemError: it has no rows, or too many.
        ProblemError: a column is missing.
    """
    if (media_type := type_of_json(body)) is not None:
        raise bad_request(
            f"the body is JSON, and its Content-Type is {content_type.name}",
            f"Send it with Content-Type: {media_type}.",
        )
    try:
        return _read_table(body, content_type, model, max_rows)
    except ProblemError as error:
        if not is_one_line(body):
            raise
        raise ProblemError(replace(error.problem, hint=ONE_LINE)) from None


def _read_table(body: bytes, content_type: ContentType, model: ServedModel, max_rows: int) -> Table:
    try:
        table = read_delimited_body(body, content_type, model.model, max_rows)
    except (OSError, *POLARS_ERRORS) as error:
        reraise_out_of_memory(error)
        reason, *_ = [*str(error).splitlines(), type(error).__name__]
        raise bad_request(f"the body cannot be read: {reason}") from None
    except NncliError as error:
        raise _as_bad_request(error, content_type) from None
    check_rows(len(table), max_rows)
    AbsentColumns(model.name, model.schema).check_table(table.names)
    return table


def _as_bad_request(error: NncliError, content_type: ContentType) -> ProblemError:
    """The problem that a body is not of its format; a row or a column that it names is unprocessable."""
    problem = problem_of(error)
    if problem.hint is None:
        problem = replace(problem, hint=f"Check that the body is {content_type.media_type}. {SUPPORTED}")
    is_named = problem.row is not None or problem.column is not None
    return ProblemError(problem if is_named else replace(problem, status=HTTPStatus.BAD_REQUEST))


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


MAX_COLUMNS = 2_000
"""Columns of a body besides twice those of the model: each takes time, however few rows there are."""
FIRST_LINES = MAX_TITLES + 10
"""Lines among which the header is."""
QUOTE, NEWLINE, CARRIAGE_RETURN = ord('"'), ord("\n"), ord("\r")


def read_delimited_body(body: bytes, content_type: ContentType, model: AnyModel, max_rows: int) -> Table:
    """CSV or TSV as one table. The body is one block, or a few if its last records need a look at its end.

    Raises:
        ProblemError: there are too many lines, or too many columns.
        DataError: the body is not such a table.
    """
    check_not_compressed(body)
    check_shape(body, max_rows, MAX_COLUMNS + 2 * len(model.names))
    spec = model.spec
    options = ReadOptions(
        dialect=CsvDialect(
            encoding=content_type.charset,
            separator=TAB if content_type.media_type is MediaType.TSV else AUTO,
            quote=content_type.quote,
        ),
        training_dialect=spec.dialect,
        missing_values=spec.missing_values,
        numeric_columns=NumericColumns.only(model.plain_number_columns),
        block_bytes=len(body) + 1,
    )
    tables = _tables(body, options)
    if len({tuple(table.frame.dtypes) for table in tables if len(table)}) > 1:  # numbers in one block, text in another
        tables = _tables(body, replace(options, numeric_columns=NumericColumns()))
    filled = [table for table in tables if len(table)] or tables[:1]
    frame = polars.concat([table.frame for table in filled])
    dialect = filled[0].dialect.with_missing_words(spec.dialect)
    notes = tuple(note for table in tables for note in table.notes)
    return replace(filled[0], frame=frame, dialect=dialect, notes=notes)


def _tables(body: bytes, options: ReadOptions) -> list[Table]:
    return list(load_format(Format.CSV).read_stream(io.BytesIO(body), InputFile(None, SOURCE), options))


def check_not_compressed(body: bytes) -> None:
    """Raise a ProblemError if a body is a compressed file, also one that is cut off."""
    try:
        compression = detect_compression(body[:HEAD_BYTES])
    except CompressionError as error:
        raise bad_request(f"the body cannot be read: {error}", "Send all of it, not compressed.") from None
    if compression is not None:
        hint = "Decompress it, or send it compressed with gzip and with Content-Encoding: gzip."
        raise bad_request(f"the body is a {compression.suffix} file", hint)


def check_shape(body: bytes, max_rows: int, max_columns: int) -> None:
    """Raise a ProblemError if there are more lines than of so many rows, or more columns."""
    lines = body.count(b"\n") + body.count(b"\r")
    if lines <= max_rows + FIRST_LINES and len(body) < max_columns:
        return
    text = np.frombuffer(body, np.uint8)
    outside = ~np.logical_xor.accumulate(text == QUOTE)
    if lines > max_rows + FIRST_LINES:
        rows = max(np.count_nonzero(outside & (text == end)) for end in (NEWLINE, CARRIAGE_RETURN)) - FIRST_LINES
        if rows > max_rows:
            raise too_many_rows(int(rows), max_rows)
    ends = [*np.flatnonzero(outside & ((text == NEWLINE) | (text == CARRIAGE_RETURN))).tolist(), len(body)][
        :FIRST_LINES
    ]
    for start, stop in zip([0, *ends], ends, strict=False):
        line = text[start:stop][outside[start:stop]]
        columns = max(np.count_nonzero(line == ord(separator)) for separator in ",;\t|") + 1
        if columns > max_columns:
            raise bad_request(
                f"a line has {columns:,} cells, and a body at most {max_columns:,} columns",
                "Send the columns that the model needs.",
            )
