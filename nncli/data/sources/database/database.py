"""The interface of a database: how its tables are listed and read, and how rows are written into one."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from importlib import import_module
from time import sleep
from typing import ClassVar, TypeVar

import polars as pl

from nncli.base.errors import Advice, DataError, InstallExtra, Location, UsageError, UseOption, sentences
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.sources.database.address import APPEND, FORCE, DatabaseAddress, DatabaseKind
from nncli.data.sources.table_source import TableSource

T = TypeVar("T")

WAITS = [0.5, 2.0]
"""Seconds to wait before the second and the third try to reach a database."""
TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Null)
WIDE_INTEGERS = (pl.UInt64, pl.Int128, pl.UInt128)
"""Integers beyond those of 64 bits with a sign."""

logger = logging.getLogger(__name__)


class DatabaseConnectionError(DataError):
    """The database cannot be reached, is busy, or the connection was lost: another try may succeed."""


@dataclass(frozen=True)
class DatabaseColumn:
    """A column of a table, with its type as the database calls it."""

    name: str
    type: str


@dataclass(frozen=True)
class DatabaseTable:
    """A table or view: its name, with the schema in front where it is needed, its name in SQL, and its columns."""

    name: str
    sql_name: str
    columns: tuple[DatabaseColumn, ...]


class ReadTransaction(ABC):
    """A read-only transaction: everything that is read belongs to one snapshot."""

    @abstractmethod
    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views, without those of the system, in alphabetical order.

        Raises:
            DataError: they cannot be read.
        """

    @abstractmethod
    def frames(self, statement: str, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield the rows that a SELECT statement returns, in its order; at least one frame, if of no rows.

        With a `limit` the first rows are enough: the statement may have no end. All frames have the same types. Memory
        does not grow with the number of rows.

        Raises:
            DataError: the database refuses the statement, or two columns have the same name.
            DatabaseConnectionError: the connection was lost.
        """

    def select_all(self, table: DatabaseTable) -> str:
        """The statement that returns all rows of a table."""
        return f"SELECT * FROM {table.sql_name}"


@dataclass(frozen=True)
class Database(ABC):
    """A database of one kind: the class `XDatabase` of the module `x`, which is the name of the kind."""

    address: DatabaseAddress
    types: ClassVar[Mapping[type[pl.DataType], str]]
    """The types of columns of a new table; decimals have {precision} and {scale}."""
    zoned: ClassVar[str]
    """The type of moments with a time zone."""

    @abstractmethod
    def connect(self) -> AbstractContextManager[ReadTransaction]:
        """Yield a connection, which is closed at the end of the block.

        Raises:
            UsageError: the driver is not installed.
            DataError: there is no such database, or the login is wrong.
            DatabaseConnectionError: the database cannot be reached.
        """

    @abstractmethod
    def write(self, table: DatabaseWriter, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write rows into a table, in one transaction; the columns of the frames are as `written` returns them.

        Raises:
            DataError: the database refuses the table or a row; nothing is changed then.
        """

    def written(self, cells: pl.Series) -> pl.Series:
        """A column in a type that the driver writes; the database casts text to integers of its types."""
        return cells.cast(pl.String) if isinstance(cells.dtype, (*TEXT_TYPES, *WIDE_INTEGERS)) else cells

    def quoted(self, name: str) -> str:
        """A name in SQL."""
        return quoted_name(name)


class IfExists(StrEnum):
    """What happens to a table that is there: it is an error, or its rows are replaced, or rows are added."""

    REFUSE = "refuse"
    REPLACE = "replace"
    APPEND = "append"


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


def quoted_name(name: str) -> str:
    """A name in double quotes, as all databases but MySQL read it."""
    return '"' + name.replace('"', '""') + '"'


def with_casts(statement: str, names: Sequence[str], expressions: Sequence[str], limit: int | None = None) -> str:
    """The statement with expressions in place of its columns, in which {} stands for the column, and with a limit."""
    if all(expression == "{}" for expression in expressions) and limit is None:
        return statement
    quoted = map(quoted_name, names)
    columns = [f"{expression.format(name)} AS {name}" for expression, name in zip(expressions, quoted, strict=True)]
    end = "" if limit is None else f" LIMIT {limit}"
    return f"SELECT {', '.join(columns)} FROM ({statement}) AS nncli_rows{end}"


@contextmanager
def driver_required(database: str) -> Iterator[None]:
    """Raise a UsageError with the install command if the driver of a database cannot be imported."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"reading {database} needs a driver that is not installed: {error.name}",
            hint=Advice(InstallExtra("sql")),
        ) from error


def check_column_names(names: Sequence[str], source: str) -> None:
    """Raise a DataError if two columns have the same name, or there are no columns."""
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise DataError(
            f"the query returns more than one column {join_quoted(repeated)}",
            location=Location(source=source),
            hint="Give each a name of its own with AS.",
        )
    if not names:
        raise DataError("the query returns no columns", location=Location(source=source))
    if "" in names:
        raise DataError(
            f"the column {names.index('') + 1:,} of the table or query has no name",
            location=Location(source=source),
            hint="Name it in a query, with AS.",
        )


def database_of(source: TableSource) -> Database:
    """The database that a source names, which is not opened yet. Its driver is imported when it is.

    Raises:
        UsageError: the URL is wrong.
    """
    address = DatabaseAddress.of(source)
    module = import_module(f"nncli.data.sources.database.{address.kind}")
    database: Database = getattr(module, f"{address.kind.title()}Database")(address)
    return database


def with_retries(attempt: Callable[[], T]) -> T:
    """The result of `attempt`, which is called again after a DatabaseConnectionError, up to three times in all.

    Raises:
        DatabaseConnectionError: the last try failed too.
    """
    for seconds in WAITS:
        try:
            return attempt()
        except DatabaseConnectionError as error:
            logger.info("%s; next try in %g s", error.message, seconds)
            sleep(seconds)
    return attempt()


def tables_of(source: TableSource) -> tuple[DatabaseTable, ...]:
    """The tables and views of the database that a source names, in alphabetical order, with their columns.

    Raises:
        UsageError: the URL is wrong, or the driver is not installed.
        DataError: the database cannot be read.
    """

    def read() -> tuple[DatabaseTable, ...]:
        with database_of(source).connect() as connection:
            return connection.tables()

    return with_retries(read)


NAME_ONE = Advice("Name one with ", UseOption("table", "table"), " or write a ", UseOption("query", "query"), ".")


def find_table(tables: Sequence[DatabaseTable], source: TableSource) -> DatabaseTable:
    """The table that a source names, spelled as in the database or as in SQL; the only one if it names none.

    Raises:
        UsageError: the source names none of several tables.
        DataError: there is no such table; the hint names the closest match.
    """
    if source.table is None and len(tables) == 1:
        return tables[0]
    location = Location(source=source.path)
    names = [table.name for table in tables]
    listing = f"The tables are {join_quoted(names, max_words=20)}." if names else "The database has no tables."
    if source.table is None:
        raise UsageError(
            "the database has tables, and none is named" if names else "the database has no tables",
            location=location,
            hint=sentences(NAME_ONE, listing) if names else None,
        )
    named = next((table for table in tables if source.table in (table.name, table.sql_name)), None)
    if named is None:
        near = closest_match(source.table, names)
        raise DataError(
            f"there is no table {quote(source.table)}",
            location=location,
            hint=f"Did you mean {quote(near)}?" if near else listing,
        )
    return named
