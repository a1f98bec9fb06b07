"""The check of the path of a new run directory."""

from __future__ import annotations

import os
from pathlib import Path

from nncli.errors import Location, UsageError


def check_run_name(requested: Path) -> None:
    """Raise a UsageError unless `requested` can be the path of a new run directory; see `Run.create`."""
    if requested.name in ("", ".."):
        raise UsageError(
            "this folder exists, and a run is never put into a folder that does",
            location=Location(source=str(requested)),
            hint="Name a new folder, such as runs/first.",
        )
    if "\0" in str(requested):
        raise UsageError(
            "a path cannot have the character U+0000",
            location=Location(source=str(requested)),
            hint="Name another one with -o.",
        )
    try:
        str(requested).encode()
    except UnicodeEncodeError:
        raise UsageError(
            "the run directory's name is not UTF-8 text",
            location=Location(source=os.fsencode(requested).decode("utf-8", "backslashreplace")),
            hint="Name another one with -o.",
        ) from None
