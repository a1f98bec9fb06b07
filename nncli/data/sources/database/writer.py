"""The interface of writing a table of a database, and what the table has to be for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from nncli.base.errors import Advice, Location, NncliError, UsageError
from nncli.base.logs import log_duration
from nncli.data.formats.sinks import ColumnCheck, Sink, translate_write_errors
from nncli.data.sources.database.address import APPEND, FORCE, OUTPUT_TABLE, is_same_database
from nncli.data.sources.database.database import DatabaseWriter, IfExists, database_of, find_table, tables_of
from nncli.data.sources.database.sql import mentions
from nncli.data.sources.database.writer_types import check_writable, fitted
from nncli.data.sources.table_source import TableSource


def if_exists(*, force: bool, append: bool) -> IfExists:
    """What the options force and append mean for a table.

    Raises:
        UsageError: both are set.
    """
    if force and append:
        raise UsageError(Advice(FORCE, " and ", APPEND, " exclude each other"), hint="Remove one of them.")
    return IfExists.REPLACE if force else IfExists.APPEND if append else IfExists.REFUSE


def check_database_output(target: TableSource, source: TableSource, *, force: bool, append: bool) -> None:
    """Raise an error, before any work is done, if the table cannot be written.

    Raises:
        UsageError: it is there and may be neither replaced nor appended to, or it is the table that is read.
        DataError: the database cannot be reached.
    """
    writer = writer_of(target, if_exists(force=force, append=append))
    if _is_read(writer, source):
        raise UsageError(
            "the predictions would go into the table that they are computed from",
            location=Location(source=target.path),
            hint=Advice("Name another one with ", OUTPUT_TABLE, "."),
        )
    writer.check()


def _is_read(writer: DatabaseWriter, source: TableSource) -> bool:
    """Whether the existing table of a writer is the one that the source reads.

    A query may add to a table that it reads, but not replace it: that would lose what the query leaves out.
    """
    if not is_same_database(source, writer.target) or writer.existing is None:
        return False
    if source.query is not None:
        name = (writer.target.table or "").rpartition(".")[2]
        return writer.if_exists is IfExists.REPLACE and mentions(source.query, name, writer.database.address.kind)
    try:
        return find_table(tables_of(source), source).sql_name == writer.existing.sql_name
    except NncliError:  # reading the source says so
        return False


@contextmanager
def open_database_sink(target: TableSource, existing: IfExists) -> Iterator[Sink]:
    """Yield a sink for a table; the rows are in the database when the block has ended without an error.

    Raises:
        UsageError: the table exists and may be neither replaced nor appended to.
        DataError: the database cannot be reached, or refuses the table or a row; nothing is changed then.
    """
    writer = writer_of(target, existing)
    writer.check()
    with tempfile.TemporaryDirectory(prefix="nncli-") as folder:
        sink = DatabaseSink(writer, Path(folder), ColumnCheck(writer.name))
        yield sink
        with log_duration(f"writing {writer.name}"):
            sink.finish()


@dataclass
class DatabaseSink:
    """Keeps chunks in Arrow files, and writes them to the database at the end."""

    writer: DatabaseWriter
    folder: Path
    columns: ColumnCheck
    files: list[Path] = field(default_factory=list)
    empty: pl.DataFrame = field(default_factory=pl.DataFrame)
    """The columns without rows, in types that hold all chunks."""

    def write(self, frame: pl.DataFrame) -> None:
        """Keep a chunk, and check that it fits an existing table."""
        is_first = self.columns.begin(frame)
        check_writable(frame, self.writer.name)
        if (table := self.writer.existing) is not None:
            frame = fitted(frame, table, self.writer.name, self.writer.database.address.kind)
        with translate_write_errors(frame, self.writer.name):
            self.empty = frame.clear() if is_first else pl.concat([self.empty, frame.clear()], how="vertical_relaxed")
        if frame.height or is_first:
            self.files.append(self.folder / f"{len(self.files)}.arrow")
            frame.write_ipc(self.files[-1])

    def finish(self) -> None:
        """Write all rows."""
        schema = self.empty.schema
        self.writer.write((pl.read_ipc(file).cast(schema) for file in self.files), schema)


def writer_of(target: TableSource, if_exists: IfExists) -> DatabaseWriter:
    """The writer of the table that a target names; the database is not opened yet.

    Raises:
        UsageError: the URL is wrong, or no table is named.
    """
    database = database_of(target)
    if not target.table or target.query is not None:
        raise UsageError(
            "the output is a database, and no table is named",
            location=Location(source=target.path),
            hint=Advice("Name it with ", OUTPUT_TABLE, "."),
        )
    return DatabaseWriter(target, if_exists, database)
