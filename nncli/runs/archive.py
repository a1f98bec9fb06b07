"""Packing a run directory into bytes in memory, and unpacking it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from nncli.base.atomic_files import batched_fsync, write_bytes
from nncli.runs.manifest import CHECKPOINTS, MANIFEST


def to_bytes(run: Path) -> dict[str, bytes]:
    """The files of a run directory by their relative paths, without checkpoints and hidden files."""
    paths = sorted(path for path in run.rglob("*") if path.is_file())
    named = {path.relative_to(run): path for path in paths}
    return {
        name.as_posix(): path.read_bytes()
        for name, path in named.items()
        if CHECKPOINTS not in name.parts and not any(part.startswith(".") for part in name.parts)
    }


def from_bytes(files: Mapping[str, bytes], run: Path) -> None:
    """Create the run directory from packed files; the manifest is written last.

    Raises:
        FileExistsError: the path exists.
        NncliError: a file cannot be written.
    """
    run.mkdir(parents=True)
    with batched_fsync():
        for name, content in files.items():
            if name != MANIFEST:
                write_bytes(run / name, content)
    write_bytes(run / MANIFEST, files[MANIFEST])
