"""Atomic writing of files: a temporary file, fsync, rename."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from nncli.credentials import has_login
from nncli.errors import Location, NncliError, UsageError

TEMPORARY_SUFFIX = ".nncli-tmp"
LEFTOVER_SECONDS = 60.0
"""Age from which a temporary file or folder that no process has locked counts as left by a process that was killed."""


_pending_folders: ContextVar[set[Path] | None] = ContextVar("_pending_folders", default=None)


@contextmanager
def batched_fsync() -> Iterator[None]:
    """Make the renames inside this block durable at its end, with one fsync per folder; of nested blocks the outer one.

    Raises:
        NncliError: a folder cannot be synced.
    """
    if _pending_folders.get() is not None:
        yield
        return
    folders: set[Path] = set()
    token = _pending_folders.set(folders)
    try:
        yield
    finally:
        _pending_folders.reset(token)
    for folder in folders:
        try:
            sync_folder(folder)
        except OSError as error:
            raise _cannot_write(folder, error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable. Folders cannot be opened on Windows, where this does nothing."""
    pending = _pending_folders.get()
    if pending is not None:
        pending.add(folder)
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
    """Yield a temporary path beside `path`, which is renamed to `path` on success and deleted on failure.

    For writers that need a path, not an open file. A symbolic link is kept: the file that it points to is replaced.

    Raises:
        NncliError: the folder or the file cannot be written (the system's reason is given).
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file() and not path.is_dir():
        with _copy_to_device(path) as temporary:
            yield temporary
        return
    # Also on another machine that shares the folder no other process has this name.
    temporary = path.with_name(f".{path.name}.{token_hex(4)}{TEMPORARY_SUFFIX}")
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
def _copy_to_device(path: Path) -> Iterator[Path]:
    """Like `atomic_path`, for a device or a named pipe, which is written to and not replaced."""
    with open_device(path) as device, tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / path.name
        yield temporary
        with temporary.open("rb") as content:
            shutil.copyfileobj(content, device)


@contextmanager
def open_device(path: Path) -> Iterator[BinaryIO]:
    """Yield a device or a named pipe, open for writing.

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
        location=Location(source=str(path)),
        hint="Check that the folder exists, can be written to, and that the disk is not full.",
    )


@contextmanager
def atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Yield an open binary file that is renamed to `path` if the block succeeds; see `atomic_path`."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        yield file
        file.flush()


@contextmanager
def relabel_errors(before: Path, after: Path) -> Iterator[None]:
    """Replace the temporary folder `before` by the final folder `after` in the location of errors."""
    try:
        yield
    except NncliError as error:
        source = error.location.source if error.location else None
        if error.location and source and Path(source).is_relative_to(before):
            error.location = replace(error.location, source=str(after / Path(source).relative_to(before)))
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_writer(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` atomically, as UTF-8."""
    write_bytes(path, content.encode("utf-8"))


def check_no_login(path: Path) -> None:
    """Raise a UsageError if `path` looks like a mistyped address: a password must not become the name of a file."""
    if has_login(str(path)):
        raise UsageError(
            "the output looks like an address with a password, but is no valid URL",
            location=Location(source=str(path)),
            hint="Correct it, as in postgresql://user:password@host/database; for a local file, choose another name.",
        )


def check_overwrite(path: Path, *, force: bool) -> None:
    """Raise a UsageError if `path` is a folder, looks like an address, or is an existing file without `force`.

    Devices and named pipes may be written to.
    """
    check_no_login(path)
    if path.is_dir():
        raise UsageError(
            "this is a folder, not a file", location=Location(source=str(path)), hint="Name a file inside it."
        )
    if path.is_file() and not force:
        raise UsageError(
            "the file exists already",
            location=Location(source=str(path)),
            hint="Pass --force to replace it, or name another file.",
        )
