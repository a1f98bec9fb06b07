"""PostgreSQL, by ADBC: the server's binary COPY becomes Arrow batches.

Rows are written by COPY into a temporary table, from which they are inserted with the casts they need.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import polars as pl

from nncli.base.errors import DataError, Location, reraise_out_of_memory
from nncli.base.text import join_quoted
from nncli.data.sources.database.address import DatabaseAddress
from nncli.data.sources.database.column_types import ArrowStreamError, frames_of
from nncli.data.sources.database.database import (
    TEXT_TYPES,
    WIDE_INTEGERS,
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
from nncli.data.sources.database.writer_types import ACCEPTED, matches

if TYPE_CHECKING:
    from adbc_driver_manager import AdbcConnection


SECONDS_TO_CONNECT = 10
BATCH_BYTES = 4 << 20
SETTINGS = (
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL standard_conforming_strings = on",  # as the check of queries reads strings
    # The same rows come in the same order, so that an unchanged table has the same digest.
    "SET LOCAL synchronize_seqscans = off",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
TYPE_KEY = b"POSTGRESQL:type"
"""The key of a field's metadata for the name of its type."""
PLAIN_TYPES = {
    *("bool", "int2", "int4", "int8", "float4", "float8", "numeric"),
    *("text", "varchar", "name", "char", "bytea"),
    *("date", "timestamp", "timestamptz", "time"),
}
"""Types that the driver and Polars read as they are; arrays of them too."""
CASTS = {
    "bpchar": "{}::text",  # without the spaces that pad it
    "money": "{}::numeric::float8",
    "oid": "{}::int8",
    "interval": "extract(epoch FROM {})::float8",
}
"""Expressions of other types; the driver would read money as cents and large oid as negative numbers."""
ARRAY_CASTS = {"_numeric": "{}::float8[]", "_oid": "{}::int8[]"}
MAX_NAME = 63
"""Bytes of a name; PostgreSQL cuts off the rest."""
TABLES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END AS name,
    quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS sql_name,
    (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::text AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    AND n.nspname NOT LIKE 'pg\\_temp\\_%'
ORDER BY 1
"""
TEMPORARY = re.compile("starting up|shutting down|recovery mode|too many clients|connection slots|57P0[123]|53300")
"""Reasons for a refused connection that pass."""


class PostgresqlDatabase(Database):
    """A PostgreSQL database. The URL may have libpq's parameters; PGUSER, PGPASSWORD and so on fill what it lacks."""

    types: ClassVar = {
        **dict.fromkeys((pl.Int8, pl.UInt8, pl.Int16), "smallint"),
        **dict.fromkeys((pl.UInt16, pl.Int32), "integer"),
        **dict.fromkeys((pl.UInt32, pl.Int64), "bigint"),
        **dict.fromkeys(WIDE_INTEGERS, "numeric"),
        **{pl.Float32: "real", pl.Float64: "double precision", pl.Decimal: "numeric({precision}, {scale})"},
        **dict.fromkeys(TEXT_TYPES, "text"),
        **{pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "timestamp", pl.Time: "time"},
        **{pl.Duration: "interval", pl.Binary: "bytea"},
    }
    zoned = "timestamp with time zone"

    @contextmanager
    def connect(self) -> Iterator[ReadTransaction]:
        """Yield a connection in a read-only transaction that sees one snapshot."""
        with self.open(SETTINGS) as connection:
            yield connection

    @contextmanager
    def open(self, statements: Sequence[str]) -> Iterator[PostgresqlConnection]:
        """Yield a connection after some statements; a transaction that they begin is rolled back at the end.

        Raises:
            UsageError: the driver is not installed.
            DataError: the database cannot be opened.
        """
        with driver_required("PostgreSQL"):
            import adbc_driver_manager
            import adbc_driver_postgresql
            import nanoarrow  # noqa: F401
        try:
            with (
                adbc_driver_postgresql.connect(self._url()) as database,
                adbc_driver_manager.AdbcConnection(database) as adbc,
            ):
                connection = PostgresqlConnection(self.address, adbc)
                for statement in statements:
                    connection.execute(statement)
                try:
                    yield connection
                finally:
                    with suppress(adbc_driver_manager.Error):
                        connection.execute("ROLLBACK")
        except adbc_driver_manager.Error as error:
            self._raise_connection_error(str(error))

    def write(self, table: DatabaseWriter, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        for name in schema:
            if len(name.encode()) > MAX_NAME:
                raise DataError(
                    f"the name of a column has more than {MAX_NAME} bytes, which PostgreSQL would cut off",
                    location=Location(source=table.name, column=name),
                    hint="Rename the column, or write the predictions to a file.",
                )
        staging = f"nncli_rows_{secrets.token_hex(8)}"
        with self.open(["BEGIN"]) as connection, connection.translate_errors():
            for statement in table.preparation(schema):
                connection.execute(statement)
            for i, frame in enumerate(frames):
                _copy(connection, frame, staging, is_first=i == 0)
            existing = () if table.existing is None else table.existing.columns
            values = ", ".join(_value(name, dtype, existing) for name, dtype in schema.items())
            target = f"{table.sql_name} ({table.columns(schema)})"
            connection.execute(f"INSERT INTO {target} SELECT {values} FROM pg_temp.{staging}")
            connection.execute(f"DROP TABLE pg_temp.{staging}")
            connection.execute("COMMIT")

    def written(self, cells: pl.Series) -> pl.Series:
        """A column in a type that the driver writes: PostgreSQL has numeric alone for wide integers."""
        return cells.dt.cast_time_unit("us") if isinstance(cells.dtype, pl.Datetime) else super().written(cells)

    def _url(self) -> str:
        """The URL for libpq, which sets what neither the URL nor the environment sets."""
        url = "postgresql" + self.address.full_url[len(self.address.url.partition("://")[0]) :]
        parameters = ["client_encoding=UTF8", "fallback_application_name=nncli"]
        if "connect_timeout=" not in url and "PGCONNECT_TIMEOUT" not in os.environ:
            parameters.append(f"connect_timeout={SECONDS_TO_CONNECT}")
        return url + ("&" if "?" in url else "?") + "&".join(parameters)

    def _raise_connection_error(self, message: str) -> NoReturn:
        """Raise the DataError for a connection that failed."""
        reason = reason_of(message.partition("Failed to connect: ")[2] or message)
        is_permanent = ("FATAL" in message or "invalid" in message) and not TEMPORARY.search(message)
        raise (DataError if is_permanent else DatabaseConnectionError)(
            f"the database cannot be opened: {self.address.without_secrets(reason)}",
            location=Location(source=self.address.url),
            hint="Give user and password in the URL, or as PGUSER, PGPASSWORD or PGPASSFILE in the environment."
            if is_permanent
            else "Check that the server runs and can be reached from here.",
        ) from None


def _copy(connection: PostgresqlConnection, frame: pl.DataFrame, table: str, *, is_first: bool) -> None:
    """Copy a frame into a temporary table, which the first frame creates."""
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection.adbc) as sender:
        sender.set_options(
            **{
                "adbc.ingest.target_table": table,
                "adbc.ingest.mode": f"adbc.ingest.mode.{'create' if is_first else 'append'}",
                "adbc.ingest.temporary": "true",
            }
        )
        sender.bind_stream(frame)
        sender.execute_update()


def _value(name: str, dtype: pl.DataType, existing: Sequence[DatabaseColumn]) -> str:
    """The expression of a column, cast to a type that has no cast from text by itself, such as uuid."""
    quoted = quoted_name(name)
    column = next((column for column in existing if column.name == name), None)
    if column is not None and not any(matches(form, column.type) for form, _ in ACCEPTED):
        return f"{quoted}::{column.type}"
    return f"{quoted}::numeric" if isinstance(dtype, WIDE_INTEGERS) else quoted


class PostgresqlConnection(ReadTransaction):
    """A connection in a read-only transaction."""

    def __init__(self, address: DatabaseAddress, adbc: AdbcConnection) -> None:
        self.address = address
        self.adbc = adbc

    def execute(self, statement: str) -> None:
        """Send a statement that returns nothing."""
        import adbc_driver_manager

        with adbc_driver_manager.AdbcStatement(self.adbc) as sender:
            sender.set_sql_query(statement)
            sender.execute_update()

    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views; those outside the search path have their schema in front."""
        tables = []
        for frame in self.frames(TABLES):
            for name, sql_name, columns in frame.iter_rows():
                pairs = json.loads(columns or "[]")
                tables.append(DatabaseTable(name, sql_name, tuple(DatabaseColumn(*pair) for pair in pairs)))
        return tuple(tables)

    def frames(self, statement: str, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield the batches of the driver."""
        import nanoarrow
        from adbc_driver_manager import AdbcStatement

        with self.translate_errors(), AdbcStatement(self.adbc) as sender:
            sender.set_sql_query(statement)
            types = _types_of(nanoarrow.Schema(sender.execute_schema()))
            check_column_names([name for name, _, _ in types], self.address.url)
            expressions = [_expression(type_name, is_text=is_text) for _, type_name, is_text in types]
            sender.set_sql_query(with_casts(statement, [name for name, _, _ in types], expressions, limit))
            sender.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(BATCH_BYTES)})
            handle, _ = sender.execute_query()
            decimals = [name for name, type_name, _ in types if type_name == "numeric"]
            try:
                yield from frames_of(handle, self.address.url, decimals)
            except ArrowStreamError as error:
                arrays = [name for name, type_name, _ in types if type_name.startswith("_")]
                if "lower bound" not in str(error) or not arrays:
                    raise
                raise DataError(
                    "an array has other numbers of its elements than those from 1",
                    location=Location(source=self.address.url, column=arrays[0] if len(arrays) == 1 else None),
                    hint=f"In a query, cast {join_quoted(arrays)} to text: {quoted_name(arrays[0])}::text.",
                ) from None

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Translate errors of a statement to DataErrors; a DatabaseConnectionError if the connection was lost."""
        import adbc_driver_manager

        try:
            yield
        except (adbc_driver_manager.Error, ArrowStreamError) as error:
            reraise_out_of_memory(error)
            reason, location = self.address.without_secrets(reason_of(str(error))), Location(source=self.address.url)
            try:
                self.execute("ROLLBACK")
            except adbc_driver_manager.Error:
                raise DatabaseConnectionError(
                    f"the connection was lost: {reason}", location=location, hint="Start the command again."
                ) from None
            raise DataError(f"the database reports an error: {reason}", location=location) from None


def reason_of(message: str) -> str:
    """What the server says, without the names of functions and the query."""
    text = message.partition("\n\nQuery was:")[0]
    for mark in ("ERROR:  ", "FATAL:  ", "[libpq] "):
        text = text.rpartition(mark)[2]
    return " ".join(text.split()).removesuffix(" ^")


def _types_of(schema: Any) -> list[tuple[str, str, bool]]:
    """The name of each column, its type as PostgreSQL calls it, and whether it is plain text to the driver."""
    from nanoarrow import Type

    return [
        (field.name, dict(field.metadata or {}).get(TYPE_KEY, b"").decode(), field.type == Type.STRING)
        for field in schema.fields
    ]


def _expression(type_name: str, *, is_text: bool) -> str:
    """The expression for a column {} of a type."""
    if type_name in CASTS:
        return CASTS[type_name]
    if type_name.startswith("_"):
        return ARRAY_CASTS.get(type_name) or ("{}" if type_name[1:] in PLAIN_TYPES else "{}::text[]")
    # Text of another name is that of an enum or a domain.
    return "{}" if type_name in PLAIN_TYPES or is_text else "{}::text"
