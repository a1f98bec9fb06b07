"""Programs of other runtimes, which run an exported file: Node, compilers, Python, a browser."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from nncli.base.errors import NncliError

SECONDS = 600.0
"""Longest time that a program may take."""
MAX_LINES = 5
"""Lines of a program's messages that an error shows."""


class ExportedFileError(NncliError):
    """An exported file that a runtime refused, or that ended with an error."""


def run_program(
    command: Sequence[str | Path], *, stdin: bytes = b"", folder: Path | None = None, seconds: float = SECONDS
) -> bytes:
    """The standard output of a program that reads `stdin`, in the working directory `folder`.

    Raises:
        ExportedFileError: it did not start, ended with an error, or took too long.
    """
    name = os.path.basename(command[0])  # noqa: PTH119 - of a name or a path
    try:
        done = subprocess.run(
            [str(word) for word in command], input=stdin, capture_output=True, cwd=folder, timeout=seconds, check=False
        )
    except OSError as error:
        raise ExportedFileError(f"{name} did not start: {error.strerror or error}") from error
    except subprocess.TimeoutExpired:
        raise ExportedFileError(f"{name} took more than {seconds:g} seconds") from None
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        message = "\n".join(f"    {line}" for line in lines[:MAX_LINES]) or "    it printed no message"
        raise ExportedFileError(f"{name} ended with code {done.returncode}:\n{message}")
    return done.stdout
