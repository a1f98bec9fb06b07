"""Compressed files: .gz, .zst, .bz2 and .xz, detected by their first bytes and decompressed as they are read.

Memory does not grow with the file: a piece is decompressed at a time. A file that grows absurdly is refused, so that a
small file cannot fill the disk; see `MAX_RATIO`.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, cast

from nncli.base.errors import UsageError

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
ZSTD_PIECE = 2 << 10
"""Of .zst, each of which may become 32 kB: the library has no limit to what it returns."""

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


class Compression(ABC):
    """A kind of compression. A subclass is named in COMPRESSIONS."""

    suffix: ClassVar[str]
    magics: ClassVar[tuple[bytes, ...]]
    """The first bytes of a file, one of these."""
    errors: ClassVar[tuple[type[Exception], ...]]
    """What the decoder raises for damaged data."""
    may_repeat: ClassVar[bool] = True
    """Whether a file may have several compressed streams, one after the other."""

    @abstractmethod
    def decoder(self) -> Decoder:
        """A new decoder.

        Raises:
            UsageError: the package for it is not installed.
        """

    @abstractmethod
    def open_writer(self, file: IO[bytes]) -> AbstractContextManager[Writable]:
        """A stream that compresses into `file`; the same content gives the same bytes."""


class Gzip(Compression):
    """Gzip, .gz."""

    suffix = ".gz"
    magics: ClassVar[tuple[bytes, ...]] = (b"\x1f\x8b",)
    errors = (zlib.error,)

    def decoder(self) -> Decoder:
        return _ZlibDecoder(16 + zlib.MAX_WBITS)

    def open_writer(self, file: IO[bytes]) -> AbstractContextManager[Writable]:
        # No name and no time in the header, which would differ from run to run.
        return gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0)


class Deflate(Gzip):
    """The compression of .gz without a header, as in blocks of Avro."""

    magics = ()
    may_repeat = False

    def decoder(self) -> Decoder:
        return _ZlibDecoder(-zlib.MAX_WBITS)


class Zstandard(Compression):
    """Zstandard, .zst; needs the extra `zstd`."""

    suffix = ".zst"
    magics = (b"\x28\xb5\x2f\xfd", *(bytes([k]) + b"\x2a\x4d\x18" for k in range(0x50, 0x60)))
    """Those of a frame, and of frames to be skipped."""
    errors = (Exception,)  # zstandard.ZstdError, once the package is known to be there

    def decoder(self) -> Decoder:
        with _zstandard_required():
            from zstandard import ZstdDecompressor
        return _ZstdDecoder(ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj())

    def open_writer(self, file: IO[bytes]) -> AbstractContextManager[Writable]:
        with _zstandard_required():
            from zstandard import ZstdCompressor
        writer = ZstdCompressor(level=3, write_checksum=True).stream_writer(file, closefd=False)
        return cast("AbstractContextManager[Writable]", writer)


class Bzip2(Compression):
    """Bzip2, .bz2."""

    suffix = ".bz2"
    magics = tuple(b"BZh%d%b" % (k, block) for k in range(1, 10) for block in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"))
    """The latter are those of an empty file."""
    errors = (OSError, ValueError)

    def decoder(self) -> Decoder:
        return bz2.BZ2Decompressor()

    def open_writer(self, file: IO[bytes]) -> AbstractContextManager[Writable]:
        return cast("AbstractContextManager[Writable]", bz2.BZ2File(file, "wb"))


class Xz(Compression):
    """XZ, .xz."""

    suffix = ".xz"
    magics = (b"\xfd7zXZ\0",)
    errors = (lzma.LZMAError,)

    def decoder(self) -> Decoder:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW)

    def open_writer(self, file: IO[bytes]) -> AbstractContextManager[Writable]:
        return cast("AbstractContextManager[Writable]", lzma.LZMAFile(file, "wb", preset=6))


COMPRESSIONS: tuple[Compression, ...] = (Gzip(), Zstandard(), Bzip2(), Xz())
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


@contextmanager
def _zstandard_required() -> Iterator[None]:
    """Raise a UsageError with the install command if the package zstandard cannot be imported."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            ".zst needs the package zstandard, which is not installed", hint="pip install 'nncli-train[zstd]'"
        ) from error


@dataclass
class SizeLimit:
    """Refuses data that grows absurdly: `source` is the number of compressed bytes so far, `size` of the others."""

    source: int = 0
    size: int = 0

    def check(self) -> None:
        """Raise a CompressionError if the ratio is beyond MAX_RATIO, and the size beyond FREE_BYTES."""
        if self.size > FREE_BYTES and self.size > MAX_RATIO * self.source:
            raise GrowthError(f"it becomes more than {MAX_RATIO:,} times as large")


class DecompressedStream(io.RawIOBase):
    """The decompressed bytes of a stream: one or more streams of the same compression, one after the other.

    Raises:
        CompressionError: while reading.
    """

    def __init__(self, stream: IO[bytes], compression: Compression) -> None:
        self._stream, self._compression = stream, compression
        self._decoder = compression.decoder()
        self._limit = SizeLimit()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        while view:
            data = b""
            if self._decoder.eof:
                if not self._compression.may_repeat or not (data := self._next_member()):
                    return 0
                self._decoder = self._compression.decoder()
            elif self._decoder.needs_input and not (data := self._read()):
                raise CompressionError("it ends too early")
            try:
                piece = self._decoder.decompress(data, len(view))
            except self._compression.errors as error:
                raise CompressionError(str(error)) from error
            if not piece and not data and not self._decoder.eof and not self._decoder.needs_input:
                raise CompressionError("it cannot be decompressed")  # the decoder would wait for itself
            if piece:
                self._limit.size += len(piece)
                self._limit.check()
                view[: len(piece)] = piece
                return len(piece)
        return 0

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


class _ZstdDecoder:
    """A decoder of one frame of a .zst, which gives its decoder little at a time, as that has no limit of its own."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._input, self._output = memoryview(b""), memoryview(b"")

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof) and not self._output

    @property
    def needs_input(self) -> bool:
        return not self._output and not self._input

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + bytes(self._input)

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        if data:
            self._input = memoryview(data)
        if not self._output:
            pieces, size = [], 0
            while size < PIECE and self._input and not self._frame.eof:
                piece, self._input = self._input[:ZSTD_PIECE], self._input[ZSTD_PIECE:]
                pieces.append(self._frame.decompress(piece))
                size += len(pieces[-1])
            self._output = memoryview(b"".join(pieces))
        cut = len(self._output) if max_length < 0 else max_length
        piece, self._output = self._output[:cut], self._output[cut:]
        return bytes(piece)
