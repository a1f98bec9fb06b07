"""Parquet bodies, whose rows and decompressed size are added up from their metadata and the headers of their pages."""

from __future__ import annotations

import io
from collections.abc import Collection

import polars as pl

from nncli.base.errors import DataError, Location
from nncli.base.text import quote
from nncli.data.formats.compression import CompressionError
from nncli.data.formats.parquet_pages import ParquetChunk, ParquetError, read_index, read_pages
from nncli.data.formats.streams import PARQUET_MAGIC
from nncli.serving.bodies.body_size import BodySize
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.problems import bad_request

MAX_METADATA = 2 << 20
"""Bytes of the metadata at the end of a file that are read: they describe some ten thousand columns."""
DELTA_BYTE_ARRAY = 7
"""The encoding of texts by what they share with the text before: few bytes may become any number of them."""


def read_parquet(body: bytes, needed: Collection[str], size: BodySize) -> tuple[pl.DataFrame, list[str]]:
    """Those columns of a Parquet file that are `needed`, and the names of all its columns.

    Raises:
        ProblemError: it has too many rows, or grows too large.
        DataError: it is not a Parquet file, or is damaged.
    """
    if not body.startswith(PARQUET_MAGIC):
        raise DataError("this is not a Parquet file", location=Location(source=SOURCE))
    file = io.BytesIO(body)
    try:
        index = read_index(file, MAX_METADATA)
        size.add_rows(index.rows)
        for group in range(len(index.groups)):
            for chunk in index.chunks(group):
                if chunk.name in needed:
                    _check_chunk(file, chunk, size)
    except (ParquetError, CompressionError) as error:
        raise DataError(
            f"the Parquet file is damaged: {error}", location=Location(source=SOURCE), hint="Write or copy it again."
        ) from None
    columns = [name for name in index.names if name in needed]
    return pl.read_parquet(io.BytesIO(body), columns=columns, glob=False, hive_partitioning=False), index.names


def _check_chunk(file: io.BytesIO, chunk: ParquetChunk, size: BodySize) -> None:
    """Add the size of a chunk of a column. Raise an error if it is nested, or has an encoding that may grow."""
    if chunk.is_nested or chunk.is_repeated:
        raise DataError("the column holds lists or objects", location=Location(source=SOURCE, column=chunk.name))
    for page in read_pages(file, chunk):
        size.add_bytes(page.n_bytes)
        size.check_items(page.items)
        if page.encoding == DELTA_BYTE_ARRAY:
            raise bad_request(
                f"the column {quote(chunk.name)} has the encoding DELTA_BYTE_ARRAY, which is not read",
                "Write the file with another encoding, such as PLAIN or a dictionary.",
            )
