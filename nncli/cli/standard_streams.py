"""The standard streams of the process, of which any may be closed."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from nncli.errors import NncliError

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


def prepare_standard_streams() -> None:
    """Replace closed standard streams, and let unencodable characters be written as escapes.

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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # instead of UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")


def check_standard_output() -> None:
    """Raise an NncliError if the standard output is closed, before a long computation of what it would get."""
    if isinstance(sys.stdout, _ClosedOutput):
        sys.stdout.write("")
