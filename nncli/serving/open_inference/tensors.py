"""Tensors of the Open Inference Protocol as columns, and back: as JSON, or as binary data after it.

https://github.com/kserve/open-inference-protocol and its binary tensor data extension. A missing value is null, NaN, or
a text that is a missing value of the training table.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from types import NoneType
from typing import Any

import numpy as np
import polars as pl

from nncli.base.text import join_quoted, quote
from nncli.serving.answers import json_cells
from nncli.serving.problems.problem import ProblemError, invalid_row

BYTES = "BYTES"
NUMBERS = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
"""The datatypes besides BYTES, each with that of NumPy."""
DATATYPES = {
    pl.Boolean(): "BOOL",
    pl.Int64(): "INT64",
    pl.UInt64(): "UINT64",
    pl.Float32(): "FP32",
    pl.Float64(): "FP64",
}
"""The datatypes of answers; any other column is BYTES."""
LENGTH = struct.Struct("<I")
"""The number of bytes of an element of BYTES, before the element."""


def tensor_problem(name: str, detail: str, hint: str | None = None, row: int | None = None) -> ProblemError:
    """An error of the tensor called `name`."""
    return invalid_row(detail, hint, row, name)


def check_datatype(name: str, datatype: Any) -> str:
    """The datatype of a tensor, if there is such a one."""
    if isinstance(datatype, str) and (datatype in NUMBERS or datatype == BYTES):
        return datatype
    raise tensor_problem(
        name, f"{quote(datatype)} is not a datatype", f"Use one of {join_quoted([*NUMBERS, BYTES], max_words=20)}."
    )


def series_of_json(name: str, datatype: str, data: Any, rows: int) -> pl.Series:
    """The elements of a JSON array as a column; null is a missing value."""
    elements = _flat(data) if isinstance(data, list) else None
    if elements is None:
        raise tensor_problem(name, "'data' is not an array", 'Send {"data": [1, 2]}.')
    if len(elements) != rows:
        raise tensor_problem(name, f"'data' has {len(elements):,} elements; by 'shape' it should have {rows:,}")
    kind, word = _element_kind(datatype)
    if not {*map(type, elements)} - {NoneType} <= kind:
        row = next(row for row, value in enumerate(elements, start=1) if type(value) not in {*kind, NoneType})
        raise tensor_problem(name, f"the value is not {word}, as {datatype} needs", row=row)
    if datatype == BYTES:
        return _texts(name, elements)
    if datatype.startswith("FP"):
        return _floats(name, elements, datatype)
    if datatype == "BOOL":
        return pl.Series(name, elements, dtype=pl.Boolean)
    limits = np.iinfo(NUMBERS[datatype])
    for row, value in enumerate(elements, start=1):
        if value is not None and not limits.min <= value <= limits.max:
            raise tensor_problem(name, f"the value is out of the range of {datatype}", row=row)
    return pl.Series(name, elements, dtype=pl.UInt64 if datatype == "UINT64" else pl.Int64)


def _element_kind(datatype: str) -> tuple[set[type], str]:
    """The types of the elements of a datatype in JSON, and what they are called."""
    if datatype == BYTES:
        return {str}, "text"
    if datatype == "BOOL":
        return {bool}, "true or false"
    return ({int, float}, "a number") if datatype.startswith("FP") else ({int}, "a whole number")


def _flat(data: list[Any]) -> list[Any]:
    """The elements of an array, each of which may be an array of one element."""
    if list not in {*map(type, data)}:
        return data
    return [element[0] if isinstance(element, list) and len(element) == 1 else element for element in data]


def _floats(name: str, elements: Sequence[Any], datatype: str) -> pl.Series:
    try:
        values = np.array(elements, np.float64)  # null is NaN
    except OverflowError:
        values = np.array([np.nan if value is None else _float(value) for value in elements])
    with np.errstate(over="ignore"):  # infinite then, which the model refuses with its row
        return _without_nan(name, values.astype(NUMBERS[datatype]))


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf


def series_of_bytes(name: str, datatype: str, data: memoryview, rows: int) -> pl.Series:
    """Binary data as a column."""
    if datatype == BYTES:
        return _texts(name, list(_elements(name, data, rows)))
    size = rows * np.dtype(NUMBERS[datatype]).itemsize
    if len(data) != size:
        raise tensor_problem(
            name, f"the tensor has {len(data):,} bytes of data; {rows:,} elements of {datatype} are {size:,}"
        )
    if datatype == "BOOL":
        return pl.Series(name, np.frombuffer(data, "u1") != 0)
    values = np.frombuffer(data, NUMBERS[datatype])
    if datatype.startswith("FP"):
        return _without_nan(name, values)
    return pl.Series(name, values.astype(np.uint64 if datatype == "UINT64" else np.int64))


def _elements(name: str, data: memoryview, rows: int) -> Iterator[str]:
    """The texts of BYTES."""
    place = 0
    for row in range(1, rows + 1):
        start = place + LENGTH.size
        if start > len(data):
            raise tensor_problem(name, f"the data has {row - 1:,} elements; by 'shape' it should have {rows:,}")
        (length,) = LENGTH.unpack_from(data, place)
        place = start + length
        if place > len(data):
            raise tensor_problem(name, f"an element has {length:,} bytes, and the data ends before", row=row)
        try:
            yield str(data[start:place], "utf-8")
        except UnicodeDecodeError:
            raise tensor_problem(name, "the text is not encoded as UTF-8", row=row) from None
    if place != len(data):
        raise tensor_problem(name, f"the data goes on after {rows:,} elements, its number by 'shape'")


def _texts(name: str, elements: Sequence[str | None]) -> pl.Series:
    """Texts as a column; Polars has no half of a surrogate pair, which JSON may have."""
    try:
        "".join(filter(None, elements)).encode()
    except UnicodeEncodeError as error:
        row = next(row for row, text in enumerate(elements, start=1) if text and error.object[error.start] in text)
        raise tensor_problem(name, "the text has a half of a surrogate pair", row=row) from None
    return pl.Series(name, elements, dtype=pl.String)


def _without_nan(name: str, values: np.ndarray[tuple[int], np.dtype[Any]]) -> pl.Series:
    return pl.Series(values.astype(np.float64)).fill_nan(None).alias(name)


def datatype_of(dtype: pl.DataType) -> str:
    """The datatype of a column of an answer."""
    return DATATYPES.get(dtype, BYTES)


def json_of_series(column: pl.Series) -> list[Any]:
    """The elements of a column for JSON, as `/predict` writes them."""
    plain = column if datatype_of(column.dtype) != BYTES else column.cast(pl.String)
    return [*json_cells(plain)]


def bytes_of_series(column: pl.Series) -> bytes:
    """A column as binary data."""
    datatype = datatype_of(column.dtype)
    if datatype != BYTES:
        return column.to_numpy().astype(NUMBERS[datatype]).tobytes()
    texts = [(text or "").encode() for text in column.cast(pl.String).to_list()]
    return b"".join(part for text in texts for part in (LENGTH.pack(len(text)), text))
