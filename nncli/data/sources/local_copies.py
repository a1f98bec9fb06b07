"""Local copies of tables that are far away, may change or come from a pipe, for commands that read them repeatedly.

A training reads its table for each member, in processes of their own: all read the same rows, from the same copy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from nncli.base.atomic_files import temporary_folder
from nncli.base.errors import Location, NncliError
from nncli.base.logs import log_duration
from nncli.data.sources.table_reader import TableReader
from nncli.data.sources.table_source import TableSource

NAME = "nncli-copies"
"""What the names of folders for copies begin with, behind a dot."""


@dataclass
class SharedCopy:
    """The copy of a source, which the blocks that read it share: the last of them removes its `files`."""

    reader: TableReader
    files: ExitStack
    users: int = 1

    def release(self) -> bool:
        """Count one user less, and remove the files after the last; whether it was the last."""
        self.users -= 1
        if self.users == 0:
            self.files.close()
        return self.users == 0


_copies: ContextVar[Mapping[TableSource, SharedCopy] | None] = ContextVar("_copies", default=None)
"""The copies that are read at present, by source with an absolute path."""


@dataclass(frozen=True)
class LocalCopies:
    """The readers of copies, by source with an absolute path. Can be sent to another process."""

    readers: Mapping[TableSource, TableReader] = field(default_factory=dict)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Read these copies instead of their sources within the block."""
        with ExitStack() as stack:
            for source, reader in self.readers.items():
                stack.enter_context(_reading(source, SharedCopy(reader, ExitStack())))
            yield


def copies_in_use() -> LocalCopies:
    """The copies that are read at present, to be handed to other processes."""
    return LocalCopies({source: copy.reader for source, copy in (_copies.get() or {}).items()})


def copy_of(source: TableSource) -> TableReader | None:
    """The reader of the local copy of a source, if there is one."""
    copy = (_copies.get() or {}).get(_absolute(source))
    return None if copy is None else copy.reader


def _absolute(source: TableSource) -> TableSource:
    return source.model_copy(update=source.relative_to(Path.cwd()))


@contextmanager
def _reading(source: TableSource, copy: SharedCopy) -> Iterator[None]:
    """Read a copy instead of its source within the block.

    Blocks may end in another order than they began, as trainings are generators.
    """
    _copies.set({**(_copies.get() or {}), source: copy})
    try:
        yield
    finally:
        if copy.release():
            _copies.set({key: other for key, other in (_copies.get() or {}).items() if other is not copy})


@contextmanager
def local_copies(
    sources: Iterable[TableSource], open_original: Callable[[TableSource], TableReader], folder: Path | None
) -> Iterator[None]:
    """Copy those of the sources that need it into a temporary folder in `folder`, and read the copies in the block.

    Raises:
        DataError: a table cannot be read.
        NncliError: the folder cannot be written to.
    """
    with ExitStack() as stack:
        for source in dict.fromkeys(sources):
            copy = (_copies.get() or {}).get(_absolute(source))
            if copy is not None:
                copy.users += 1
            elif (reader := open_original(source)).needs_copy or reader.is_read_once:
                copy = _new_copy(reader, Path(folder or tempfile.gettempdir()))
            if copy is not None:
                stack.enter_context(_reading(_absolute(source), copy))
        yield


def _new_copy(reader: TableReader, parent: Path) -> SharedCopy:
    """Copy a table into a new folder in `parent`, where those that killed processes left are removed first."""
    with ExitStack() as files:
        try:
            target = files.enter_context(temporary_folder(parent / NAME)) / "table"
        except OSError as error:
            raise NncliError(
                f"cannot create a folder for a copy of the table: {error.strerror or error}",
                location=Location(source=str(parent)),
                hint="Check that the folder can be written to, and that the disk is not full.",
            ) from error
        target.mkdir()
        with log_duration(f"copying {reader.name}"):
            return SharedCopy(reader.copy_to(target), files.pop_all())
    raise AssertionError("the block returns or raises")
