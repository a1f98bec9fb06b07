"""SQLite, by the standard library. Decimals are written as numbers where a double holds them, dates and times as text.

A column of SQLite has no type, only its cells have. One pass over the rows finds the types of each column, before they
are read: numbers only are numbers, numbers and texts are text, as in a CSV.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias
from urllib.parse import quote as quote_url

import polars as pl

from nncli.base.errors import DataError, Location
from nncli.data.formats.streams import missing_file_hint
from nncli.data.sources.database.address import DatabaseAddress
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
    quoted_name,
)

BATCH_ROWS = 16_384
COLUMNS_AT_A_TIME = 300
"""Columns whose types are asked for at once: SQLite allows 2,000 results."""
BUSY_SECONDS = 5.0
TABLES = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY 1"
Convert: TypeAlias = Callable[[Any], Any]


TESTS = {
    "integer": "typeof({0}) = 'integer'",
    "large": "typeof({0}) = 'integer' AND {0} NOT BETWEEN -9007199254740992 AND 9007199254740992",
    "real": "typeof({0}) = 'real'",
    "text": "typeof({0}) = 'text'",
    "blob": "typeof({0}) = 'blob'",
}
"""Expressions that tell whether a cell is of a type; large integers are not exact in float64."""


class SqliteDatabase(Database):
    """A SQLite file, which is created if rows are written to one that is not there."""

    types: ClassVar = {
        **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32), "INTEGER"),
        **dict.fromkeys((*TEXT_TYPES, *WIDE_INTEGERS, pl.Date, pl.Datetime, pl.Time), "TEXT"),
        **dict.fromkeys((pl.Float32, pl.Float64, pl.Duration), "REAL"),
        **{pl.Decimal: "DECIMAL({precision}, {scale})", pl.Boolean: "BOOLEAN", pl.Binary: "BLOB"},
    }
    zoned = "TEXT"

    @contextmanager
    def connect(self) -> Iterator[ReadTransaction]:
        """Yield a connection in a transaction that sees one snapshot."""
        check_database_file(self.address)
        uri = f"file:{quote_url(str(self.address.file.absolute()))}?mode=ro"
        with translate_errors(self.address.url):
            # One thread may read batches and another close the connection, never at the same time.
            database = sqlite3.connect(
                uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        with closing(database):
            with translate_errors(self.address.url):
                database.execute("PRAGMA query_only = ON")
                database.execute("BEGIN")
            yield SqliteConnection(self.address.url, database)

    def write(self, table: DatabaseWriter, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        marks = ", ".join("?" * len(schema))
        insertion = f"INSERT INTO {table.sql_name} ({table.columns(schema)}) VALUES ({marks})"
        with new_file_removed_on_error(self.address), translate_errors(self.address.url):
            database = sqlite3.connect(self.address.file, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(database):  # which rolls back what was not committed
                database.execute("PRAGMA foreign_keys = ON")
                database.execute("BEGIN IMMEDIATE")
                for statement in table.preparation(schema):
                    database.execute(statement)
                for frame in frames:
                    database.executemany(insertion, frame.iter_rows())
                database.execute("COMMIT")

    def written(self, cells: pl.Series) -> pl.Series:
        """A column in a type that SQLite knows."""
        dtype = cells.dtype
        if isinstance(dtype, pl.Datetime):
            zone = "" if dtype.time_zone is None else "+00:00"
            utc = cells if dtype.time_zone is None else cells.dt.convert_time_zone("UTC")
            return utc.dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{zone}")
        if isinstance(dtype, pl.Duration):
            return cells.dt.total_microseconds() / 1e6
        return cells.cast(pl.String) if isinstance(dtype, pl.Date | pl.Time | pl.Decimal) else super().written(cells)


@dataclass(frozen=True)
class SqliteConnection(ReadTransaction):
    """A connection in a read-only transaction."""

    url: str
    database: sqlite3.Connection

    def tables(self) -> tuple[DatabaseTable, ...]:
        """The tables and views of the file."""
        with translate_errors(self.url):
            names = [name for (name,) in self.database.execute(TABLES)]
            return tuple(DatabaseTable(name, quoted_name(name), self._columns(name)) for name in names)

    def _columns(self, table: str) -> tuple[DatabaseColumn, ...]:
        rows = self.database.execute("SELECT name, type FROM pragma_table_info(?)", [table])
        return tuple(DatabaseColumn(name, type_name) for name, type_name in rows)

    def frames(self, statement: str, limit: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield BATCH_ROWS rows at a time."""
        with translate_errors(self.url, self.database), closing(self.database.execute(statement)) as cursor:
            names = [column[0] for column in cursor.description]
            check_column_names(names, self.url)
            columns = dict(zip(names, self._column_types(statement, len(names), limit), strict=True))
            empty = pl.DataFrame(schema={name: dtype for name, (dtype, _) in columns.items()})
            yield empty
            while rows := cursor.fetchmany(BATCH_ROWS if limit is None else min(BATCH_ROWS, limit)):
                cells = zip(*rows, strict=True)
                yield pl.DataFrame(
                    [_series(name, values, *columns[name]) for name, values in zip(names, cells, strict=True)]
                )

    def _column_types(
        self, statement: str, n_columns: int, limit: int | None
    ) -> list[tuple[pl.DataType, Convert | None]]:
        """The type of each column and the conversion of its cells, from the types of its cells, all or `limit`."""
        rows = "nncli_rows" if limit is None else f"(SELECT * FROM nncli_rows LIMIT {limit})"
        names = [f"c{i}" for i in range(n_columns)]
        types: list[tuple[pl.DataType, Convert | None]] = []
        for start in range(0, n_columns, COLUMNS_AT_A_TIME):
            part = names[start : start + COLUMNS_AT_A_TIME]
            tests = ", ".join(f"max({test.format(name)})" for name in part for test in TESTS.values())
            query = f"WITH nncli_rows({', '.join(names)}) AS ({statement}) SELECT {tests} FROM {rows}"
            flags = [bool(cell) for cell in self.database.execute(query).fetchone()]
            types += [_column_type(*flags[i : i + len(TESTS)]) for i in range(0, len(flags), len(TESTS))]
        return types


