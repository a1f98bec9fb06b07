"""Open a file, also a compressed one, a pipe or standard input as bytes, and translate errors of reading."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import stat
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO

import polars

from nncli.base.errors import Advice, DataError, Location, NameAsText, NncliError, SetKey, reraise_out_of_memory
from nncli.base.text import closest_file, quote
from nncli.data.formats.compression import (
    ByteStream,
    CompressionError,
    DecompressedStream,
    GrowthError,
    compression_of,
    detect_compression,
)

HEAD_BYTES = 16
"""First bytes of a stream by which its compression and format are detected."""
PIECE = 16 << 20
"""Bytes that are read at a time."""
PARQUET_MAGIC = b"PAR1"
UTF8_BOM = b"\xef\xbb\xbf"
STANDARD_INPUT = "standard input"
# PanicException, an internal error of Polars, is not a subclass of Exception.
POLARS_ERRORS = (polars.exceptions.PolarsError, polars.exceptions.PanicException)
DAMAGE_ERRORS: tuple[type[BaseException], ...] = (
    *POLARS_ERRORS,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    struct.error,
)
"""What libraries raise for bytes that contradict themselves, of which no documentation of theirs has a list."""
ENCODING = SetKey("data.encoding", "latin-1")
NOT_TEXT = Advice("If it is text, ", NameAsText(), ".")
UTF8_HINT = Advice(
    "Save the file as UTF-8 ('CSV UTF-8' in a spreadsheet), or, for a CSV, use its encoding, such as ", ENCODING, "."
)


def name_of(path: Path | None) -> str:
    """The name of `path` in messages; None stands for standard input."""
    return STANDARD_INPUT if path is None else str(path)


def is_stream(path: Path | None) -> bool:
    """Whether `path` can be read only once: standard input, a named pipe or a device."""
    return path is None or (path.exists() and not path.is_file() and not path.is_dir())


def _is_endless(path: Path | None) -> bool:
    """Whether a path, or standard input, is a device such as /dev/zero: no terminal, and not empty as /dev/null."""
    try:
        status = os.fstat(sys.stdin.fileno()) if path is None else path.stat()
        is_device = stat.S_ISCHR(status.st_mode) and not os.path.samestat(status, Path(os.devnull).stat())
        if not is_device:
            return False
        if path is None:
            return not sys.stdin.isatty()
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError, AttributeError):  # there is no standard input, or none with a number
        return False
    try:
        return not os.isatty(descriptor)
    finally:
        os.close(descriptor)


def missing_file_hint(path: Path) -> str:
    """The hint for a missing file: the closest name in its folder, or that the folder is missing."""
    with suppress(OSError):
        close = closest_file(path.name, (file.name for file in path.parent.iterdir()))
        return f"Did you mean {quote(close)}?" if close else "Check the name and the folder."
    return f"The folder {str(path.parent)!r} does not exist."


@contextmanager
def translate_os_errors(path: Path | None, name: str | None = None) -> Iterator[None]:
    """Translate OS errors of reading `path`, which messages call `name`, to DataErrors."""
    place = Location(source=name or name_of(path))
    try:
        if path is not None and path.is_dir():
            raise DataError("this is a folder, not a file", location=place, hint="Name a file inside it.")
        if _is_endless(path):
            raise DataError("this is a device, which never ends", location=place, hint="Name a file or a pipe.")
        yield
    except FileNotFoundError as error:
        raise DataError("there is no such file", location=place, hint=missing_file_hint(path or Path())) from error
    except PermissionError as error:
        raise DataError(
            "permission to read the file is denied",
            location=place,
            hint="Change its permissions, or copy it to a folder of yours.",
        ) from error
    except GrowthError as error:
        raise DataError(
            f"the compressed file is refused: {error}",
            location=place,
            hint="Such a table repeats itself from end to end. If it is what you want, decompress it first.",
        ) from error
    except CompressionError as error:
        raise DataError(
            f"the compressed file is damaged or truncated ({error})", location=place, hint="Copy or download it again."
        ) from error
    except OSError as error:
        reraise_out_of_memory(error)
        raise DataError(f"the file cannot be read: {error.strerror or error}", location=place) from error


@contextmanager
def translate_damage(
    what: str, source: str, *errors: type[BaseException], hint: str = "Write or copy it again."
) -> Iterator[None]:
    """Translate `errors`, and those that libraries raise for damaged bytes, to DataErrors; `what` is the kind of file.

    The block holds the calls of a library and what reads the bytes, and no more: else mistakes of other code would be
    called damage.
    """
    try:
        yield
    except NncliError:
        raise
    except errors + DAMAGE_ERRORS as error:
        reraise_out_of_memory(error)
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{what} is damaged or not supported: {reason}", location=Location(source=source), hint=hint
        ) from error


class ReplayStream(ByteStream):
    """A stream that replays bytes already read, `head`, before the rest of `stream`. It does not close `stream`."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        self.head = head
        self.stream = stream

    def next_bytes(self, size: int) -> bytes:
        data, self.head = self.head[:size], self.head[size:]
        return data or self.stream.read(size)


