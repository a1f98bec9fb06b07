"""Files that are either whole or not there: written under a temporary name, fsynced, renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from nncli.errors import Location, NncliError, UsageError

TEMPORARY_SUFFIX = ".nncli-tmp"


_waiting: ContextVar[set[Path] | None] = ContextVar("_waiting", default=None)


@contextmanager
def batched_fsync() -> Iterator[None]:
    """Make the renames of this block durable at its end, each folder once: a disk takes its time over every fsync.

    Raises:
        NncliError: a folder cannot be synced.
    """
    folders: set[Path] = set()
    token = _waiting.set(folders)
    try:
        yield
    finally:
        _waiting.reset(token)
    for folder in folders:
        try:
            sync_folder(folder)
        except OSError as error:
            raise _cannot_write(folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable. Folders cannot be opened on Windows, where this does nothing."""
    waiting = _waiting.get()
    if waiting is not None:
        waiting.add(folder)
        return
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes the name `path`, on failure it goes.

    For writers that want a path rather than an open file. A symbolic link stays one: the file it names is replaced.

    Raises:
        NncliError: the folder or the file cannot be written (the system's reason is given).
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with _passing_on(path) as temporary:
            yield temporary
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise _cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def _passing_on(path: Path) -> Iterator[Path]:
    """As `replacing`, for a device or a named pipe: it is written to, and stays what it is."""
    with open_device(path) as device, tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with temporary.open("rb") as content:
            shutil.copyfileobj(content, device)


@contextmanager
def open_device(path: Path) -> Iterator[BinaryIO]:
    """Yield a device or a named pipe, open to be written to as it is.

    Raises:
        NncliError: it cannot be written to (the system's reason is given).
    """
    try:
        with path.open("wb") as device:
            yield device
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> NncliError:
    return NncliError(
        f"cannot write the file: {error.strerror or error}",
        place=Location(source=str(path)),
        hint="Check that the folder exists, can be written to, and that the disk is not full.",
    )


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Yield an open binary file that takes the name `path` when the block ends well; see `replacing`."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file
        file.flush()


@contextmanager
def relabel_errors(before: Path, after: Path) -> Iterator[None]:
    """Let errors about the folder `before`, a temporary name, speak of the folder `after` that the person asked for."""
    try:
        yield
    except NncliError as error:
        source = error.location.source if error.location else None
        if error.location and source and Path(source).is_relative_to(before):
            error.location = replace(error.location, source=str(after / Path(source).relative_to(before)))
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_writer(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def check_overwrite(path: Path, *, force: bool) -> None:
    """Raise a UsageError when `path` is a folder, or a file that exists and `force` was not given.

    Devices and named pipes are there to be written to.
    """
    if path.is_dir():
        raise UsageError(
            "this is a folder, not a file", place=Location(source=str(path)), hint="Name a file inside it."
        )
    if path.is_file() and not force:
        raise UsageError(
            "the file exists already",
            place=Location(source=str(path)),
            hint="Pass --force to replace it, or name another file.",
        )


def check_not_input(source: Path | None, target: Path | None) -> None:
    """Raise a UsageError when `target`, about to be written, is the very file that is read."""
    if source and target and target.is_file() and source.exists() and target.samefile(source):
        raise UsageError(
            "the output would replace the table that it is made from",
            place=Location(source=str(target)),
            hint="Name another file with -o.",
        )
