"""Removing the directory of trainings none of which could start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nncli.base.errors import ConfigError, DataError


@contextmanager
def removed_if_untrained(path: Path, tasks: str, parent: Path) -> Iterator[None]:
    """Remove a new directory after an error of the configuration or the table, unless a training has started in it.

    `tasks` is the pattern of the trainings' folders in `path`. Empty folders between it and `parent`, which existed
    before, are removed too.
    """
    path = path.absolute()
    try:
        yield
    except (ConfigError, DataError):
        if not any(path.glob(tasks)):
            shutil.rmtree(path, ignore_errors=True)
            with suppress(OSError, ValueError):  # a folder is not empty, or the path goes through ..
                for folder in path.parents[: path.parents.index(parent.absolute())]:
                    folder.rmdir()
        raise
