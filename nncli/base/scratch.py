"""Temporary files and folders: anonymous files, which the system removes however the process ends, and a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, TypeAlias

from nncli.base.errors import Location, NncliError

MAX_IN_MEMORY = 64 << 20
"""Bytes up to which a spooled file stays in memory."""

ScratchFile: TypeAlias = "tempfile.SpooledTemporaryFile[bytes]"


@dataclass
class Scratch:
    """Creates scratch files in `folder` (None: the default of the system); a context manager that closes them."""

    folder: Path | None = None
    lock: Lock = field(default_factory=Lock)
    """Held while a thread seeks and reads in one of the files."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def translate_os_errors(self) -> Iterator[None]:
        """Translate an OSError about a scratch file to an NncliError."""
        try:
            yield
        except OSError as error:
            raise NncliError(
                f"cannot keep the table in a temporary file: {error.strerror or error}",
                location=Location(source=str(self.folder or tempfile.gettempdir())),
                hint="Check that the folder is writable and the disk is not full.",
            ) from error

    def spool(self) -> ScratchFile:
        """Open a file that stays in memory while it is small."""
        return self._stack.enter_context(
            tempfile.SpooledTemporaryFile(MAX_IN_MEMORY, dir=str(self.folder) if self.folder else None)
        )

    def file(self) -> IO[bytes]:
        """Open an unbuffered file."""
        with self.translate_os_errors():
            return self._stack.enter_context(tempfile.TemporaryFile(dir=self.folder, buffering=0))


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a new folder among the temporary files of the system, which is removed at the end, however the block ends.

    Raises:
        NncliError: it cannot be created.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise NncliError(
            f"cannot create a temporary folder: {error.strerror or error}",
            location=Location(source=tempfile.gettempdir()),
            hint="Set TMPDIR to a folder that can be written to.",
        ) from error
    with folder as name:
        yield Path(name)


def existing_parent(path: Path) -> Path:
    """The nearest parent folder of `path` that exists."""
    folders = path.absolute().parents
    return next(folder for folder in folders if os.path.isdir(folder))  # noqa: PTH112 - Path.is_dir raises when a name is too long
