"""Write a table of a SQLite file. Decimals are numbers where a double holds them; dates and times are text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing

import polars as pl

from nncli.data.sources.database.sqlite import BUSY_SECONDS, new_file_removed_on_error, translate_errors
from nncli.data.sources.database.writer import DatabaseWriter
from nncli.data.sources.database.writer_types import WIDE_INTEGERS, TypeNames

TYPES = TypeNames(
    {
        **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32), "INTEGER"),
        **dict.fromkeys(WIDE_INTEGERS, "TEXT"),  # beyond the integers of SQLite
        **dict.fromkeys((pl.Float32, pl.Float64, pl.Duration), "REAL"),
        **dict.fromkeys((pl.String, pl.Categorical, pl.Enum, pl.Null, pl.Date, pl.Datetime, pl.Time), "TEXT"),
        pl.Boolean: "BOOLEAN",
        pl.Binary: "BLOB",
    },
    zoned="TEXT",
    decimal="DECIMAL({precision}, {scale})",
)


class SqliteWriter(DatabaseWriter):
    """Writes a table of a SQLite file, which is created if it is not there."""

    @property
    def types(self) -> TypeNames:
        """The types of SQLite."""
        return TYPES

    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        marks = ", ".join("?" * len(schema))
        insertion = f"INSERT INTO {self.sql_name} ({self.columns(schema)}) VALUES ({marks})"
        with new_file_removed_on_error(self.address), translate_errors(self.address.url):
            database = sqlite3.connect(self.address.file, timeout=BUSY_SECONDS, isolation_level=None)
            with closing(database):  # which rolls back what was not committed
                database.execute("PRAGMA foreign_keys = ON")
                database.execute("BEGIN IMMEDIATE")
                for statement in self.preparation(schema):
                    database.execute(statement)
                for frame in frames:
                    database.executemany(insertion, _plain(frame).iter_rows())
                database.execute("COMMIT")


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types that SQLite knows."""
    return pl.DataFrame([_plain_column(cells) for cells in frame])


def _plain_column(cells: pl.Series) -> pl.Series:
    dtype = cells.dtype
    if isinstance(dtype, pl.Datetime):
        zone = "" if dtype.time_zone is None else "+00:00"
        utc = cells if dtype.time_zone is None else cells.dt.convert_time_zone("UTC")
        return utc.dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{zone}")
    if isinstance(dtype, pl.Duration):
        return cells.dt.total_microseconds() / 1e6
    if isinstance(dtype, (pl.Date, pl.Time, pl.Decimal, *WIDE_INTEGERS)):
        return cells.cast(pl.String)
    return cells
