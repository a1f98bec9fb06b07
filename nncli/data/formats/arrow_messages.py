"""The messages of Arrow's interprocess format: a schema, dictionaries, and batches of rows, each with its length.

A stream is read message by message, without seeking. A file has an index of its batches at the end. The layout
is that of https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from itertools import islice
from typing import IO

from nncli.data.formats.compression import SizeLimit
from nncli.data.formats.streams import read_exactly

FILE_MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"
END_OF_STREAM = CONTINUATION + bytes(4)
BLOCK, BUFFER, NODE = "<qi4xq", "<qq", "<qq"
"""Structures: position, size of the metadata and of the body of a batch in a file; position and size of a buffer; the
items of an array, and how many of them are null."""
MAX_DEPTH = 64
"""Depth up to which the nesting of columns is measured."""
MAX_FIELDS = 100_000
"""Fields of a depth that are counted: a damaged schema may name the same children many times."""


class Kind(IntEnum):
    """The kinds of messages that a table has."""

    SCHEMA = 1
    DICTIONARY = 2
    BATCH = 3


@dataclass(frozen=True)
class Message:
    """One message: `data` are all its bytes. `dictionary` is the number of the dictionary that a `delta` adds to."""

    kind: int
    data: bytes
    dictionary: int = 0
    delta: bool = False


@dataclass(frozen=True)
class BatchSize:
    """The rows of a batch or a dictionary, the most items of an array, and the decompressed bytes of its buffers."""

    rows: int
    items: int
    n_bytes: int


class ArrowError(Exception):
    """The bytes are not those of Arrow's interprocess format, or end too early."""


def read_messages(stream: IO[bytes]) -> Iterator[Message]:
    """Yield the messages of a stream.

    Raises:
        ArrowError: the bytes are no messages, or they end too early.
        CompressionError: a batch grows absurdly.
    """
    while (prefix := stream.read(8)) not in (b"", END_OF_STREAM):  # a stream may end without a mark
        if len(prefix) < 8 or not prefix.startswith(CONTINUATION):
            raise ArrowError("a message does not begin as it should")
        metadata = _read(stream, int.from_bytes(prefix[4:], "little"), "a message")
        with _translate_errors():
            kind, body_size = _kind_and_body(metadata)
        body = _read(stream, body_size, "a batch of rows")
        with _translate_errors():
            message = _message(kind, b"".join((prefix, metadata, body)), metadata, body)
        yield message


def batch_size(message: Message) -> BatchSize:
    """The size of a batch of rows or a dictionary; zeros of another message.

    Raises:
        ArrowError: the message is damaged.
    """
    with _translate_errors():
        metadata, body = _parts(message)
        header = _root(metadata).table(2)
        batch = header.table(1) if header is not None and message.kind == Kind.DICTIONARY else header
        if batch is None or message.kind not in (Kind.DICTIONARY, Kind.BATCH):
            return BatchSize(0, 0, 0)
        items = max((length for length, _ in batch.items(1, NODE)), default=0)
        buffers = list(batch.items(2, BUFFER))
        sizes = [size for _, size in buffers]
        is_compressed = batch.place(3) is not None
        if not all(_is_within(body, at, size, 8 if is_compressed else 0) for at, size in buffers):
            raise ArrowError("a buffer is outside of its message")
        if is_compressed:  # the first word of a buffer is its size, or -1
            words = [int.from_bytes(body[at : at + 8], "little", signed=True) for at, _ in buffers]
            sizes = [size if word < 0 else word for size, word in zip(sizes, words, strict=True)]
        return BatchSize(batch.value(0, "<q"), items, sum(sizes))


def _is_within(body: bytes, at: int, size: int, least: int) -> bool:
    """Whether a buffer is a part of a body, and empty or of `least` bytes."""
    return 0 <= at <= at + size <= len(body) and (size == 0 or size >= least)


def schema_depth(message: Message) -> int:
    """How deeply the columns of a schema are nested: 1 of a schema without lists and objects.

    Raises:
        ArrowError: the message is damaged.
    """
    with _translate_errors():
        return _depth(_root(_parts(message)[0]).table(2))


def file_schema_depth(file: IO[bytes]) -> int:
    """How deeply the columns of a file are nested; see `schema_depth`."""
    with _translate_errors():
        return _depth(_root(_read_index(file)).table(1))


def _depth(schema: _Fields | None) -> int:
    fields, depth = [] if schema is None else schema.tables(1), 0
    while fields and depth < MAX_DEPTH:
        fields, depth = [*islice((child for field in fields for child in field.tables(5)), MAX_FIELDS)], depth + 1
    return depth


def read_file_messages(file: IO[bytes]) -> Iterator[Message]:
    """Yield the dictionaries and the batches of a file that its index names.

    Raises:
        ArrowError: the bytes are no Arrow file, or they end too early.
        CompressionError: a batch grows absurdly.
    """
    with _translate_errors():
        index = _root(_read_index(file))
        for number in (2, 3):
            for offset, metadata_size, body_size in index.items(number, BLOCK):
                metadata = _without_length(_read_at(file, offset, metadata_size))
                body = _read_at(file, offset + metadata_size, body_size)
                prefix = CONTINUATION + len(metadata).to_bytes(4, "little")
                kind, _ = _kind_and_body(metadata)
                yield _message(kind, b"".join((prefix, metadata, body)), metadata, body)


