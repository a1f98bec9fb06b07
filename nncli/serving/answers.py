"""Predictions as the body of an answer, in the format that the client accepts."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import polars as pl

from nncli.data.dialect import COMMA, TAB
from nncli.data.formats.arrow import ArrowParts
from nncli.data.formats.csv.csv_format import DelimitedSink
from nncli.data.formats.parquet import ParquetParts
from nncli.data.formats.sinks import ColumnCheck
from nncli.models.conformal.predictor import sets_as_text
from nncli.serving.bodies.media_types import MediaType

NOTES_HEADER = "X-Notes"
FEW_ROWS = 16
"""Up to so many rows, Python writes JSON faster than Polars."""


def write_answer(predictions: pl.DataFrame, media_type: MediaType) -> bytes:
    """The predictions in a format other than JSON, as `nncli predict` writes them."""
    buffer = io.BytesIO()
    match media_type:
        case MediaType.PARQUET:
            ParquetParts().write(predictions, buffer)
        case MediaType.ARROW_FILE:
            ArrowParts().write(predictions, buffer)
        case MediaType.ARROW_STREAM:
            predictions.write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
        case MediaType.JSON_LINES:
            return predictions.write_ndjson().encode()
        case _:
            lists = [name for name, dtype in predictions.schema.items() if isinstance(dtype, pl.List)]
            separator = TAB if media_type is MediaType.TSV else COMMA
            DelimitedSink(buffer, separator, ColumnCheck.of(None)).write(sets_as_text(predictions, lists))
    return buffer.getvalue()


def notes_header(notes: Sequence[str]) -> dict[str, str]:
    """The header with the notes of an answer whose format has no place for them; it is ASCII."""
    return {NOTES_HEADER: json.dumps(notes)} if notes else {}


def json_answer(predictions: pl.DataFrame, *, is_single: bool, notes: Sequence[str] = ()) -> bytes:
    """`{"rows": [{…}, …]}`, or one object, with the notes if there are any.

    Numbers have the fewest digits that give the same float32 or float64.
    """
    if len(predictions) > FEW_ROWS:
        rows = predictions.write_ndjson().encode().rstrip(b"\n").replace(b"\n", b", ")
        return b'{"rows": [%b]%b}' % (rows, b', "notes": %b' % dump(list(notes)) if notes else b"")
    return dump_json(json_rows(predictions), is_single=is_single, notes=notes)


def dump_json(rows: list[dict[str, Any]], *, is_single: bool, notes: Sequence[str] = ()) -> bytes:
    """The rows of an answer as JSON, with the notes if there are any."""
    answer: dict[str, Any] = rows[0] if is_single else {"rows": rows}
    return dump({**answer, "notes": list(notes)} if notes else answer)


def dump(document: Any) -> bytes:
    """A document as JSON in UTF-8."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def json_rows(predictions: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of predictions as JSON, which has no NaN: it becomes null."""
    names = predictions.columns
    return [dict(zip(names, row, strict=True)) for row in zip(*map(json_cells, predictions), strict=True)]


def json_cells(cells: pl.Series) -> Iterable[Any]:
    """The cells of a column as JSON."""
    if cells.dtype == pl.Float64:
        return [x if x is not None and isfinite(x) else None for x in cells.to_list()]
    if cells.dtype == pl.Float32:  # the digits of the float32, not of the float64 next to it
        return [float(str(x)) if isfinite(x) else None for x in cells.to_numpy()]
    return cells.to_list()
