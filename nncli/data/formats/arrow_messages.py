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
from typing import IO

from nncli.data.formats.compression import SizeLimit
from nncli.data.formats.streams import read_exactly

FILE_MAGIC = b"ARROW1"
CONTINUATION = b"\xff\xff\xff\xff"
END_OF_STREAM = CONTINUATION + bytes(4)
BLOCK, BUFFER = "<qi4xq", "<qq"
"""Structures: position, size of the metadata and of the body of a batch in a file; position and size of a buffer."""


class MessageType(IntEnum):
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
    if header is None or kind not in (MessageType.DICTIONARY, MessageType.BATCH):
        return Message(kind, data)
    if kind == MessageType.BATCH:
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
