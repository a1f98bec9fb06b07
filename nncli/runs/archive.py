"""A trained run directory as bytes in memory, and those as a directory again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nncli.runs.manifest import CHECKPOINTS, MANIFEST
from nncli.utils.atomic_files import batched_fsync, write_bytes


def to_bytes(run: Path) -> dict[str, bytes]:
    """The files of a run directory by their paths within it, without what only serves to go on training."""
    paths = sorted(path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run): path for path in paths}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in named.items()
        if CHECKPOINTS not in name.parts and not any(part.startswith(".") for part in name.parts)
    }


def from_bytes(files: Mapping[str, bytes], run: Path) -> None:
    """Make the directory `run`, which is not there yet, of packed files; the manifest, which makes it one, comes last.

    Raises:
        FileExistsError: there is something of that name.
        NncliError: a file cannot be written.
    """
    run.mkdir(parents=True)
    with batched_fsync():
        for name, content in files.items():
            if name != MANIFEST:
                write_bytes(run / name, content)
    write_bytes(run / MANIFEST, files[MANIFEST])
