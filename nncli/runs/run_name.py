"""The check of the path of a new run directory, and what to say of a path that is not a run directory."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from nncli.base.atomic_files import check_no_login
from nncli.base.errors import Location, RunError, UsageError
from nncli.base.text import join_quoted, quote
from nncli.runs.filenames import MANIFEST, SEARCH


def check_run_name(requested: Path) -> None:
    """Raise a UsageError unless `requested` can be the path of a new run directory; see `Run.create`."""
    check_no_login(requested)
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


def why_not_a_directory(path: Path) -> str:
    """Why a path is not a directory: it does not exist, is a file, or a link to nothing."""
    if not os.path.lexists(path):
        return "there is no such run directory"
    try:
        path.stat()
    except OSError:
        return f"this is a link to {quote(str(path.readlink()))}, which does not exist"
    return "this is a file, not a run directory"


def runs_in(path: Path) -> str:
    """The hint for a folder that is not a run directory: the runs in it, if any."""
    try:
        runs = sorted(inner.name for inner in path.iterdir() if os.path.lexists(inner / MANIFEST))
    except OSError:
        runs = []
    return (
        f"Name one of the runs in it: {join_quoted(runs)}."
        if runs
        else "Is this the right path? `nncli runs` lists the runs there are."
    )


def is_search(path: Path) -> bool:
    """Whether the folder holds a search, finished or not."""
    return os.path.lexists(path / SEARCH)


def check_is_no_search(path: Path) -> None:
    """Raise a RunError that says what to name instead, if the folder holds a search."""
    if is_search(path):
        folder = shlex.quote(str(path))
        raise RunError(
            "this is a search of hyperparameters, not a run",
            location=Location(source=str(path)),
            hint=f"`nncli train {folder}/best.yaml` trains the best configuration; `nncli runs {folder}/trials` lists "
            "the trials.",
        )