def _column_type(integer: bool, large: bool, real: bool, text: bool, blob: bool) -> tuple[pl.DataType, Convert | None]:
    """The type of a column that has cells of these types, and the conversion of its cells."""
    if blob:
        return pl.Binary(), _to_bytes if integer or real or text else None
    if text or (real and large):
        return pl.String(), _to_text if integer or real else None
    if real:
        return pl.Float64(), float if integer else None
    return (pl.Int64() if integer else pl.String()), None


def _to_text(cell: Any) -> str:
    """A number as it would be spelled in a CSV, with all digits that it needs."""
    return cell if isinstance(cell, str) else repr(cell)


def _to_bytes(cell: Any) -> bytes:
    return cell if isinstance(cell, bytes) else _to_text(cell).encode()


def _series(name: str, cells: Sequence[Any], dtype: pl.DataType, convert: Convert | None) -> pl.Series:
    if convert is not None:
        cells = [None if cell is None else convert(cell) for cell in cells]
    return pl.Series(name, cells, dtype=dtype)


def _damaged(reason: str, url: str) -> DataError:
    return DataError(
        f"the database is damaged: {reason}", location=Location(source=url), hint="Write or copy it again."
    )


@contextmanager
def translate_errors(url: str, database: sqlite3.Connection | None = None) -> Iterator[None]:
    """Translate errors of SQLite to DataErrors; a DatabaseConnectionError if another program has locked the file."""
    try:
        yield
    except MemoryError:  # also of a record that is said to be huge
        if database is None or database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",):
            raise
        raise _damaged("a record is longer than the file", url) from None
    except UnicodeDecodeError as error:
        raise _damaged(f"a name is not UTF-8 ({error})", url) from None
    except sqlite3.Error as error:
        location = Location(source=url)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise DatabaseConnectionError(
                "another program is writing the database", location=location, hint="Start the command again later."
            ) from None
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_NOTADB:
            raise DataError("this is not a SQLite database", location=location) from None
        raise DataError(f"SQLite reports an error: {error}", location=location) from None
    except (TypeError, OverflowError) as error:
        raise DataError(
            f"the types of the rows changed while they were read: {error}",
            location=Location(source=url),
            hint="Use no random() or other functions that return another value each time.",
        ) from None


def check_database_file(address: DatabaseAddress) -> None:
    """Raise a DataError if there is no file at the address of a local database."""
    path, location = address.file, Location(source=address.url)
    if path.is_dir():
        raise DataError("this is a folder, not a database file", location=location, hint="Name a file inside it.")
    if not path.exists():
        raise DataError("there is no such database file", location=location, hint=missing_file_hint(path))


@contextmanager
def new_file_removed_on_error(address: DatabaseAddress) -> Iterator[None]:
    """Remove the file of a local database if it was created in the block, and the block fails."""
    path = address.file
    if path.exists():
        yield
        return
    try:
        yield
    except BaseException:
        for name in (path.name, f"{path.name}.wal", f"{path.name}-journal"):
            Path(path.parent, name).unlink(missing_ok=True)
        raise
