"""CSV and TSV bodies, whose lines and columns are counted before they are read."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import polars

from nncli.data.dialect import AUTO, TAB, CsvDialect
from nncli.data.formats.compression import CompressionError, detect_compression
from nncli.data.formats.csv.titles import MAX_TITLES
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from nncli.data.formats.registry import Format
from nncli.data.formats.streams import HEAD_BYTES
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.serving.bodies.body_size import too_many_rows
from nncli.serving.bodies.media_types import ContentType, MediaType
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.problems.problem import bad_request

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
            encoding=content_type.charset, separator=TAB if content_type.media_type is MediaType.TSV else AUTO
        ),
        training_dialect=spec.dialect,
        missing_values=spec.missing_values,
        numbers=NumericColumns.only(model.numeric),
        block_bytes=len(body) + 1,
    )
    tables = _tables(body, options)
    if len({tuple(table.frame.dtypes) for table in tables if len(table)}) > 1:  # numbers in one block, text in another
        tables = _tables(body, replace(options, numbers=NumericColumns()))
    filled = [table for table in tables if len(table)] or tables[:1]
    frame = polars.concat([table.frame for table in filled])
    return replace(filled[0], frame=frame, notes=tuple(note for table in tables for note in table.notes))


def _tables(body: bytes, options: ReadOptions) -> list[Table]:
    return list(Format.CSV.load().read_stream(io.BytesIO(body), InputFile(None, SOURCE), options))


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
