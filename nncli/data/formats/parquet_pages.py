"""What a Parquet file says about its columns and pages, checked before Polars reads it.

Polars believes these numbers: it reserves memory for a page of a negative number of values, which ends the process.
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from nncli.base.dataclass import dataclass
from nncli.data.formats.compression import SizeLimit
from nncli.data.formats.streams import PARQUET_MAGIC
from nncli.data.formats.thrift import ThriftError, ThriftReader

ENCRYPTED_MAGIC = b"PARE"
HEADER_BYTES = (512, 1 << 16, 1 << 24)
"""Bytes of the header of a page that are read first, and if it is longer: it may hold two texts."""
BYTES_PER_VALUE = 8
MAX_SIZE = (1 << 31) - 1
"""Bytes of a page when it is decompressed."""
REPEATED = 2
DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_2 = 0, 2, 3


class ParquetError(Exception):
    """The bytes are no Parquet file, or its numbers contradict each other."""


@dataclass(frozen=True)
class ParquetChunk:
    """The values of a column in a group of rows, and where they are; `is_repeated`: a row may have several values."""

    is_repeated: bool
    start: int
    end: int
    values: int
    rows: int


@dataclass(frozen=True)
class ParquetIndex:
    """The rows and the groups of rows of a file."""

    rows: int
    groups: list[tuple[int, list[dict[int, Any]]]]
    """The rows and the chunks of each group."""
    leaves: list[bool]
    """Of each chunk of a group the field `is_repeated`."""
    size: int
    """Where the pages end."""

    def chunks(self, group: int) -> Iterator[ParquetChunk]:
        """Yield the chunks of a group of rows.

        Raises:
            ParquetError: a number of theirs is negative, or they are outside the file.
        """
        with _translated():
            rows, columns = self.groups[group]
            for is_repeated, column in zip(self.leaves, columns, strict=True):
                fields = column[3]
                _check_counts(fields, (5, 6, 7))
                start = fields[9] if fields.get(11) is None else fields[11]  # where its dictionary is, if it has any
                if not 0 <= start <= start + fields[7] <= self.size:
                    raise ParquetError("a page is outside the file")
                if fields[5] > rows and not is_repeated:
                    raise ParquetError("a column has more values than there are rows")
                yield ParquetChunk(is_repeated, start, start + fields[7], fields[5], rows)


def read_index(file: IO[bytes]) -> ParquetIndex:
    """Read the index at the end of a file.

    Raises:
        ParquetError: there is none, or it contradicts itself.
    """
    size = file.seek(0, io.SEEK_END)
    end = _read(file, max(size - 8, 0), 8)
    if end.endswith(ENCRYPTED_MAGIC):
        raise ParquetError("it is encrypted")
    length = int.from_bytes(end[:4], "little")
    if not end.endswith(PARQUET_MAGIC) or length > size - 12:
        raise ParquetError("its end is missing")
    with _translated():
        metadata = ThriftReader(_read(file, size - 8 - length, length)).struct()
        if 8 in metadata:
            raise ParquetError("it is encrypted")
        groups = metadata[4]
        for group in (metadata, *groups):
            _check_counts(group, (3,))
        if sum(group[3] for group in groups) != metadata[3]:
            raise ParquetError("its groups of rows do not have as many rows as the file")
        leaves = _leaves(metadata[2])
        if any(len(group[1]) != len(leaves) for group in groups):
            raise ParquetError("a group of rows does not have all columns")
        return ParquetIndex(metadata[3], [(group[3], group[1]) for group in groups], leaves, size - 8 - length)
    raise AssertionError("the block returns or raises")


def check_pages(file: IO[bytes], index: ParquetIndex, group: int) -> None:
    """Check the pages of all columns of a group of rows, of which the headers alone are read.

    Raises:
        ParquetError: a number in a header is negative, or more than the chunk has bytes or values.
        CompressionError: the pages grow absurdly.
    """
    for chunk in index.chunks(group):
        with _translated():
            _check_chunk(file, chunk)


def _check_chunk(file: IO[bytes], chunk: ParquetChunk) -> None:
    at, values = chunk.start, 0
    while values < chunk.values:
        header, size = _read_header(file, at, chunk.end)
        at += size + header[3]
        if at > chunk.end:
            raise ParquetError("a page is longer than its column")
        kind = header[1]
        if kind == DICTIONARY_PAGE:
            items = header[7][1]
            if not 0 <= items <= BYTES_PER_VALUE * header[2]:
                raise ParquetError(f"a dictionary of {header[2]:,} bytes is said to have {items:,} items")
        elif kind in (DATA_PAGE, DATA_PAGE_2):
            values += _checked_values(header[5 if kind == DATA_PAGE else 8], header, chunk)
    if values > chunk.values:
        raise ParquetError("a column has more values than it is said to have")


def _leaves(elements: list[dict[int, Any]]) -> list[bool]:
    """Of each column that has values, whether a row may have several.

    A schema lists every element before its children.
    """
    leaves: list[bool] = []
    parents: list[tuple[int, bool]] = []  # children that are left, repeated
    for element in elements:
        is_repeated = False
        if parents:
            left, is_repeated = parents[-1]
            parents[-1] = left - 1, is_repeated
            is_repeated = is_repeated or element.get(3) == REPEATED
        if element.get(5) or element is elements[0]:
            parents.append((element.get(5, 0), is_repeated))
        else:
            leaves.append(is_repeated)
        while parents and parents[-1][0] <= 0:
            parents.pop()
    return leaves


def _read_header(file: IO[bytes], at: int, end: int) -> tuple[dict[int, Any], int]:
    """The header of the page at a position, and its size."""
    for size in HEADER_BYTES:
        data = _read(file, at, min(size, end - at))
        reader = ThriftReader(data)
        try:
            header = reader.struct()
        except ThriftError:
            if len(data) < size or size == HEADER_BYTES[-1]:
                raise
            continue
        if header[3] < 0 or not 0 <= header[2] <= MAX_SIZE:
            raise ParquetError("the size of a page is negative or too large")
        SizeLimit(header[3], header[2]).check()
        return header, reader.position
    raise AssertionError("the last size returns or raises")


def _checked_values(page: dict[int, Any], header: dict[int, Any], chunk: ParquetChunk) -> int:
    """The number of values of a page."""
    values: int = page[1]
    if header[1] == DATA_PAGE_2:
        _check_counts(page, (2, 3, 5, 6))
        if page[5] + page[6] > min(header[2], header[3]):
            raise ParquetError("the levels of a page are longer than the page")
    if values < 0:
        raise ParquetError("a number of values is negative")
    if not chunk.is_repeated and values > chunk.rows:
        raise ParquetError("a page has more values than there are rows")
    if values > chunk.rows:
        SizeLimit(header[3], BYTES_PER_VALUE * values).check()
    return values


def _check_counts(fields: dict[int, Any], numbers: tuple[int, ...]) -> None:
    """Raise a ParquetError if a size or a number of values is negative."""
    if any(fields.get(number, 0) < 0 for number in numbers):
        raise ParquetError("a number of values is negative")


def _read(file: IO[bytes], position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the errors of a structure that lacks a field, or has one of another type."""
    try:
        yield
    except (ThriftError, KeyError, IndexError) as error:
        raise ParquetError(f"its description is not valid: {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ParquetError("its description is not valid") from error
