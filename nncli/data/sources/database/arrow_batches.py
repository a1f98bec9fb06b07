"""Batches of Arrow's C stream, which drivers return, as frames of plain types."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from nncli.data.sources.database.column_types import plain_columns


class ArrowStreamError(Exception):
    """The driver could not give the next batch of a stream; the message is its own."""


class _Stream(ctypes.Structure):
    """The struct ArrowArrayStream of https://arrow.apache.org/docs/format/CStreamInterface.html."""

    _fields_ = (
        ("get_schema", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_next", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)),
        ("get_last_error", ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    )


def frames_of(stream: object, source: str, decimals: Collection[str]) -> Iterator[pl.DataFrame]:
    """Yield the batches of an object with `__arrow_c_stream__`, one in memory at a time; at least one.

    `decimals` are columns of text that are numbers.

    Raises:
        DataError: a cell cannot be held.
        ArrowStreamError: the driver reports an error.
    """
    import nanoarrow

    batches = nanoarrow.c_array_stream(stream)
    row = 1
    while (batch := _next_batch(batches)) is not None:
        yield plain_columns(pl.DataFrame(batch), source, row, decimals)
        row += batch.length
    if row == 1:
        empty = nanoarrow.c_array_stream([], schema=batches.get_schema())
        yield plain_columns(pl.DataFrame(empty), source, row, decimals)


def _next_batch(batches: Any) -> Any | None:
    """The next array of a stream of nanoarrow; None at the end.

    Its own method would keep all other threads waiting for as long as the server takes; a call by ctypes does not.
    """
    from nanoarrow.c_array import allocate_c_array

    batch = allocate_c_array(batches.get_schema())
    address = batches._addr()
    stream = _Stream.from_address(address)
    if stream.get_next(address, batch._addr()):
        raise ArrowStreamError((stream.get_last_error(address) or b"").decode(errors="replace"))
    return batch if batch.is_valid() else None
