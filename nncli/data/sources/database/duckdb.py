"""DuckDB, whose results and inputs are Arrow batches."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from nncli.base.errors import DataError, Location, reraise_out_of_memory
from nncli.data.sources.database.address import EXTERNAL_ACCESS, DatabaseAddress
from nncli.data.sources.database.column_types import ArrowStreamError, frames_of
from nncli.data.sources.database.database import (
    TEXT_TYPES,
    Database,
    DatabaseColumn,
    DatabaseConnectionError,
    DatabaseTable,
    DatabaseWriter,
    ReadTransaction,
    check_column_names,
    driver_required,
    quoted_name,
    with_casts,
)
from nncli.data.sources.database.sqlite import check_database_file, new_file_removed_on_error

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


INTEGERS = ("HUGEINT", "UHUGEINT")
"""Integers of 128 bits, which Arrow has not."""
PLAIN_TYPES = re.compile(
    r"BOOLEAN|U?(TINYINT|SMALLINT|INTEGER|BIGINT)|FLOAT|DOUBLE|DATE|TIME|TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)?"
    r"|VARCHAR|UUID|JSON|BLOB|\"NULL\""
)
DECIMAL = re.compile(r"DECIMAL\(\d+,\s*\d+\)")
ROWS = "nncli_rows"
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
    """A DuckDB file, which is created if rows are written to one that is not there."""

    types: ClassVar = {
        **{pl.Int8: "TINYINT", pl.Int16: "SMALLINT", pl.Int32: "INTEGER", pl.Int64: "BIGINT", pl.Int128: "HUGEINT"},
        **{pl.UInt8: "UTINYINT", pl.UInt16: "USMALLINT", pl.UInt32: "UINTEGER", pl.UInt64: "UBIGINT"},
        **{
            pl.UInt128: "UHUGEINT",
            pl.Float32: "FLOAT",
            pl.Float64: "DOUBLE",
            pl.Decimal: "DECIMAL({precision}, {scale})",
        },
        **dict.fromkeys(TEXT_TYPES, "VARCHAR"),
        **{pl.Boolean: "BOOLEAN", pl.Date: "DATE", pl.Datetime: "TIMESTAMP", pl.Time: "TIME", pl.Duration: "INTERVAL"},
        pl.Binary: "BLOB",
    }
    zoned = "TIMESTAMP WITH TIME ZONE"

    @contextmanager
    def connect(self) -> Iterator[ReadTransaction]:
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

    def write(self, table: DatabaseWriter, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        with driver_required("DuckDB"):
            import duckdb
        columns = table.columns(schema)
        insertion = f"INSERT INTO {table.sql_name} ({columns}) SELECT {columns} FROM {ROWS}"
        with new_file_removed_on_error(self.address), translate_errors(self.address.url):
            connection = duckdb.connect(self.address.file, config=settings(self.address))
            with closing(connection):  # which rolls back what was not committed
                connection.execute("BEGIN TRANSACTION")
                for statement in table.preparation(schema):
                    connection.execute(statement)
                for frame in frames:
                    connection.register(ROWS, _ArrowStream(frame))
                    connection.execute(insertion)
                    connection.unregister(ROWS)
                connection.execute("COMMIT")


@dataclass(frozen=True)
class _ArrowStream:
    """A frame that is a stream of Arrow and nothing else; DuckDB would ask PyArrow for one of Polars."""

    frame: pl.DataFrame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


@dataclass(frozen=True)
class DuckdbConnection(ReadTransaction):
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

    def frames(self, statement: str, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield the batches of DuckDB."""
        with translate_errors(self.url):
            rows = self.connection.sql(statement)
            check_column_names(rows.columns, self.url)
            types = [str(type_name) for type_name in rows.types]
            decimals = [name for name, type_name in zip(rows.columns, types, strict=True) if type_name in INTEGERS]
            statement = with_casts(statement, rows.columns, [_expression(type_name) for type_name in types], limit)
            yield from frames_of(self.connection.sql(statement), self.url, decimals)


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
