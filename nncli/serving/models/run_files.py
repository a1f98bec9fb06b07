"""What the files of a run directory look like from outside, to notice that it was replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from nncli.runs.filenames import HELD_OUT, MANIFEST, MEMBERS, MODEL, WEIGHTS

FileStates: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Name, device, inode, size and time of the last change of each file, sorted."""


def file_states(run: Path) -> FileStates:
    """The states of the files that a model is read from; empty if there is no manifest.

    They change when the directory is replaced, when a link leads to another one, and when a file is written.
    """
    if not os.path.lexists(run / MANIFEST):
        return ()
    folders = [str(run)]
    with suppress(OSError):  # no ensemble
        folders += sorted(entry.path for entry in os.scandir(run / MEMBERS))
    files = [os.path.join(folder, name) for folder in folders for name in (MANIFEST, MODEL, WEIGHTS, HELD_OUT)]  # noqa: PTH118
    return tuple(state for file in files for state in _state(file))


def _state(file: str) -> FileStates:
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return ()
    return ((file, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns),)
