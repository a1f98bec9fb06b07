"""Atomic writing of files: a temporary file that is locked, fsync, rename."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import IO, BinaryIO

from nncli.base.credentials import has_login
from nncli.base.errors import Advice, Location, NncliError, UsageError, UseOption

if sys.platform != "win32":
    import fcntl

TEMPORARY_SUFFIX = ".nncli-tmp"
TEMPORARY_NAME = re.compile(rf"\..+\.[0-9a-f]{{8}}([0-9a-f]{{4}})?{re.escape(TEMPORARY_SUFFIX)}", re.DOTALL)
"""The names of files and folders that are renamed when they are whole."""
FOLDER_LOCK = ".lock"
"""The file in a temporary folder that its process has locked."""
LEFTOVER_SECONDS = 60.0
"""Age from which what may not be locked yet counts as left by a process that was killed."""

_cleared_folders: set[Path] = set()

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
def atomic_writer(path: Path, *, in_place: bool = False) -> Iterator[BinaryIO]:
    """Yield an open binary file beside `path`, which is renamed to `path` on success and deleted on failure.

    A symbolic link is kept: the file that it points to is replaced. A device or a named pipe is written to. With
    `in_place` the file replaces a link, a device or a pipe: in a run, others may have put them there.

    Raises:
        NncliError: the folder or the file cannot be written (the system's reason is given).
    """
    path = Path(os.path.realpath(path.parent), path.name) if in_place else Path(os.path.realpath(path))
    if not in_place and path.exists() and not path.is_file() and not path.is_dir():
        with tempfile.TemporaryFile() as content, open_device(path) as device:
            yield content
            content.seek(0)
            shutil.copyfileobj(content, device)
        return
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_once(path.parent)
        file, temporary = _open_temporary(path)
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.name == "nt":
                file.close()  # an open file cannot be renamed there
            # Still locked: without its name, another process would remove it as a leftover.
            temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise _cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _open_temporary(path: Path) -> tuple[BinaryIO, Path]:
    """A new file beside `path` that is locked, and its path."""
    while True:
        temporary = temporary_name(path)
        file = temporary.open("xb")
        if _is_locked_here(temporary, file):
            return file, temporary
        file.close()


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path` that is locked by a file in it, and is removed at the end.

    Only this user may read it. It may be renamed within the block.

    Raises:
        OSError: it cannot be made.
    """
    clear_leftovers(path.parent)
    while True:
        temporary = temporary_name(path)
        temporary.mkdir(0o700)
        try:
            lock = (temporary / FOLDER_LOCK).open("xb")
        except FileNotFoundError:  # another process took it for a leftover: try again
            continue
        except OSError:
            temporary.rmdir()
            raise
        with lock:
            if not _is_locked_here(temporary / FOLDER_LOCK, lock):
                continue
            try:
                yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            return


def temporary_name(path: Path) -> Path:
    """A name beside `path` for what will be renamed to it; also on another machine no other process has it."""
    return path.with_name(f".{path.name}.{token_hex(4)}{TEMPORARY_SUFFIX}")


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders in `folder` that processes left which were killed.

    A process holds a lock on what it writes, which ends with it, and which other machines see that share the folder.
    Where a file system has no locks, nothing is removed.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if TEMPORARY_NAME.fullmatch(entry.name)]:
            with suppress(OSError):
                _remove_leftover(path)


def _clear_once(folder: Path) -> None:
    """Clear a folder unless this process did: it may have many files, of which each is written by itself."""
    if folder not in _cleared_folders:
        _cleared_folders.add(folder)
        clear_leftovers(folder)


def _remove_leftover(path: Path) -> None:
    """Remove a temporary file or folder unless a process has locked it. Links and special files stay."""
    status = path.lstat()
    is_folder = stat.S_ISDIR(status.st_mode)
    if not is_folder and not stat.S_ISREG(status.st_mode):
        return
    lock = path / FOLDER_LOCK if is_folder else path
    if os.name == "nt":  # there an open file cannot be removed
        if time.time() - status.st_mtime >= LEFTOVER_SECONDS:
            lock.unlink()
            shutil.rmtree(path, ignore_errors=True)
        return
    try:
        file = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        path.rmdir()  # its process was killed before the lock, or makes it now and tries again: only an empty one goes
        return
    with os.fdopen(file, "rb", buffering=0) as opened:
        if not (_lock(opened) and _is_at(lock, opened)):
            return
        if is_folder:
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _is_locked_here(path: Path, file: IO[bytes]) -> bool:
    """Lock a new file, and whether it is still there: another process may just have removed it as a leftover."""
    return _lock(file) is not False and _is_at(path, file)


def _lock(file: IO[bytes]) -> bool | None:
    """Lock an open file, and whether another process had not; None if there are no locks. It ends with the process."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some file systems of networks have none
        return None
    return True


def _is_at(path: Path, file: IO[bytes]) -> bool:
    """Whether an open file is still at its path."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


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
def relabel_errors(before: Path, after: Path) -> Iterator[None]:
    """Replace the temporary folder `before` by the final folder `after` in the location of errors."""
    try:
        yield
    except NncliError as error:
        source = error.location.source if error.location else None
        if error.location and source and Path(source).is_relative_to(before):
            error.location = replace(error.location, source=str(after / Path(source).relative_to(before)))
        raise


def write_bytes(path: Path, content: bytes, *, in_place: bool = False) -> None:
    """Write `content` to `path` atomically; `in_place` as of `atomic_writer`."""
    with atomic_writer(path, in_place=in_place) as file:
        file.write(content)


def write_text(path: Path, content: str, *, in_place: bool = False) -> None:
    """Write `content` to `path` atomically, as UTF-8; `in_place` as of `atomic_writer`."""
    write_bytes(path, content.encode("utf-8"), in_place=in_place)


def check_no_login(path: Path) -> None:
    """Raise a UsageError if `path` looks like a mistyped address: a password must not become the name of a file."""
    if has_login(str(path)):
        raise UsageError(
            "the output looks like an address with a password, but is no valid URL",
            location=Location(source=str(path)),
            hint="Correct it, as in postgresql://user:password@host/database; for a local file, choose another name.",
        )


def check_overwrite(path: Path, *, force: bool, in_place: bool = False) -> None:
    """Raise a UsageError if `path` is a folder, looks like an address, or is an existing file without `force`.

    Devices and named pipes may be written to. With `in_place` they and links would be replaced, as files are.
    """
    check_no_login(path)
    if path.is_dir():
        raise UsageError(
            "this is a folder, not a file", location=Location(source=str(path)), hint="Name a file inside it."
        )
    if not force and (os.path.lexists(path) if in_place else path.is_file()):
        raise UsageError(
            "the file exists already",
            location=Location(source=str(path)),
            hint=Advice("Pass ", UseOption("force", "force", True), " to replace it, or name another file."),
        )
