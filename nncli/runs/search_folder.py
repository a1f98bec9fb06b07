"""The directory of a search of hyperparameters, for what reads runs."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from nncli.base.errors import Location, RunError
from nncli.runs.filenames import SEARCH


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