def _parts(message: Message) -> tuple[bytes, bytes]:
    """The metadata and the body of a message."""
    end = 8 + int.from_bytes(message.data[4:8], "little")
    return message.data[8:end], message.data[end:]


def read_batch_heights(file: IO[bytes]) -> Iterator[int]:
    """Yield the number of rows of each batch of a file, from its index.

    Raises:
        ArrowError: the bytes are no Arrow file, or they end too early.
        CompressionError: a batch grows absurdly.
    """
    index = _read_index(file)
    with _translate_errors():
        for offset, metadata_size, body_size in _root(index).items(3, BLOCK):
            metadata = _without_length(_read_at(file, offset, metadata_size))
            batch = _root(metadata).table(2)
            if batch is None:
                raise ArrowError("a batch of rows is damaged")
            _check_growth(batch, body_size, partial(_read_word, file, offset + metadata_size))
            yield batch.value(0, "<q")


def _read_index(file: IO[bytes]) -> bytes:
    """The index at the end of a file."""
    size = file.seek(0, io.SEEK_END)
    end = _read_at(file, max(size - 10, 0), 10)
    if not end.endswith(FILE_MAGIC):
        raise ArrowError("it ends too early: its index at the end is missing")
    length = int.from_bytes(end[:4], "little")
    return _read_at(file, max(size - 10 - length, 0), length)


def _without_length(metadata: bytes) -> bytes:
    """The metadata of a message in a file, without its length before it."""
    return metadata[8:] if metadata.startswith(CONTINUATION) else metadata[4:]


def _read_word(file: IO[bytes], start: int, position: int) -> bytes:
    return _read_at(file, start + position, 8)


def _read_at(file: IO[bytes], position: int, size: int) -> bytes:
    if position < 0 or size < 0:
        raise ArrowError("a position in the index is negative")
    file.seek(position)
    return _read(file, size, "the index or a batch of rows")


def _read(stream: IO[bytes], size: int, what: str) -> bytes:
    data = read_exactly(stream, size)
    if len(data) < size:
        raise ArrowError(f"it ends too early, in {what}")
    return data


class _Fields:
    """The fields of a FlatBuffers table at a position of `data`."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data, self.position = data, position
        self.vtable = position - struct.unpack_from("<i", data, position)[0]
        if self.vtable < 0:
            raise IndexError("the table is outside the message")
        self.size = struct.unpack_from("<H", data, self.vtable)[0]

    def place(self, number: int) -> int | None:
        """The position of a field; None if it has its default value."""
        entry = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, self.vtable + entry)[0] if entry < self.size else 0
        return self.position + offset if offset else None

    def value(self, number: int, form: str) -> int:
        """An integer; 0 is the default."""
        place = self.place(number)
        return 0 if place is None else int(struct.unpack_from(form, self.data, place)[0])

    def table(self, number: int) -> _Fields | None:
        """A table in a field."""
        place = self.place(number)
        return None if place is None else _Fields(self.data, place + struct.unpack_from("<I", self.data, place)[0])

    def tables(self, number: int) -> list[_Fields]:
        """The tables of a vector in a field."""
        if (place := self.place(number)) is None:
            return []
        start = place + struct.unpack_from("<I", self.data, place)[0]
        count = struct.unpack_from("<I", self.data, start)[0]
        places = struct.unpack_from(f"<{count}I", self.data, start + 4)
        return [_Fields(self.data, start + 4 + 4 * i + offset) for i, offset in enumerate(places)]

    def items(self, number: int, form: str) -> Iterator[tuple[int, ...]]:
        """The items of a vector of structures in a field."""
        if (place := self.place(number)) is not None:
            start = place + struct.unpack_from("<I", self.data, place)[0]
            for i in range(struct.unpack_from("<I", self.data, start)[0]):
                yield struct.unpack_from(form, self.data, start + 4 + i * struct.calcsize(form))


def _root(metadata: bytes) -> _Fields:
    return _Fields(metadata, struct.unpack_from("<I", metadata)[0])


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate errors of positions outside a message."""
    try:
        yield
    except (struct.error, IndexError) as error:
        raise ArrowError("a message is damaged") from error


def _kind_and_body(metadata: bytes) -> tuple[int, int]:
    """The kind of a message and the size of its body."""
    message = _root(metadata)
    kind, size = message.value(1, "<B"), message.value(3, "<q")
    if size < 0:
        raise IndexError("the size is negative")
    return kind, size


def _message(kind: int, data: bytes, metadata: bytes, body: bytes) -> Message:
    """The message, if its batch of rows does not grow absurdly."""
    header = _root(metadata).table(2)
    if header is None or kind not in (Kind.DICTIONARY, Kind.BATCH):
        return Message(kind, data)
    if kind == Kind.BATCH:
        _check_growth(header, len(body), lambda place: body[place : place + 8])
        return Message(kind, data)
    if (batch := header.table(1)) is not None:
        _check_growth(batch, len(body), lambda place: body[place : place + 8])
    return Message(kind, data, header.value(0, "<q"), bool(header.value(2, "<B")))


def _check_growth(batch: _Fields, body_size: int, read: Callable[[int], bytes]) -> None:
    """Raise a CompressionError if the compressed buffers of a batch say that they become absurdly large.

    `read(position)` are eight bytes of the body of the batch.
    """
    if batch.place(3) is None:
        return  # not compressed
    limit = SizeLimit(source=body_size)
    for position, size in batch.items(2, BUFFER):
        if size >= 8:
            limit.size += max(int.from_bytes(read(position), "little", signed=True), 0)
    limit.check()
