"""The header and the blocks of an Avro file.

The layout is that of https://avro.apache.org/docs/1.12.0/specification/#object-container-files. Blocks are decompressed
here, to a limit.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from nncli.data.formats.compression import Bzip2, DecompressedStream, Deflate, SizeLimit, Xz, Zstandard

MAGIC = b"Obj\x01"
SYNC = 16
"""Bytes of the marker behind each block."""
PIECE = 16 << 20
"""Bytes that are read or decompressed at a time, so that a wrong length does not reserve memory."""
UNCHANGED = ("null", "snappy")
"""Codecs of blocks that are left to Polars."""
CODECS = {"deflate": Deflate(), "bzip2": Bzip2(), "xz": Xz(), "zstandard": Zstandard()}
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
    pieces, missing = [], size
    while missing and (piece := stream.read(min(missing, PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise AvroError("it ends too early")
    return b"".join(pieces)


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
