"""A table or query of a database as a table source."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl

from nncli.base.errors import Location, UsageError
from nncli.data.formats.file_format import as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile
from nncli.data.sources.database.catalog import find_table, tables_of
from nncli.data.sources.database.column_types import BLOCK_ROWS, blocks_of
from nncli.data.sources.database.database import Connection, Database, database_of
from nncli.data.sources.database.retry import with_retries
from nncli.data.sources.database.rows_digest import digest_of
from nncli.data.sources.database.sql import check_query
from nncli.data.sources.database.writer_postgresql import write_rows
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table

T = TypeVar("T")


@dataclass(frozen=True)
class DatabaseReader(TableReader):
    """Reads a table or the rows of a query, in one read-only transaction each time."""

    source: TableSource
    database: Database

    @classmethod
    def of(cls, source: TableSource) -> DatabaseReader:
        """The reader of a source. The database is not opened yet.

        Raises:
            UsageError: the URL is wrong, or the query is not one SELECT statement.
        """
        if source.table is not None and source.query is not None:
            raise UsageError(
                "a table and a query exclude each other",
                location=Location(source=source.path),
                hint="Remove one of them.",
            )
        database = database_of(source)
        if source.query is not None:
            check_query(source.query, database.dialect, source.path)
        return cls(source, database)

    @property
    def name(self) -> str:
        """The URL without credentials, and the table."""
        return self.source.title

    @property
    def is_columnar(self) -> bool:
        """Columns have types."""
        return True

    @property
    def needs_copy(self) -> bool:
        """The rows may change between two readings."""
        return True

    def choice(self) -> TableChoice | None:
        """The tables of the database, if the source names none of several and has no query."""
        if self.source.table is not None or self.source.query is not None:
            return None
        tables = tables_of(self.source)
        return None if len(tables) == 1 else TableChoice("table", tuple(table.name for table in tables))

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the rows in blocks. After the first block, a lost connection is an error."""
        frames = with_retries(lambda: self._first_and_rest(options.limit))
        with closing(frames):
            numbered = ((1 + i * BLOCK_ROWS, block) for i, block in enumerate(blocks_of(frames)))
            yield from as_tables(numbered, InputFile(None, self.name), options)

    def checksum(self) -> Checksum:
        """The digest of the rows, which are read for it."""
        return Checksum(with_retries(lambda: self._with_frames(digest_of)))

    def copy_to(self, folder: Path) -> TableReader:
        """Copy the rows into Arrow files."""
        return with_retries(lambda: self._with_frames(lambda frames: write_rows(frames, folder, self.name)))

    def _with_frames(self, use: Callable[[Iterator[pl.DataFrame]], T]) -> T:
        with closing(self._frames()) as frames:
            return use(frames)

    def _first_and_rest(self, limit: int | None) -> Generator[pl.DataFrame]:
        """The frames, the first of which was received already."""
        frames = self._frames(limit)
        return _chain(next(frames), frames)

    def _frames(self, limit: int | None = None) -> Generator[pl.DataFrame]:
        with self.database.connect() as connection:
            yield from connection.frames(self._statement(connection, limit))

    def _statement(self, connection: Connection, limit: int | None) -> str:
        if self.source.query is not None:
            return check_query(self.source.query, self.database.dialect, self.source.path)
        statement = connection.select_all(find_table(connection.tables(), self.source))
        return statement if limit is None else f"{statement} LIMIT {limit}"


def _chain(first: pl.DataFrame, rest: Generator[pl.DataFrame]) -> Generator[pl.DataFrame]:
    with closing(rest):
        yield first
        yield from rest
