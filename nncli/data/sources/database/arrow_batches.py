"""Batches of Arrow's C stream, which drivers return, as frames of plain types."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import polars as pl

from nncli.data.sources.database.column_types import plain_columns


def frames_of(stream: object, source: str, decimals: Collection[str]) -> Iterator[pl.DataFrame]:
    """Yield the batches of an object with `__arrow_c_stream__`, one in memory at a time; at least one.

    `decimals` are columns of text that are numbers.

    Raises:
        DataError: a cell cannot be held.
        nanoarrow's NanoarrowException: the driver reports an error.
    """
    import nanoarrow

    batches = nanoarrow.c_array_stream(stream)
    row = 1
    for batch in batches:
        yield plain_columns(pl.DataFrame(batch), source, row, decimals)
        row += batch.length
    if row == 1:
        empty = nanoarrow.c_array_stream([], schema=batches.get_schema())
        yield plain_columns(pl.DataFrame(empty), source, row, decimals)
