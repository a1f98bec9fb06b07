"""Arrow bodies, file or stream, whose size is known before they are decompressed."""

from __future__ import annotations

import io

import polars as pl

from nncli.base.errors import DataError, Location
from nncli.data.formats.arrow import read_arrow_stream
from nncli.data.formats.arrow_messages import (
    CONTINUATION,
    FILE_MAGIC,
    ArrowError,
    Kind,
    batch_size,
    file_schema_depth,
    read_file_messages,
    read_messages,
    schema_depth,
)
from nncli.data.formats.compression import CompressionError
from nncli.serving.bodies.body_size import BodySize
from nncli.serving.columns.row_reader import SOURCE

MAX_DEPTH = 8
"""How deeply columns may be nested, also those that the model does not read."""


def read_arrow(body: bytes, size: BodySize) -> pl.DataFrame:
    """The rows of an Arrow file or stream.

    Raises:
        ProblemError: it has too many rows, or grows too large.
        DataError: it is not an Arrow file or stream.
    """
    is_file = body.startswith(FILE_MAGIC)
    if not is_file and not body.startswith(CONTINUATION):
        raise DataError("this is neither an Arrow file nor an Arrow stream", location=Location(source=SOURCE))
    try:
        _check_size(io.BytesIO(body), size, is_file=is_file)
    except (ArrowError, CompressionError) as error:
        raise DataError(f"the Arrow data is damaged: {error}", location=Location(source=SOURCE)) from None
    if is_file:
        return pl.read_ipc(io.BytesIO(body))
    frames = [frame for _, frame in read_arrow_stream(io.BytesIO(body), SOURCE, whole=True)]
    return frames[0] if len(frames) == 1 else pl.concat(frames, how="vertical_relaxed")


def _check_size(stream: io.BytesIO, size: BodySize, *, is_file: bool) -> None:
    depth = file_schema_depth(stream) if is_file else 0
    for number, message in enumerate(read_file_messages(stream) if is_file else read_messages(stream)):
        if number == 0 and not is_file:
            depth = schema_depth(message)
        batch = batch_size(message)
        size.add_bytes(batch.n_bytes)
        if message.kind == Kind.BATCH:
            size.add_rows(batch.rows)
        size.check_items(batch.items)
    if depth > MAX_DEPTH:
        raise DataError(f"columns are nested more than {MAX_DEPTH} deep", location=Location(source=SOURCE))
