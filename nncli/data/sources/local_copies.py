"""Local copies of tables that are far away or may change, for commands that read a table more than once.

A training reads its table for each member, in processes of their own: all read the same rows, from the same copy.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from nncli.data.sources.reader import TableReader
from nncli.data.sources.table_source import TableSource
from nncli.errors import Location, NncliError
from nncli.utils.logs import log_duration

PREFIX = ".nncli-copies-"
"""The beginning of the names of folders for copies."""
LOCK = "lock"
SECONDS_OF_CREATION = 60.0
"""Age from which a folder counts as left behind, if it is not locked."""


@dataclass(frozen=True)
class LocalCopies:
    """The readers of local copies, by source with an absolute path. Can be sent to another process."""

    readers: Mapping[TableSource, TableReader] = field(default_factory=dict)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Read these copies instead of their sources within the block."""
        _copies.set(LocalCopies({**copies_in_use().readers, **self.readers}))
        try:
            yield
        finally:
            # Not by a token: trainings, which are generators, may end in another order than they began.
            readers = copies_in_use().readers
            _copies.set(LocalCopies({source: readers[source] for source in readers if source not in self.readers}))


_copies: ContextVar[LocalCopies | None] = ContextVar("_copies", default=None)


def copies_in_use() -> LocalCopies:
    """The copies that are read at present, to be handed to other processes."""
    return _copies.get() or LocalCopies()


def copy_of(source: TableSource) -> TableReader | None:
    """The reader of the local copy of a source, if there is one."""
    return copies_in_use().readers.get(_absolute(source))


def _absolute(source: TableSource) -> TableSource:
    return source.model_copy(update=source.relative_to(Path.cwd()))


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
        readers, temporary = {}, None
        for i, source in enumerate(dict.fromkeys(sources)):
            if copy_of(source) is not None or not (reader := open_original(source)).needs_copy:
                continue
            if temporary is None:
                temporary = stack.enter_context(_locked_folder(Path(folder or tempfile.gettempdir())))
            target = temporary / str(i)
            target.mkdir()
            with log_duration(f"copying {reader.name}"):
                readers[_absolute(source)] = reader.copy_to(target)
        stack.enter_context(LocalCopies(readers).in_use())
        yield


@contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent` for copies, and remove it, and those that killed processes left there.

    Raises:
        NncliError: it cannot be created.
    """
    from filelock import FileLock  # a slow import that local tables do not need

    _clear_leftovers(parent)
    with ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent)))
            stack.enter_context(FileLock(folder / LOCK, timeout=0))
        except OSError as error:
            raise NncliError(
                f"cannot create a folder for a copy of the table: {error.strerror or error}",
                location=Location(source=str(parent)),
                hint="Check that the folder can be written to, and that the disk is not full.",
            ) from error
        yield folder


def _clear_leftovers(parent: Path) -> None:
    """Remove the folders of copies that no process holds the lock of. Young ones may not be locked yet."""
    from filelock import FileLock, Timeout

    for leftover in parent.glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):
            if time.time() - leftover.stat().st_mtime < SECONDS_OF_CREATION:
                continue
            with FileLock(leftover / LOCK, timeout=0):
                shutil.rmtree(leftover, ignore_errors=True)