@contextmanager
def open_input(path: Path | None, name: str | None = None) -> Iterator[tuple[bytes, IO[bytes]]]:
    """Yield the first bytes of `path` (None: standard input) and a stream of all its bytes, decompressed.

    Compression is detected from the content, not the name; but a file of no bytes with the name of a compressed one
    was cut off.

    Raises:
        DataError: the file is missing, a folder, not readable, or damaged; may also be raised while reading.
        UsageError: a package for the compression is missing.
    """
    with translate_os_errors(path, name), ExitStack() as stack:
        file = sys.stdin.buffer if path is None else stack.enter_context(path.open("rb"))
        yield decompress(file, name or name_of(path))


def decompress(stream: IO[bytes], name: str) -> tuple[bytes, IO[bytes]]:
    """The first bytes of a stream, of a file of this name, and a stream of all its bytes, decompressed if need be.

    Raises:
        CompressionError: a compressed file is cut off within its first bytes.
    """
    head, stream = peek(stream)
    if not head and compression_of(suffix := PurePath(name.partition("?")[0]).suffix):
        raise CompressionError(f"it has no bytes, which is no {suffix.lower()} file: it is cut off")
    compression = detect_compression(head)
    return (head, stream) if compression is None else peek(io.BufferedReader(DecompressedStream(stream, compression)))


def peek(stream: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    """The first HEAD_BYTES of `stream` (fewer if it is shorter) and a stream that begins with them."""
    head = stream.read(HEAD_BYTES)
    if isinstance(stream, io.BufferedReader) and stream.seekable():
        stream.seek(-len(head), io.SEEK_CUR)
        return head, stream
    return head, io.BufferedReader(ReplayStream(head, stream))


def read_exactly(stream: IO[bytes], size: int) -> bytes:
    """The next bytes of a stream, fewer at its end. A wrong size does not reserve memory."""
    pieces, missing = [], size
    while missing > 0 and (piece := stream.read(min(missing, PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def wrong_format(message: str, head: bytes, source: str, hint: str = NOT_TEXT) -> DataError:
    """The error of a file that begins with these bytes, which are not those of the format that its name says."""
    place = Location(source=source)
    return DataError(message, location=place, hint=hint) if head else DataError("the file is empty", location=place)


@contextmanager
def to_temporary_file(stream: IO[bytes]) -> Iterator[Path]:
    """Yield a temporary file with the bytes of a stream, for readers that need to seek."""
    with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
        copy = Path(folder, "table")
        with copy.open("wb") as file:
            shutil.copyfileobj(stream, file)
        yield copy


def digest(path: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal.

    Raises:
        DataError: the file cannot be read.
    """
    with translate_os_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


WEB_URL_QUERY = re.compile(r"\A(https?://[^?#]*+)[?#].*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class InputFile:
    """A file at `path` (None: standard input); `name` is that of messages, and its suffix that of the format.

    They differ for a local copy of a table that is elsewhere.
    """

    path: Path | None
    name: str

    @classmethod
    def of(cls, path: Path | None) -> InputFile:
        """The file at a path that the user gave."""
        return cls(path, name_of(path))

    @property
    def is_stream(self) -> bool:
        """Whether the file can be read only once: standard input, a named pipe or a device."""
        return is_stream(self.path)

    @property
    def pure_path(self) -> PurePath | None:
        """The name as a path; None for standard input."""
        return None if self.path is None else path_of(self.name)


def path_of(name: str) -> PurePath:
    """The name of a file as a path; of a URL of the web without its query.

    >>> path_of("https://example.org/table.csv?version=1.2").name
    'table.csv'
    """
    return PurePath(WEB_URL_QUERY.sub(r"\1", name))
