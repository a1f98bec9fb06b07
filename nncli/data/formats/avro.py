"""Read Avro files, some blocks of rows at a time.

Polars parses the blocks. It has no maps, no unions of several types, no names of types that were defined before and no
enumerations that may be null: the first two are refused here, the others are replaced in the schema.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import field
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import polars

from nncli.base.dataclass import dataclass
from nncli.base.errors import DataError, Location, UsageError
from nncli.base.native_stderr import without_panics
from nncli.data.formats.compression import (
    BZIP2,
    DEFLATE,
    XZ,
    ZSTANDARD,
    CompressionError,
    DecompressedStream,
    SizeLimit,
    Writable,
)
from nncli.data.formats.file_format import FileFormat, as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.streams import InputFile, open_input, peek, read_exactly, translate_damage, wrong_format
from nncli.data.formats.writers import STANDARD_OUTPUT, Sink
from nncli.data.table import Table

GROUP_BYTES = 8 << 20
"""Bytes of blocks that are parsed together."""


class AvroFormat(FileFormat):
    """The Avro format: rows with a schema, in blocks. It is only read."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins as an Avro file does."""
        return head.startswith(MAGIC)

    def read_schema(self, file: InputFile) -> polars.Schema:
        """The types of the columns, from the header."""
        with open_input(file.path, file.name) as (_, stream):
            return next(read_avro(stream, file.name, whole=True, rows=False))[1].schema

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield a table for some blocks of rows, or one table of all rows."""
        return as_tables(read_avro(stream, file.name, whole=options.rows is None), file, options)

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Raise a UsageError."""
        raise UsageError(
            "Avro can only be read",
            location=Location(source=STANDARD_OUTPUT if path is None else str(path)),
            hint="Write Parquet or Arrow, which have the same types.",
        )


