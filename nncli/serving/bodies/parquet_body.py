"""Parquet bodies, whose rows and decompressed size are added up from their metadata and the headers of their pages.

https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from typing import Any

import polars as pl

from nncli.data.io.streams import PARQUET_MAGIC
from nncli.errors import DataError, Location
from nncli.serving.bodies.body_size import BodySize
from nncli.serving.bodies.thrift import ThriftError, ThriftReader
from nncli.serving.columns.row_reader import SOURCE
from nncli.serving.problems.problem import bad_request
from nncli.text import quote

MAX_METADATA = 2 << 20
"""Bytes of the metadata at the end of a file that are read: they describe some ten thousand columns."""
MAX_HEADER = 1 << 16
"""Bytes of the header of a page, which may hold a lowest and a highest text."""
DELTA_BYTE_ARRAY = 7
"""The encoding of texts by what they share with the text before: few bytes may become any number of them."""
DICTIONARY_PAGE = 2


def read_parquet(body: bytes, needed: Collection[str], size: BodySize) -> tuple[pl.DataFrame, list[str]]:
    """Those columns of a Parquet file that are `needed`, and the names of all its columns.

    Raises:
        ProblemError: it has too many rows, or grows too large.
        DataError: it is not a Parquet file, or is damaged.
    """
    metadata = _metadata(body)
    try:
        for group in (metadata, *metadata[4]):
            _check_counts(group, (3,))
        size.add_rows(metadata[3])
        names = _top_level_names(metadata[2])
        chunks = [chunk[3] for group in metadata[4] for chunk in group[1]]
        for chunk in chunks:
            if _name_of(chunk) in needed:
                _check_chunk(body, chunk, size)
    except (ThriftError, KeyError, TypeError, IndexError, AttributeError, UnicodeDecodeError) as error:
        raise _damaged(error) from None
    columns = [name for name in names if name in needed]
    return pl.read_parquet(io.BytesIO(body), columns=columns, glob=False, hive_partitioning=False), names


def _metadata(body: bytes) -> dict[int, Any]:
    """The structure FileMetaData."""
    if not body.startswith(PARQUET_MAGIC):
        raise DataError("this is not a Parquet file", location=Location(source=SOURCE))
    length = int.from_bytes(body[-8:-4], "little")
    if not body.endswith(PARQUET_MAGIC) or length > len(body) - 12:
        raise _damaged("its end is missing")
    if length > MAX_METADATA:
        raise bad_request(f"the Parquet file has {length:,} bytes of metadata, more than {MAX_METADATA:,}")
    try:
        return ThriftReader(body[-8 - length : -8]).struct()
    except ThriftError as error:
        raise _damaged(error) from None


def _top_level_names(elements: list[dict[int, Any]]) -> list[str]:
    """The names of the columns of a schema, which lists every element before its children."""
    names, stack = list[str](), list[int]()
    for number, element in enumerate(elements):
        if number and len(stack) == 1:
            names.append(element[4].decode())
        if stack:
            stack[-1] -= 1
        if element.get(5):
            stack.append(element[5])
        while stack and not stack[-1]:
            stack.pop()
    return names


def _name_of(chunk: dict[int, Any]) -> str:
    name: str = chunk[3][0].decode()
    return name


def _check_chunk(body: bytes, chunk: dict[int, Any], size: BodySize) -> None:
    """Add the size of a chunk of a column. Raise an error if it is nested, or has more values than the file rows."""
    name = _name_of(chunk)
    if len(chunk[3]) > 1:
        raise DataError("the column holds lists or objects", location=Location(source=SOURCE, column=name))
    values = 0
    _check_counts(chunk, (5, 6, 7))
    for header in _pages(body, chunk):
        size.add_bytes(header[2])
        if header[1] == DICTIONARY_PAGE:
            _check_counts(header[7], (1,))
            size.check_items(header[7][1])
            continue
        page = header.get(5) or header.get(8)
        if page is None:
            continue
        _check_counts(page, (1,) if 5 in header else (1, 2, 3, 5, 6))
        values += page[1]
        if page.get(2 if 5 in header else 4) == DELTA_BYTE_ARRAY:
            raise bad_request(
                f"the column {quote(name)} has the encoding DELTA_BYTE_ARRAY, which is not read",
                "Write the file with another encoding, such as PLAIN or a dictionary.",
            )
    if values > size.rows:
        raise _damaged(f"the column {quote(name)} has more values than there are rows")


def _check_counts(fields: dict[int, Any], numbers: tuple[int, ...]) -> None:
    """Raise a ThriftError if a size or a number of values is negative: Polars takes it for a huge one, and aborts."""
    if any(fields.get(number, 0) < 0 for number in numbers):
        raise ThriftError("a number of values is negative")


def _pages(body: bytes, chunk: dict[int, Any]) -> Iterator[dict[int, Any]]:
    """The headers of the pages of a chunk."""
    start = min(place for place in (chunk[9], chunk.get(11)) if place)
    end = start + chunk[7]
    if start < 0 or end > len(body):
        raise ThriftError("a page is outside the file")
    while start < end:
        reader = ThriftReader(body[start : start + MAX_HEADER])
        header = reader.struct()
        yield header
        if header[2] < 0 or header[3] < 0:
            raise ThriftError("the size of a page is negative")
        start += reader.position + header[3]


def _damaged(reason: object) -> DataError:
    return DataError(
        f"the Parquet file is damaged: {reason}", location=Location(source=SOURCE), hint="Write or copy it again."
    )
