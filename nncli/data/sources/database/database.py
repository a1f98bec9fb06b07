"""The interface of a database: how its tables are listed and its rows are read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import join_quoted
from nncli.data.sources.database.address import DatabaseAddress, DatabaseKind
from nncli.data.sources.database.sql import Dialect
from nncli.data.sources.table_source import TableSource


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


class Connection(ABC):
    """A read-only transaction: everything that is read belongs to one snapshot."""

    @abstractmethod
    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views, without those of the system, in alphabetical order.

        Raises:
            DataError: they cannot be read.
        """

    @abstractmethod
    def frames(self, statement: str) -> Iterator[pl.DataFrame]:
        """Yield the rows that a SELECT statement returns, in its order; at least one frame, if of no rows.

        All frames have the same types. Memory does not grow with the number of rows.

        Raises:
            DataError: the database refuses the statement, or two columns have the same name.
            DatabaseConnectionError: the connection was lost.
        """

    def select_all(self, table: DatabaseTable) -> str:
        """The statement that returns all rows of a table."""
        return f"SELECT * FROM {table.sql_name}"


class Database(ABC):
    """A database of one kind. A subclass is named in open.py of this folder."""

    dialect: ClassVar[Dialect]

    def __init__(self, address: DatabaseAddress) -> None:
        self.address = address

    @abstractmethod
    def connect(self) -> AbstractContextManager[Connection]:
        """Yield a connection, which is closed at the end of the block.

        Raises:
            UsageError: the driver is not installed.
            DataError: there is no such database, or the login is wrong.
            DatabaseConnectionError: the database cannot be reached.
        """


@contextmanager
def driver_required(database: str) -> Iterator[None]:
    """Raise a UsageError with the install command if the driver of a database cannot be imported."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"reading {database} needs a driver that is not installed: {error.name}",
            hint="pip install 'nncli-train[sql]'",
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


def database_of(source: TableSource) -> Database:
    """The database that a source names, which is not opened yet.

    Raises:
        UsageError: the URL is wrong.
    """
    address = DatabaseAddress.of(source)
    # A driver is imported only if its database is read.
    if address.kind is DatabaseKind.POSTGRESQL:
        from nncli.data.sources.database.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(address)
    if address.kind is DatabaseKind.MYSQL:
        from nncli.data.sources.database.mysql import MysqlDatabase

        return MysqlDatabase(address)
    if address.kind is DatabaseKind.DUCKDB:
        from nncli.data.sources.database.duckdb import DuckdbDatabase

        return DuckdbDatabase(address)
    from nncli.data.sources.database.sqlite import SqliteDatabase

    return SqliteDatabase(address)
