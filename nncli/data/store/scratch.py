"""Temporary files without a name: whatever ends the process, the system takes them away with it.

So nothing is left behind that a later run had to clear, or could mistake for its own.
"""

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

from nncli.errors import Location, NncliError

MAX_IN_MEMORY = 64 << 20
"""Bytes up to which a scratch file is no file at all."""

ScratchFile: TypeAlias = "tempfile.SpooledTemporaryFile[bytes]"


@dataclass
class Scratch:
    """Where scratch files are made, in `folder` (None: the system's own); a block that ends closes all of them."""

    folder: Path | None = None
    lock: Lock = field(default_factory=Lock)
    """Held by whoever moves to a place in one of the files and reads there."""
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @contextmanager
    def translate_os_errors(self) -> Iterator[None]:
        """Turn whatever the system says about a scratch file into an NncliError."""
        try:
            yield
        except OSError as error:
            raise NncliError(
                f"cannot keep the table in a temporary file: {error.strerror or error}",
                place=Location(source=str(self.folder or tempfile.gettempdir())),
                hint="Check that the folder can be written to, and that the disk is not full.",
            ) from error

    def spool(self) -> ScratchFile:
        """A file that stays in memory for as long as it is small."""
        return self._stack.enter_context(
            tempfile.SpooledTemporaryFile(MAX_IN_MEMORY, dir=str(self.folder) if self.folder else None)
        )

    def file(self) -> IO[bytes]:
        """A file, written and read without a buffer."""
        with self.translate_os_errors():
            return self._stack.enter_context(tempfile.TemporaryFile(dir=self.folder, buffering=0))


def existing_parent(path: Path) -> Path:
    """The folder that `path` is to stand in, or the nearest one above that is there already."""
    folders = path.absolute().parents
    return next(folder for folder in folders if os.path.isdir(folder))  # noqa: PTH112 - it takes names that are too long
