"""DuckDB, whose results are Arrow batches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import polars as pl

from nncli.base.errors import DataError, Location, reraise_out_of_memory
from nncli.data.sources.database.address import EXTERNAL_ACCESS, DatabaseAddress
from nncli.data.sources.database.column_types import ArrowStreamError, frames_of
from nncli.data.sources.database.database import (
    Connection,
    Database,
    DatabaseColumn,
    DatabaseConnectionError,
    DatabaseTable,
    check_column_names,
    driver_required,
)
from nncli.data.sources.database.sql import Dialect, quoted_name
from nncli.data.sources.database.sqlite import check_database_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

INTEGERS = ("HUGEINT", "UHUGEINT")
"""Integers of 128 bits, which Arrow has not."""
PLAIN_TYPES = re.compile(
    r"BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?"
    r"|VARCHAR|UUID|JSON|BLOB|\"NULL\""
)
DECIMAL = re.compile(r"DECIMAL\(\d+,\s*\d+\)")
LIST = re.compile(r"(.*)\[\d*\]", re.DOTALL)
TABLES = """
SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
WHERE table_catalog = current_database() ORDER BY table_schema, table_name, ordinal_position
"""


def settings(address: DatabaseAddress) -> dict[str, str | bool | int | float | list[str]]:
    """The settings of a connection, which no statement can change."""
    return {
        EXTERNAL_ACCESS: address.has_external_access,
        "autoinstall_known_extensions": False,  # a query downloads no programs
        "python_enable_replacements": False,  # a name in a query is no variable of this program
        "lock_configuration": True,
    }


class DuckdbDatabase(Database):
    """A DuckDB file, opened for reading only."""

    dialect = Dialect.DUCKDB

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that sees one snapshot."""
        check_database_file(self.address)
        with driver_required("DuckDB"):
            import duckdb
            import nanoarrow  # noqa: F401
        url = self.address.url
        with translate_errors(url):
            connection = duckdb.connect(self.address.file, read_only=True, config=settings(self.address))
        with closing(connection):
            with translate_errors(url):
                connection.execute("BEGIN TRANSACTION READ ONLY")
            yield DuckdbConnection(url, connection)


@dataclass(frozen=True)
class DuckdbConnection(Connection):
    """A connection in a read-only transaction."""

    url: str
    connection: DuckDBPyConnection

    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views; those outside the schema `main` have their schema in front."""
        with translate_errors(self.url):
            rows = self.connection.execute(TABLES).fetchall()
        tables = []
        for (schema, name), columns in groupby(rows, key=lambda row: (row[0], row[1])):
            sql_name = f"{quoted_name(schema)}.{quoted_name(name)}"
            pairs = tuple(DatabaseColumn(column, type_name) for _, _, column, type_name in columns)
            tables.append(DatabaseTable(name if schema == "main" else f"{schema}.{name}", sql_name, pairs))
        return tuple(sorted(tables, key=lambda table: table.name))

    def frames(self, statement: str) -> Iterator[pl.DataFrame]:
        """Yield the batches of DuckDB."""
        with translate_errors(self.url):
            rows = self.connection.sql(statement)
            check_column_names(rows.columns, self.url)
            types = [str(type_name) for type_name in rows.types]
            decimals = [name for name, type_name in zip(rows.columns, types, strict=True) if type_name in INTEGERS]
            statement = _with_casts(statement, rows.columns, types)
            yield from frames_of(self.connection.sql(statement), self.url, decimals)


def _with_casts(statement: str, names: Sequence[str], types: Sequence[str]) -> str:
    """The statement with expressions of plain types in place of columns of other types."""
    expressions = [
        _expression(type_name).format(quoted_name(name)) for name, type_name in zip(names, types, strict=True)
    ]
    if expressions == [quoted_name(name) for name in names]:
        return statement
    columns = [f"{expression} AS {quoted_name(name)}" for expression, name in zip(expressions, names, strict=True)]
    return f"SELECT {', '.join(columns)} FROM ({statement}) AS nncli_rows"


def _expression(type_name: str) -> str:
    """The expression for a column {} of a type."""
    if PLAIN_TYPES.fullmatch(type_name) or DECIMAL.fullmatch(type_name):
        return "{}"
    if type_name == "INTERVAL":
        return "epoch({})"
    if (element := LIST.fullmatch(type_name)) is not None:
        if PLAIN_TYPES.fullmatch(element[1]):
            return "{}"
        if DECIMAL.fullmatch(element[1]) or element[1] in INTEGERS:
            return "CAST({} AS DOUBLE[])"
    return "CAST({} AS VARCHAR)"


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Translate errors of DuckDB to DataErrors; a DatabaseConnectionError if another program writes the file."""
    import duckdb

    try:
        yield
    except (duckdb.Error, ArrowStreamError) as error:
        reraise_out_of_memory(error)
        location, text = Location(source=url), " ".join(str(error).split())
        if "lock on file" in text:
            raise DatabaseConnectionError(
                "another program has opened the database for writing",
                location=location,
                hint="Start the command again when that program has ended.",
            ) from None
        if "disabled by configuration" in text:
            raise DataError(
                f"a query or a view may read no other file than the database: {text}",
                location=location,
                hint=f"If it should, add ?{EXTERNAL_ACCESS}=true to the URL: then it may read every file that you may.",
            ) from None
        if "not a valid DuckDB database file" in text:
            raise DataError("this is not a DuckDB database", location=location) from None
        raise DataError(f"DuckDB reports an error: {text}", location=location) from None
