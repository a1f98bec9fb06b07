"""The digest of rows, which follows from their values alone.

The bytes of an Arrow or Parquet file also follow from the batches that the rows came in, and from the version of the
library that wrote them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import numpy as np
import polars as pl

from nncli.data.sources.database.column_types import blocks_of
from nncli.data.table import unnamed


class RowsDigest:
    """The SHA-256 of blocks of rows."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def update(self, block: pl.DataFrame) -> None:
        """Add the next block."""
        self._hash.update(repr((block.height, dict(block.schema))).encode())
        for cells in block:
            for content in _buffers(unnamed(cells)):
                self._hash.update(content)

    def hexdigest(self) -> str:
        """The digest of the blocks so far, in hexadecimal."""
        return self._hash.hexdigest()


def digest_of(frames: Iterable[pl.DataFrame]) -> str:
    """The SHA-256 of rows, in hexadecimal."""
    digest = RowsDigest()
    for block in blocks_of(frames):
        digest.update(block)
    return digest.hexdigest()


def _buffers(cells: pl.Series) -> Iterator[bytes | memoryview]:
    """The bytes of a column: which cells are null, and the values of the others."""
    yield cells.null_count().to_bytes(8, "little")
    if cells.null_count():
        yield np.packbits(cells.is_null().to_numpy()).data
        cells = cells.drop_nulls()
    dtype = cells.dtype
    if isinstance(dtype, pl.Struct):
        for field in cells.struct.unnest():
            yield from _buffers(unnamed(field))
    elif isinstance(dtype, pl.List | pl.Array):
        lists = cells.arr.to_list() if isinstance(dtype, pl.Array) else cells
        lengths = lists.list.len()
        yield _values(lengths)
        yield from _buffers(lists.filter(lengths > 0).explode())
    elif dtype == pl.String:
        yield _values(cells.str.len_bytes())
        yield "".join(cells).encode()
    elif dtype == pl.Binary:
        yield _values(cells.bin.size())
        yield b"".join(cells)
    elif dtype != pl.Null:
        yield _values(cells.to_physical())


def _values(numbers: pl.Series) -> memoryview:
    return np.ascontiguousarray(numbers.to_numpy()).view(np.uint8).data
