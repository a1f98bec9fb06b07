"""Reading files that others may have put there: regular ones of a bounded size, or none.

A link could lead out of a folder, a named pipe would wait forever, and a device never ends. So every file of a run and
every file of code is opened here.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A pipe is opened without waiting for who writes to it, and refused then."""


class NotRegularError(OSError):
    """What is at a path is a link, a pipe, a device, or too large; `strerror` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EINVAL, reason)


def open_regular(path: Path) -> BinaryIO:
    """A regular file, open for reading.

    Raises:
        NotRegularError: it is a link or not a regular file.
        OSError: it cannot be opened.
    """
    _check(path.lstat())  # devices are not opened: some act upon that
    try:
        descriptor = os.open(path, FLAGS)
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link took its place
            raise NotRegularError("it is a link") from error
        raise
    try:
        _check(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def read_regular(path: Path, largest: int) -> bytes:
    """The content of a regular file of at most `largest` bytes.

    Raises:
        NotRegularError: it is a link, not a regular file, or larger.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            raise NotRegularError(f"{size:,} bytes are more than the file can rightly have")
        content = file.read(size + 1)
    if len(content) > size:
        raise NotRegularError("it grows while it is read")
    return content


def _check(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if stat.S_ISLNK(status.st_mode):
        raise NotRegularError("it is a link")
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError("it is a pipe or a device")
