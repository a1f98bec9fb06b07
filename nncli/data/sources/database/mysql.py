"""MySQL and MariaDB, read row by row by PyMySQL, and written by INSERT statements of many rows.

The cells arrive as text. Polars converts them, a column at a time, to the type that the server names. CREATE TABLE ends
a transaction there. So a new table is filled under a temporary name, and renamed at the end.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

import polars as pl

from nncli.base.errors import DataError, Location, UsageError, reraise_out_of_memory
from nncli.base.text import closest_match, join_quoted, quote
from nncli.data.sources.database.address import DatabaseAddress
from nncli.data.sources.database.column_types import plain_columns
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
)

if TYPE_CHECKING:
    from pymysql.connections import Connection as PymysqlConnection
    from pymysql.cursors import SSCursor


BATCH_ROWS = 16_384
SECONDS_TO_CONNECT = 10
PORT = 3306
PARAMETERS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_cert", "ssl_verify_identity", "unix_socket")
"""What may follow the ? of a URL."""
QUOTING_MODES = {"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"}
"""Modes of a server in which strings are read in another way than the check of queries reads them."""
SETTINGS = (
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION net_write_timeout = 3600",  # rows may be used slowly
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
TRANSACTIONAL = ("innodb", "rocksdb", "tokudb", "ndbcluster", "xpand")
WRITER_SETTINGS = (
    "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')",  # what does not fit is an error
    "SET SESSION time_zone = '+00:00'",
)
TABLES = """
SELECT c.table_name, c.column_name, c.column_type, c.data_type FROM information_schema.columns c
WHERE c.table_schema = DATABASE() ORDER BY c.table_name, c.ordinal_position
"""
TEMPORARY = {1040, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1205, 1213, 2002, 2003, 2006, 2013}
"""Numbers of errors that pass: too many connections, a shutdown, a lost connection, a lock."""


class MysqlDatabase(Database):
    """A MySQL or MariaDB database; MYSQL_USER and MYSQL_PWD fill what the URL lacks."""

    types: ClassVar = {
        **{pl.Int8: "TINYINT", pl.Int16: "SMALLINT", pl.Int32: "INT", pl.Int64: "BIGINT"},
        **{pl.UInt8: "SMALLINT", pl.UInt16: "INT", pl.UInt32: "BIGINT", pl.UInt64: "BIGINT UNSIGNED"},
        **dict.fromkeys((pl.Int128, pl.UInt128), "DECIMAL(39, 0)"),
        **dict.fromkeys((pl.Float32, pl.Float64, pl.Duration), "DOUBLE"),
        **dict.fromkeys(TEXT_TYPES, "LONGTEXT"),
        **{pl.Decimal: "DECIMAL({precision}, {scale})", pl.Boolean: "BOOLEAN", pl.Binary: "LONGBLOB"},
        **{pl.Date: "DATE", pl.Datetime: "DATETIME(6)", pl.Time: "TIME(6)"},
    }
    zoned = "TIMESTAMP(6) NULL"

    @contextmanager
    def connect(self) -> Iterator[ReadTransaction]:
        """Yield a connection in a read-only transaction that sees one snapshot."""
        with self.open(conv={}) as connection:  # without converters, cells are text or bytes
            mysql = MysqlConnection(self.address, connection)
            with translate_errors(self.address, is_opening=True):
                mysql.begin()
            yield mysql

    @contextmanager
    def open(self, **options: Any) -> Iterator[PymysqlConnection[Any]]:
        """Yield a connection of the driver with some of its options; what is not committed is rolled back at the end.

        Raises:
            UsageError: the driver is not installed, or the URL is wrong.
            DataError: the database cannot be opened.
        """
        with driver_required("MySQL"):
            import pymysql
        arguments = self._arguments()
        with translate_errors(self.address, is_opening=True):
            connection = pymysql.connect(
                **arguments, charset="utf8mb4", connect_timeout=SECONDS_TO_CONNECT, autocommit=True, **options
            )
        try:
            yield connection
        finally:
            with suppress(pymysql.err.Error):
                connection.close()

    def _arguments(self) -> dict[str, Any]:
        """The arguments of PyMySQL that the URL and the environment give.

        Raises:
            UsageError: the URL names no database, or has an unknown parameter.
        """
        location = Location(source=self.address.url)
        try:
            url = urlsplit(self.address.full_url)
            port = url.port or PORT
        except ValueError:
            raise UsageError("the URL has no valid host and port", location=location) from None
        name = unquote(url.path.removeprefix("/"))
        if not name:
            raise UsageError(
                "the URL names no database", location=location, hint="Write mysql://host/database, with its name."
            )
        parameters = {key.replace("-", "_"): value for key, value in parse_qsl(url.query)}
        user = parameters.pop("user", None)
        password = parameters.pop("password", None)
        for unknown in parameters.keys() - set(PARAMETERS):
            near = closest_match(unknown, PARAMETERS)
            raise UsageError(
                f"the URL has an unknown parameter {quote(unknown)}",
                location=location,
                hint=f"Did you mean {near}?" if near else f"Known are {join_quoted(PARAMETERS)}.",
            )
        environment = os.environ
        return {
            **{key: value == "true" if key.startswith("ssl_verify") else value for key, value in parameters.items()},
            "host": url.hostname or "localhost",
            "port": port,
            "user": unquote(url.username) if url.username else user or environment.get("MYSQL_USER"),
            "password": unquote(url.password) if url.password else password or environment.get("MYSQL_PWD", ""),
            "database": name,
        }

    def write(self, table: DatabaseWriter, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction; a new table appears with all its rows."""
        with self.open() as connection, translate_errors(self.address):
            for setting in WRITER_SETTINGS:
                connection.query(setting)
            if table.existing is not None:
                _check_engine(table, connection)
                connection.begin()  # ends with the connection, if not by COMMIT
                for statement in table.preparation(schema):
                    connection.query(statement)
                _insert(connection, table.sql_name, frames, table.columns(schema), len(schema))
                connection.commit()
                return
            staging = self.quoted(f"nncli_rows_{secrets.token_hex(8)}")
            connection.query(f"{table.creation(staging, schema)} ENGINE = InnoDB DEFAULT CHARSET = utf8mb4")
            try:
                connection.begin()
                _insert(connection, staging, frames, table.columns(schema), len(schema))
                connection.commit()
                connection.query(f"RENAME TABLE {staging} TO {table.sql_name}")
            except BaseException:
                self._drop(staging, connection)
                raise

    def _drop(self, table: str, connection: PymysqlConnection[Any]) -> None:
        """Remove a table; if the connection is lost, by another one. If the server is gone, an empty table stays."""
        with suppress(Exception):
            connection.rollback()
            connection.query(f"DROP TABLE {table}")
            return
        with suppress(Exception), self.open() as other:
            other.query(f"DROP TABLE {table}")

    def written(self, cells: pl.Series) -> pl.Series:
        """A column in a type that the driver writes; NaN, which MySQL has not, is missing."""
        dtype = cells.dtype
        if dtype.is_float():
            return cells.cast(pl.Float64).fill_nan(None)
        if isinstance(dtype, pl.Duration):
            return cells.dt.total_microseconds() / 1e6
        if isinstance(dtype, pl.Datetime):
            utc = cells if dtype.time_zone is None else cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
            return utc.dt.cast_time_unit("us")
        return super().written(cells)

    def quoted(self, name: str) -> str:
        """A name in back quotes."""
        return backquoted(name)


