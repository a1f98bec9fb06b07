"""The interface of writing a table of a database, and what the table has to be for it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import polars as pl

from nncli.base.errors import Advice, Location, NncliError, UsageError
from nncli.base.logs import log_duration
from nncli.base.text import quote
from nncli.data.formats.writers import ColumnCheck, Sink, translate_write_errors
from nncli.data.sources.database.address import DatabaseKind
from nncli.data.sources.database.database import Database, DatabaseTable, database_of, find_table, tables_of
from nncli.data.sources.database.sql import mentions
from nncli.data.sources.database.writer_types import check_writable, fitted
from nncli.data.sources.output import APPEND, FORCE, OUTPUT_TABLE, is_same_database
from nncli.data.sources.table_source import TableSource


class IfExists(StrEnum):
    """What happens to a table that is there: it is an error, or its rows are replaced, or rows are added."""

    REFUSE = "refuse"
    REPLACE = "replace"
    APPEND = "append"


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


@dataclass(frozen=True)
class DatabaseWriter:
    """Writes rows into the table that `target` names, all of them or none."""

    target: TableSource
    if_exists: IfExists
    database: Database

    @property
    def name(self) -> str:
        """What messages call the table."""
        return self.target.title

    @cached_property
    def existing(self) -> DatabaseTable | None:
        """The table if it is there already.

        Raises:
            UsageError: the driver is not installed.
            DataError: the database cannot be read.
        """
        address = self.database.address
        if address.kind.is_file and not address.file.exists():
            return None
        wanted = self.target.table
        return next((table for table in tables_of(self.target) if wanted in (table.name, table.sql_name)), None)

    def check(self) -> None:
        """Raise a UsageError if the table is there and is neither to be replaced nor to be appended to.

        Raises:
            DataError: the database cannot be read.
        """
        if self.existing is not None and self.if_exists is IfExists.REFUSE:
            raise UsageError(
                f"the table {quote(self.target.table)} exists already",
                location=Location(source=self.target.path),
                hint=Advice(
                    *("Use ", FORCE, " to replace its rows, ", APPEND, " to add rows to them, or name another table.")
                ),
            )

    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write the rows of the frames, all of the same schema, in one transaction.

        Raises:
            DataError: the database refuses the table or a row; nothing is changed then.
        """
        written = self.database.written
        self.database.write(self, (pl.DataFrame([written(cells) for cells in frame]) for frame in frames), schema)

    @property
    def sql_name(self) -> str:
        """The table in SQL; a new one may have its schema in front."""
        if self.existing is not None:
            return self.existing.sql_name
        name = self.target.table or ""
        has_schemas = self.database.address.kind in (DatabaseKind.POSTGRESQL, DatabaseKind.DUCKDB)
        parts = name.split(".", 1) if has_schemas else [name]
        return ".".join(map(self.database.quoted, parts))

    def columns(self, schema: pl.Schema) -> str:
        """The names of the columns in SQL."""
        return ", ".join(map(self.database.quoted, schema))

    def preparation(self, schema: pl.Schema) -> list[str]:
        """The statements before the rows: the table is created, or its rows are deleted."""
        if self.existing is None:
            return [self.creation(self.sql_name, schema)]
        return [f"DELETE FROM {self.sql_name}"] if self.if_exists is IfExists.REPLACE else []

    def creation(self, sql_name: str, schema: pl.Schema) -> str:
        """The statement that creates a table."""
        database = self.database
        columns = ", ".join(f"{database.quoted(name)} {_type_name(database, dtype)}" for name, dtype in schema.items())
        return f"CREATE TABLE {sql_name} ({columns})"


def _type_name(database: Database, dtype: pl.DataType) -> str:
    """The type of a new column."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return database.zoned
    name = database.types[dtype.base_type()]
    return name.format(precision=dtype.precision, scale=dtype.scale) if isinstance(dtype, pl.Decimal) else name
