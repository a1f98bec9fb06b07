"""Compressed files: .gz, .zst, .bz2 and .xz, detected by their first bytes and decompressed as they are read.

Memory does not grow with the file: a piece is decompressed at a time. A file that grows absurdly is refused, so that a
small file cannot fill the disk; see `MAX_RATIO`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import zlib
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from nncli.base.errors import extra_required

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_RATIO = 4_000
"""Largest ratio of the decompressed to the compressed size, beyond FREE_BYTES. A .gz can reach 1,032. A table of which
a byte stands for 4,000 repeats itself from end to end."""
FREE_BYTES = 256 << 20
"""Decompressed size up to which any ratio is allowed."""
MAX_WINDOW = 256 << 20
"""Most memory for decompressing, which a file asks for in its header: the largest that `zstd --long=28` and xz need."""
PIECE = 64 << 10
"""Compressed bytes that are read at a time."""

Writable: TypeAlias = "IO[bytes] | gzip.GzipFile"


class CompressionError(Exception):
    """A compressed file is damaged, truncated, or grows absurdly."""


class GrowthError(CompressionError):
    """A compressed file grows absurdly."""


class Decoder(Protocol):
    """Decompresses one stream of bytes, as `bz2.BZ2Decompressor` does."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


@dataclass(frozen=True)
class Compression:
    """A kind of compression, of files with this suffix.

    `magics` are the first bytes of a file, one of them; `errors` what the decoder raises for damaged data. A file has
    one or more compressed streams, one after the other. `decoder` makes a new decoder, and `open_writer` a stream that
    compresses into a file, with the same bytes for the same content.
    """

    suffix: str
    magics: tuple[bytes, ...]
    errors: tuple[type[Exception], ...]
    decoder: Callable[[], Decoder]
    open_writer: Callable[[IO[bytes]], Any]


class _ZlibDecoder:
    """A decoder of the module zlib; for `wbits` see there."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)
        self._has_more = False
        """Whether the last output was as long as it may be, so that there may be more of it."""

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._has_more and not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        piece = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self._has_more = len(piece) == max_length
        return piece


NO_ZSTANDARD = ".zst needs the package backports.zstd, which is not installed"


def _zstd() -> Any:
    """The module for Zstandard, which Python has from 3.14 on."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        with extra_required("zstd", NO_ZSTANDARD):
            from backports import zstd
    return zstd


def _zstd_decoder() -> Decoder:
    zstd = _zstd()
    window_log = MAX_WINDOW.bit_length() - 1
    decoder: Decoder = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})
    return decoder


def _zstd_writer(file: IO[bytes]) -> Any:
    zstd = _zstd()
    parameter = zstd.CompressionParameter
    return zstd.ZstdFile(file, "wb", options={parameter.compression_level: 3, parameter.checksum_flag: 1})


GZIP = Compression(
    ".gz",
    (b"\x1f\x8b",),
    (zlib.error,),
    partial(_ZlibDecoder, 16 + zlib.MAX_WBITS),
    # No name and no time in the header, which would differ from run to run.
    lambda file: gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0),
)
ZSTANDARD = Compression(
    ".zst",
    # Those of a frame, and of frames to be skipped.
    (b"\x28\xb5\x2f\xfd", *(bytes([k]) + b"\x2a\x4d\x18" for k in range(0x50, 0x60))),
    (Exception,),  # ZstdError, once the package is known to be there
    _zstd_decoder,
    _zstd_writer,
)
BZIP2 = Compression(
    ".bz2",
    # The latter are those of an empty file.
    tuple(b"BZh%d%b" % (k, block) for k in range(1, 10) for block in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")),
    (OSError, ValueError),
    bz2.BZ2Decompressor,
    partial(bz2.BZ2File, mode="wb"),
)
XZ = Compression(
    ".xz",
    (b"\xfd7zXZ\0",),
    (lzma.LZMAError,),
    partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, memlimit=MAX_WINDOW),
    partial(lzma.LZMAFile, mode="wb", preset=6),
)
COMPRESSIONS = (GZIP, ZSTANDARD, BZIP2, XZ)
SUFFIXES = tuple(compression.suffix for compression in COMPRESSIONS)


def detect_compression(head: bytes) -> Compression | None:
    """The compression of a file that begins with these bytes.

    Raises:
        CompressionError: they are the whole file, and the beginning of a compressed one: it was cut off.
    """
    for compression in COMPRESSIONS:
        if head.startswith(compression.magics):
            return compression
        if head and any(magic.startswith(head) for magic in compression.magics):
            raise CompressionError(f"it begins as a {compression.suffix} file and is cut off after {len(head)} bytes")
    return None


def compression_of(suffix: str) -> Compression | None:
    """The compression that the last suffix of a file name stands for."""
    return next((compression for compression in COMPRESSIONS if compression.suffix == suffix.lower()), None)


@dataclass
class SizeLimit:
    """Refuses data that grows absurdly: `source` is the number of compressed bytes so far, `size` of the others."""

    source: int = 0
    size: int = 0

    def check(self) -> None:
        """Raise a CompressionError if the ratio is beyond MAX_RATIO, and the size beyond FREE_BYTES."""
        if self.size > FREE_BYTES and self.size > MAX_RATIO * self.source:
            raise GrowthError(f"it becomes more than {MAX_RATIO:,} times as large")


class ByteStream(io.RawIOBase):
    """A stream of bytes that are made as they are read."""

    @abstractmethod
    def next_bytes(self, size: int) -> bytes:
        """The next bytes, at most `size` of them; none at the end."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self.next_bytes(len(view)) if view else b""
        view[: len(data)] = data
        return len(data)


class DecompressedStream(ByteStream):
    """The decompressed bytes of a stream: one or more streams of the same compression, one after the other.

    Raises:
        CompressionError: while reading.
    """

    def __init__(self, stream: IO[bytes], compression: Compression) -> None:
        self._stream, self._compression = stream, compression
        self._decoder = compression.decoder()
        self._limit = SizeLimit()

    def next_bytes(self, size: int) -> bytes:
        while True:
            data = b""
            if self._decoder.eof:
                if not (data := self._next_member()):
                    return b""
                self._decoder = self._compression.decoder()
            elif self._decoder.needs_input and not (data := self._read()):
                raise CompressionError("it ends too early")
            try:
                piece = self._decoder.decompress(data, size)
            except self._compression.errors as error:
                raise CompressionError(str(error)) from error
            if piece:
                self._limit.size += len(piece)
                self._limit.check()
                return piece
            if not data and not self._decoder.eof and not self._decoder.needs_input:
                raise CompressionError("it cannot be decompressed")  # the decoder would wait for itself

    def _read(self) -> bytes:
        data = self._stream.read(PIECE)
        self._limit.source += len(data)
        return data

    def _next_member(self) -> bytes:
        """The first bytes after the end of a stream, without zeros between the streams."""
        data = self._decoder.unused_data.lstrip(b"\0")
        while not data:
            if not (data := self._read()):
                return b""
            data = data.lstrip(b"\0")
        return data
