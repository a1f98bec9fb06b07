"""What the files of a run directory look like from outside, to notice that it was replaced."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from nncli.runs.filenames import CROSS_VALIDATION, FOLDS, HELD_OUT, MANIFEST, MEMBERS, MODEL, WEIGHTS

FileStates: TypeAlias = tuple[tuple[str, int, int, int, int], ...]
"""Name, device, inode, size and time of the last change of each file, sorted."""


def file_states(run: Path) -> FileStates:
    """The states of the files that a model is read from; empty if there is no run.

    They change when the directory is replaced, when a link leads to another one, and when a file is written.
    """
    if not os.path.lexists(run / MANIFEST) and not os.path.lexists(run / CROSS_VALIDATION):
        return ()
    folds = _folders(str(run), FOLDS)
    folders = [str(run), *folds, *(member for folder in (str(run), *folds) for member in _folders(folder, MEMBERS))]
    names = (MANIFEST, CROSS_VALIDATION, MODEL, WEIGHTS, HELD_OUT)
    files = [os.path.join(folder, name) for folder in folders for name in names]  # noqa: PTH118
    return tuple(state for file in files for state in _state(file))


def _folders(folder: str, name: str) -> list[str]:
    """The folders of the members of an ensemble, or of the folds of a cross-validation; none of another run."""
    try:
        return sorted(entry.path for entry in os.scandir(os.path.join(folder, name)))  # noqa: PTH118
    except OSError:
        return []


def _state(file: str) -> FileStates:
    try:
        found = os.stat(file)  # noqa: PTH116
    except OSError:
        return ()
    return ((file, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns),)
