"""The standard streams of the process, of which any may be closed."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from nncli.base.errors import NncliError

if TYPE_CHECKING:
    from typing_extensions import Buffer

DESCRIPTORS = (0, 1, 2)


class _ClosedOutput(io.TextIOBase):
    """Stands in for a closed standard output: every write is an error, since the data would be lost."""

    @property
    def buffer(self) -> _ClosedOutput:
        """The binary stream."""
        return self

    def write(self, data: Any) -> NoReturn:
        """Raise an NncliError."""
        raise NncliError(
            "standard output is closed, so the result cannot be written",
            hint="Redirect it to a file or to /dev/null.",
        )


class _WholeWrites(io.BufferedIOBase):
    """Writes everything at once, however often a signal interrupts it.

    With PYTHONUNBUFFERED, Python writes to the descriptor directly, and drops what an interrupted write left over.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self.raw = raw

    def write(self, data: Buffer) -> int:
        """Write all bytes of `data`."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            written = self.raw.write(rest)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), length - len(rest))
            rest = rest[written:]
        return length

    def writable(self) -> bool:
        """Whether the stream can be written to."""
        return self.raw.writable()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.raw.isatty()

    def fileno(self) -> int:
        """The descriptor."""
        return self.raw.fileno()


def prepare_standard_streams() -> None:
    """Replace closed and unbuffered standard streams, and let unencodable characters be written as escapes.

    A closed descriptor is opened on the null device: otherwise the next file to be opened would get its number, and a
    library that prints to stderr would write into that file.
    """
    for descriptor in DESCRIPTORS:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is `descriptor`
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - open until the process ends
    if os.name == "posix" and _is_descriptor_2(sys.stderr):  # see nncli/base/native_stderr.py
        sys.stderr.flush()
        sys.stderr = open(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding)  # noqa: SIM115, PTH123
    sys.stdout, sys.stderr = _with_whole_writes(sys.stdout), _with_whole_writes(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # instead of UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (OSError, ValueError, AttributeError):
        return False


def _with_whole_writes(stream: Any) -> Any:
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(_WholeWrites(raw), stream.encoding, stream.errors, write_through=True)


def check_standard_output() -> None:
    """Raise an NncliError if the standard output is closed, before a long computation of what it would get."""
    if isinstance(sys.stdout, _ClosedOutput):
        sys.stdout.write("")