def read_avro(
    stream: IO[bytes], source: str, *, whole: bool, rows: bool = True
) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row and the rows, some blocks at a time, or all of them; none unless `rows`.

    Raises:
        DataError: this is no Avro file, it is damaged, or a column has a type that is no cell of a table.
    """
    head, stream = peek(stream)
    if not head.startswith(MAGIC):
        raise wrong_format("this is not an Avro file", head, source)
    row = 1
    with translate_damage("the Avro file", source, AvroError, CompressionError):
        header = read_header(stream)
        schema = _AvroSchema.of(header, source)
        found = read_blocks(stream, header) if rows else iter(())
        for blocks in _groups(found, None if whole else GROUP_BYTES):
            with without_panics():
                frame = schema.with_words(polars.read_avro(header.file(schema.record, blocks)))
            yield row, frame
            row += frame.height


def _groups(blocks: Iterator[bytes], size: int | None) -> Iterator[list[bytes]]:
    """Yield the blocks in groups of about `size` bytes, or all of them; at least one group, which may be empty."""
    group, n_bytes, is_empty = list[bytes](), 0, True
    for block in blocks:
        group.append(block)
        n_bytes += len(block)
        if size is not None and n_bytes >= size:
            yield group
            group, n_bytes, is_empty = [], 0, False
    if group or is_empty:
        yield group


@dataclass
class _AvroSchema:
    """The schema of the rows for Polars: enumerations that are columns are numbers of their words."""

    source: str
    record: dict[str, Any] = field(default_factory=dict)
    enumerations: dict[str, list[str]] = field(default_factory=dict)
    types: dict[str, Any] = field(default_factory=dict)
    """The types that have a name."""

    @classmethod
    def of(cls, header: AvroHeader, source: str) -> _AvroSchema:
        """The schema of a file.

        Raises:
            AvroError: the schema is not valid.
            DataError: the rows are no records, or a column has a type that is no cell of a table.
        """
        schema = cls(source)
        if not isinstance(header.schema, dict) or header.schema.get("type") != "record":
            raise DataError("the rows of the Avro file are not records", location=Location(source=source))
        try:
            fields = [{**item, "type": schema._column(item["name"], item["type"])} for item in header.schema["fields"]]
        except (KeyError, TypeError, RecursionError) as error:
            raise AvroError("its schema is not valid") from error
        schema.record = {**header.schema, "fields": fields}
        return schema

    def with_words(self, frame: polars.DataFrame) -> polars.DataFrame:
        """The rows with the columns of enumerations as text."""
        words = {name: dict(enumerate(words)) for name, words in self.enumerations.items()}
        return frame.with_columns(
            frame.get_column(name).replace_strict(number, return_dtype=polars.String) for name, number in words.items()
        )

    def _column(self, column: str, type: Any) -> Any:  # noqa: A002 - any JSON
        """The type of a column, with a number instead of an enumeration."""
        found = self._resolved(column, type)
        choices = found if isinstance(found, list) else [found]
        for i, choice in enumerate(choices):
            if isinstance(choice, dict) and choice["type"] == "enum":
                self.enumerations[column] = choice["symbols"]
                choices[i] = "int"
        return choices if isinstance(found, list) else choices[0]

    def _resolved(self, column: str, type: Any) -> Any:  # noqa: A002
        """The type with the definitions of the names in it.

        Raises:
            DataError: it has a map, or a union of several types.
        """
        if isinstance(type, str):
            return self.types.get(type, type)
        if isinstance(type, list):
            choices = [self._resolved(column, choice) for choice in type]
            if len(choices) != 2 or "null" not in choices:
                self._refuse(column, f"may be of several types ({', '.join(map(_name, type))})")
            return choices
        if type["type"] == "map":
            self._refuse(column, "holds a map of keys and values")
        found: dict[str, Any] = dict(type)
        if "items" in found:
            found["items"] = self._resolved(column, found["items"])
        if "fields" in found:
            found["fields"] = [{**item, "type": self._resolved(column, item["type"])} for item in found["fields"]]
        if "name" in found:
            self.types[found["name"]] = found
        return found

    def _refuse(self, column: str, what: str) -> NoReturn:
        raise DataError(
            f"the column {what}, which is no cell of a table",
            location=Location(source=self.source, column=column),
            hint="Write the file without the column, or as one column for each.",
        )


def _name(type: Any) -> str:  # noqa: A002
    return type if isinstance(type, str) else str(type["type"])


MAGIC = b"Obj\x01"
SYNC = 16
"""Bytes of the marker behind each block."""
PIECE = 16 << 20
"""Bytes that are decompressed at a time."""
UNCHANGED = ("null", "snappy")
"""Codecs of blocks that are left to Polars."""
CODECS = {"deflate": DEFLATE, "bzip2": BZIP2, "xz": XZ, "zstandard": ZSTANDARD}
"""Codecs of blocks that are decompressed here."""


class AvroError(Exception):
    """The bytes are no Avro file, or they end too early."""


class AvroHeader(NamedTuple):
    """The schema of the rows, the codec of the blocks and the marker behind them."""

    schema: Any
    codec: str
    sync: bytes

    def file(self, schema: Any, blocks: list[bytes]) -> io.BytesIO:
        """An Avro file of rows with this schema in some blocks, which are as `read_blocks` yields them."""
        codec = b"snappy" if self.codec == "snappy" else b"null"
        pairs = ((b"avro.schema", json.dumps(schema).encode()), (b"avro.codec", codec))
        metadata = (_number(len(text)) + text for pair in pairs for text in pair)
        return io.BytesIO(b"".join((MAGIC, _number(len(pairs)), *metadata, _number(0), self.sync, *blocks)))


def read_header(stream: IO[bytes]) -> AvroHeader:
    """Read the header of a file.

    Raises:
        AvroError: the bytes are no header.
    """
    if _read(stream, len(MAGIC)) != MAGIC:
        raise AvroError("it does not begin as it should")
    metadata: dict[bytes, bytes] = {}
    while count := _read_number(stream):
        if count < 0:  # followed by the size of the entries
            count = -count
            _read_number(stream)
        for _ in range(count):
            key = _read(stream, _read_number(stream))
            metadata[key] = _read(stream, _read_number(stream))
    try:
        schema = json.loads(metadata[b"avro.schema"])
        codec = metadata.get(b"avro.codec", b"null").decode()
    except (KeyError, ValueError, RecursionError) as error:
        raise AvroError("its header has no schema") from error
    return AvroHeader(schema, codec or "null", _read(stream, SYNC))


def read_blocks(stream: IO[bytes], header: AvroHeader) -> Iterator[bytes]:
    """Yield the blocks of rows, decompressed unless they are of the codec snappy.

    Raises:
        AvroError: the bytes are no blocks, or they end too early.
        CompressionError: a block is damaged, or grows absurdly.
        UsageError: a package for the codec is missing.
    """
    while first := stream.read(1):
        count = _read_number(stream, first)
        data = _read(stream, _read_number(stream))
        if _read(stream, SYNC) != header.sync:
            raise AvroError("a block does not end as it should")
        data = _decompressed(data, header.codec)
        n_bytes = _snappy_size(data) if header.codec == "snappy" else len(data)
        if not 0 <= count <= n_bytes:  # a row of any column takes a byte
            raise AvroError(f"a block of {n_bytes:,} bytes is said to have {count:,} rows")
        yield b"".join((_number(count), _number(len(data)), data, header.sync))


def _decompressed(data: bytes, codec: str) -> bytes:
    if codec in UNCHANGED:
        if codec == "snappy":
            SizeLimit(len(data), _snappy_size(data)).check()
        return data
    if codec not in CODECS:
        raise AvroError(f"the codec {codec!r} is not supported")
    return io.BufferedReader(DecompressedStream(io.BytesIO(data), CODECS[codec]), PIECE).read()


def _snappy_size(data: bytes) -> int:
    """The decompressed size of a block of the codec snappy, which is written at its beginning."""
    size = 0
    for i, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            break
    return size


def _read(stream: IO[bytes], size: int) -> bytes:
    if size < 0:
        raise AvroError("a length is negative")
    data = read_exactly(stream, size)
    if len(data) < size:
        raise AvroError("it ends too early")
    return data


def _read_number(stream: IO[bytes], first: bytes = b"") -> int:
    """A number of 1 to 10 bytes: seven bits a byte, the lowest first, the sign in the lowest bit."""
    bits = 0
    for shift in range(0, 70, 7):
        byte = (first if first and not shift else _read(stream, 1))[0]
        bits |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (bits >> 1) ^ -(bits & 1)
    raise AvroError("a number is too long")


def _number(value: int) -> bytes:
    """The bytes of a number that is not negative."""
    bits, text = value << 1, bytearray()
    while bits >= 0x80:
        text.append(bits & 0x7F | 0x80)
        bits >>= 7
    return bytes((*text, bits))
