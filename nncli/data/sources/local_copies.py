"""Local copies of tables that are far away or may change, for commands that read a table more than once.

A training reads its table for each member, in processes of their own: all read the same rows, from the same copy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from nncli.data.sources.reader import TableReader
from nncli.data.sources.table_source import TableSource
from nncli.utils.logs import log_duration


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
    """
    with ExitStack() as stack:
        readers, temporary = {}, None
        for i, source in enumerate(dict.fromkeys(sources)):
            if copy_of(source) is not None or not (reader := open_original(source)).needs_copy:
                continue
            if temporary is None:
                temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix=".nncli-", dir=folder))
            target = Path(temporary, str(i))
            target.mkdir()
            with log_duration(f"copying {reader.name}"):
                readers[_absolute(source)] = reader.copy_to(target)
        stack.enter_context(LocalCopies(readers).in_use())
        yield