def _insert(
    connection: PymysqlConnection[Any], table: str, frames: Iterable[pl.DataFrame], columns: str, n_columns: int
) -> None:
    marks = ", ".join(["%s"] * n_columns)
    insertion = f"INSERT INTO {table} ({columns})".replace("%", "%%") + f" VALUES ({marks})"
    with connection.cursor() as cursor:
        for frame in frames:
            cursor.executemany(insertion, frame.rows())


def _check_engine(table: DatabaseWriter, connection: PymysqlConnection[Any]) -> None:
    """Raise a DataError if an existing table has no transactions, so that half of the rows could stay."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
            [table.target.table],
        )
        row = cursor.fetchone()
    engine = "" if row is None else str(row[0])
    if engine.lower() not in TRANSACTIONAL:
        raise DataError(
            f"the engine {engine} of the table has no transactions",
            location=Location(source=table.name),
            hint="Change it to InnoDB, or name another table.",
        )


@dataclass(frozen=True)
class MysqlConnection(ReadTransaction):
    """A connection in a read-only transaction."""

    address: DatabaseAddress
    connection: PymysqlConnection[Any]

    def begin(self) -> None:
        """Set how strings and times are read, and begin the transaction."""
        modes = self._fetch("SELECT @@SESSION.sql_mode")[0][0].split(",")
        kept = ",".join(mode for mode in modes if mode not in QUOTING_MODES)
        for statement in (f"SET SESSION sql_mode = '{kept}'", *SETTINGS):
            self.connection.query(statement)

    def _fetch(self, statement: str) -> tuple[tuple[Any, ...], ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())

    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views of the database."""
        with translate_errors(self.address):
            rows = self._fetch(TABLES)
        columns: dict[str, list[DatabaseColumn]] = {}
        for table, column, type_name, _ in rows:
            columns.setdefault(table, []).append(DatabaseColumn(column, type_name))
        return tuple(DatabaseTable(name, backquoted(name), tuple(columns[name])) for name in sorted(columns))

    def select_all(self, table: DatabaseTable) -> str:
        """The statement that returns all rows, with `float` as double: of a float the server sends six digits only."""
        columns = []
        for column in table.columns:
            name = backquoted(column.name)
            is_float = column.type.lower().startswith("float")
            columns.append(f"({name} + 0e0) AS {name}" if is_float else name)
        return f"SELECT {', '.join(columns)} FROM {table.sql_name}"

    def frames(self, statement: str, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield BATCH_ROWS rows at a time."""
        from pymysql.cursors import SSCursor

        with translate_errors(self.address):
            cursor: SSCursor = self.connection.cursor(SSCursor)
            try:
                cursor.execute(statement)
                columns = [MysqlColumn.of(field) for field in cursor._result.fields]
                check_column_names([column.name for column in columns], self.address.url)
                first_row = 1
                size = BATCH_ROWS if limit is None else min(BATCH_ROWS, limit)  # a subquery would lose the order
                while (rows := cursor.fetchmany(size)) or first_row == 1:
                    yield self._frame(columns, rows, first_row)
                    first_row += max(len(rows), 1)
            finally:
                _abandon(cursor)

    def _frame(self, columns: Sequence[MysqlColumn], rows: Sequence[Sequence[Any]], first_row: int) -> pl.DataFrame:
        cells = zip(*rows, strict=True) if rows else [() for _ in columns]
        series = []
        for column, values in zip(columns, cells, strict=True):
            try:
                series.append(column.series(values))
            except pl.exceptions.PolarsError:
                row = next(i for i, value in enumerate(values) if not column.accepts(value))
                raise DataError(
                    f"the {column.kind} {quote(values[row])} cannot be read",
                    location=Location(source=self.address.url, row=first_row + row, column=column.name),
                    hint="In a query, replace it by NULL, for example with NULLIF.",
                ) from None
        decimals = [column.name for column in columns if column.kind == "decimal"]
        return plain_columns(pl.DataFrame(series), self.address.url, first_row, decimals)


def _abandon(cursor: SSCursor) -> None:
    """Let go of a cursor, which would receive the remaining rows before it closes."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None


@contextmanager
def translate_errors(address: DatabaseAddress, *, is_opening: bool = False) -> Iterator[None]:
    """Translate errors of PyMySQL to DataErrors; a DatabaseConnectionError if another try may succeed."""
    import pymysql

    try:
        yield
    except (pymysql.err.Error, OSError, RuntimeError) as error:
        reraise_out_of_memory(error)
        number, text = (*error.args, "")[:2] if len(error.args) > 1 else (0, str(error))
        reason, location = address.without_secrets(f"{text}"), Location(source=address.url)
        if number in TEMPORARY or isinstance(error, OSError):
            message = "the database cannot be opened" if is_opening else "the connection was lost"
            raise DatabaseConnectionError(
                f"{message}: {reason}",
                location=location,
                hint="Check that the server runs and can be reached from here."
                if is_opening
                else "Start the command again.",
            ) from None
        if is_opening:
            raise DataError(
                f"the database cannot be opened: {reason}",
                location=location,
                hint="Give user and password in the URL, or as MYSQL_USER and MYSQL_PWD in the environment.",
            ) from None
        raise DataError(f"the database reports an error: {reason}", location=location) from None


BINARY_CHARSET = 63
TIMES = "%Y-%m-%d %H:%M:%S%.f"
Convert: TypeAlias = Callable[[pl.Series], pl.Series]

CONVERSIONS: dict[str, Convert] = {
    "integer": lambda texts: texts.cast(pl.Int64),
    "unsigned integer": lambda texts: texts.cast(pl.UInt64),
    "number": lambda texts: texts.cast(pl.Float64),
    "date": lambda texts: texts.str.to_date("%Y-%m-%d"),
    "datetime": lambda texts: texts.str.to_datetime(TIMES, time_unit="us"),
    "timestamp": lambda texts: texts.str.to_datetime(TIMES, time_unit="us").dt.replace_time_zone("UTC"),
    "time": lambda texts: texts.map_elements(seconds_of, return_dtype=pl.Float64),
}
"""What becomes of text; decimals are converted later, other text is kept."""


@dataclass(frozen=True)
class MysqlColumn:
    """A column of a result, with what its cells are."""

    name: str
    kind: str

    @classmethod
    def of(cls, field: Any) -> MysqlColumn:
        """The column that the server describes."""
        return cls(field.name, _kind_of(field))

    def series(self, cells: Sequence[Any]) -> pl.Series:
        """The cells as a column.

        Raises:
            polars.exceptions.PolarsError: a cell is not of the kind, such as the date 0000-00-00.
        """
        if self.kind == "binary":
            return pl.Series(self.name, cells, dtype=pl.Binary)
        if self.kind in ("bit", "bits"):
            numbers = [None if cell is None else int.from_bytes(cell, "big") for cell in cells]
            integers = pl.Series(self.name, numbers, dtype=pl.UInt64)
            return integers.cast(pl.Boolean) if self.kind == "bit" else integers
        texts = pl.Series(self.name, cells, dtype=pl.String)
        return CONVERSIONS[self.kind](texts) if self.kind in CONVERSIONS else texts

    def accepts(self, cell: Any) -> bool:
        """Whether a cell is of the kind of the column."""
        try:
            self.series([cell])
        except pl.exceptions.PolarsError:
            return False
        return True


def _kind_of(field: Any) -> str:
    """What the cells of a column are."""
    from pymysql.constants import FIELD_TYPE, FLAG

    kinds = {
        **dict.fromkeys((FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG), "integer"),
        FIELD_TYPE.YEAR: "integer",
        FIELD_TYPE.LONGLONG: "unsigned integer" if field.flags & FLAG.UNSIGNED else "integer",
        FIELD_TYPE.BIT: "bit" if field.length == 1 else "bits",
        **dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE), "number"),
        **dict.fromkeys((FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), "decimal"),
        **dict.fromkeys((FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE), "date"),
        **{FIELD_TYPE.DATETIME: "datetime", FIELD_TYPE.TIMESTAMP: "timestamp", FIELD_TYPE.TIME: "time"},
        **dict.fromkeys((FIELD_TYPE.JSON, FIELD_TYPE.NULL), "text"),
    }
    return kinds.get(field.type_code) or ("binary" if field.charsetnr == BINARY_CHARSET else "text")


def seconds_of(time: str) -> float:
    """The seconds of a time such as -12:30:00.5."""
    hours, minutes, seconds = time.lstrip("-").split(":")
    total = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return -total if time.startswith("-") else total


def backquoted(name: str) -> str:
    """A name in back quotes."""
    return "`" + name.replace("`", "``") + "`"
