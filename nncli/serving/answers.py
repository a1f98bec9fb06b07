"""Predictions as the body of an answer, in the format that the client accepts."""

from __future__ import annotations

import io
import json

import polars as pl

from nncli.data.io.formats import Format


def json_answer(predictions: pl.DataFrame, *, is_single: bool) -> bytes:
    """`{"rows": [{…}, …]}`, or one object."""
    rows = predictions.to_dicts()
    return json.dumps(rows[0] if is_single else {"rows": rows}, ensure_ascii=False).encode()


def file_answer(predictions: pl.DataFrame, format: Format) -> bytes:  # noqa: A002 - the option's name
    """The predictions as a file, as `nncli predict` writes it."""
    buffer = io.BytesIO()
    with format.load().open_sink(buffer, None) as sink:
        sink.write(predictions)
    return buffer.getvalue()
