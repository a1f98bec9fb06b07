"""Columns of a database as the types that encoders read: no decimals, dictionaries or types of the driver's own.

decimal     float64, the nearest; an integer beyond 2^53 that it cannot hold is refused
timestamp   in UTC if it has a zone; years 1 to 9999, so `infinity` is refused
time        up to 23:59:59.999999, so 24:00:00 is refused
dictionary  text
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl

from nncli.base.errors import DataError, Location

EXACT = 2.0**53
"""From here on, float64 does not hold every integer."""
FIRST_DAY, LAST_DAY = (
    date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    for year, month, day in [(1, 1, 1), (9999, 12, 31)]
)


def plain_columns(frame: pl.DataFrame, source: str, first_row: int, decimals: Collection[str] = ()) -> pl.DataFrame:
    """A frame with columns of plain types. Those of `decimals` are the text of numbers.

    Raises:
        DataError: a number or a date cannot be held.
    """
    columns = []
    for cells in frame:
        try:
            columns.append(plain_column(cells, is_decimal=cells.name in decimals))
        except _CellError as error:
            raise DataError(
                error.message,
                location=Location(source=source, row=first_row + error.position, column=cells.name),
                hint=error.hint,
            ) from None
    return pl.DataFrame(columns)


class _CellError(Exception):
    def __init__(self, position: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.position, self.message, self.hint = position, message, hint


def plain_column(cells: pl.Series, *, is_decimal: bool = False) -> pl.Series:
    """A column as one of a plain type."""
    if isinstance(cells.dtype, getattr(pl, "BaseExtension", ())):  # from Polars 1.36 on
        cells = cells.ext.storage()
    if is_decimal or isinstance(cells.dtype, pl.Decimal):
        return _as_floats(cells.cast(pl.String))
    if isinstance(cells.dtype, pl.Categorical | pl.Enum | pl.Null):
        return cells.cast(pl.String)
    if isinstance(cells.dtype, pl.List) and isinstance(cells.dtype.inner, pl.Date | pl.Datetime):
        _check_days([cells.list.min(), cells.list.max()], "In a query, cast the column to text.")
    if isinstance(cells.dtype, pl.Date | pl.Datetime):
        _check_days([cells], "In a query, replace it by NULL, for example with NULLIF.")
    has_zone = isinstance(cells.dtype, pl.Datetime) and cells.dtype.time_zone is not None
    return cells.dt.convert_time_zone("UTC") if has_zone else cells


def _as_floats(texts: pl.Series) -> pl.Series:
    """The nearest float64 of each number."""
    numbers = texts.cast(pl.Float64)
    beyond = numbers.is_infinite() & ~texts.str.to_lowercase().str.contains("inf", literal=True)
    for i in beyond.fill_null(value=False).arg_true():
        raise _CellError(
            i,
            "the number is too large for one of double precision",
            "In a query, cast the column to text, or take the logarithm.",
        )
    large = (numbers.abs() >= EXACT) & numbers.is_finite()
    for i in large.arg_true():
        exact = Decimal(texts[i])
        if exact == exact.to_integral_value() and Decimal(numbers[i]) != exact:
            raise _CellError(
                i,
                f"the number {texts[i]} has too many digits for a number of double precision",
                "If it is an identifier, cast it to text in a query; if it is a quantity, to double precision.",
            )
    return numbers


def _check_days(extremes: Sequence[pl.Series], hint: str) -> None:
    """Raise if a date or time of a row is outside the years 1 to 9999."""
    for cells in extremes:
        unit = getattr(cells.dtype, "time_unit", "day")
        per_day = {"day": 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}[unit]
        physical = cells.to_physical()
        outside = ((physical < FIRST_DAY * per_day) | (physical >= (LAST_DAY + 1) * per_day)).arg_true()
        if len(outside):
            raise _CellError(outside[0], "the date is infinite, or not in the years 1 to 9999", hint)


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
        frame = pl.DataFrame(batch)
        _check_times(frame, batch, source, row)
        yield plain_columns(frame, source, row, decimals)
        row += batch.length
    if row == 1:
        empty = nanoarrow.c_array_stream([], schema=batches.get_schema())
        yield plain_columns(pl.DataFrame(empty), source, row, decimals)


def _check_times(frame: pl.DataFrame, batch: Any, source: str, first_row: int) -> None:
    """Raise a DataError for the time 24:00:00 of some databases, which Polars reads as missing."""
    for j, column in enumerate(frame):
        array, cells, is_list = batch.child(j), column, column.dtype == pl.List(pl.Time)
        if is_list:
            array, cells = array.child(0), column.filter(column.list.len() > 0).explode()
        if cells.dtype != pl.Time or cells.null_count() == array.null_count:
            continue
        row = None
        if not is_list:
            bits = np.frombuffer(array.view().buffer(0), np.uint8)  # which cells are there; no bits if all are
            is_there = np.unpackbits(bits, bitorder="little")[: len(cells)] if bits.size else 1
            row = first_row + int((cells.is_null().to_numpy() & (is_there == 1)).argmax())
        raise DataError(
            "a time of an array is 24:00:00, the end of a day" if is_list else "the time is 24:00:00, the end of a day",
            location=Location(source=source, row=row, column=column.name),
            hint="In a query, cast the column to text, or replace it by NULL, for example with NULLIF.",
        )


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


BLOCK_ROWS = 65_536


def blocks_of(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in blocks of BLOCK_ROWS, the last one shorter; at least one block.

    The sizes of a driver's batches may depend on time or memory; those of the blocks do not.
    """
    pending: list[pl.DataFrame] = []
    height = 0
    is_first = True
    for frame in frames:
        pending.append(frame)
        height += frame.height
        if height >= BLOCK_ROWS:
            rows = pl.concat(pending)
            whole = height - height % BLOCK_ROWS
            for start in range(0, whole, BLOCK_ROWS):
                yield rows[start : start + BLOCK_ROWS]
            pending, height, is_first = [rows[whole:]], height - whole, False
    if height or is_first:
        yield pl.concat(pending)
