"""Write a table of MySQL or MariaDB by INSERT statements of many rows.

CREATE TABLE ends a transaction there. So a new table is filled under a temporary name, and renamed at the end.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from nncli.base.errors import DataError, Location
from nncli.data.sources.database.mysql import MysqlDatabase, backquoted, translate_errors
from nncli.data.sources.database.writer import DatabaseWriter
from nncli.data.sources.database.writer_types import TypeNames

if TYPE_CHECKING:
    from pymysql.connections import Connection as PymysqlConnection

TYPES = TypeNames(
    {
        **{pl.Int8: "TINYINT", pl.Int16: "SMALLINT", pl.Int32: "INT", pl.Int64: "BIGINT"},
        **{pl.UInt8: "SMALLINT", pl.UInt16: "INT", pl.UInt32: "BIGINT", pl.UInt64: "BIGINT UNSIGNED"},
        **dict.fromkeys((pl.Int128, pl.UInt128), "DECIMAL(39, 0)"),
        **dict.fromkeys((pl.Float32, pl.Float64, pl.Duration), "DOUBLE"),
        **dict.fromkeys((pl.String, pl.Categorical, pl.Enum, pl.Null), "LONGTEXT"),
        **{pl.Boolean: "BOOLEAN", pl.Date: "DATE", pl.Datetime: "DATETIME(6)", pl.Time: "TIME(6)"},
        pl.Binary: "LONGBLOB",
    },
    zoned="TIMESTAMP(6) NULL",
    decimal="DECIMAL({precision}, {scale})",
)
TRANSACTIONAL = ("innodb", "rocksdb", "tokudb", "ndbcluster", "xpand")
SETTINGS = (
    "SET SESSION sql_mode = CONCAT(@@SESSION.sql_mode, ',STRICT_ALL_TABLES')",  # what does not fit is an error
    "SET SESSION time_zone = '+00:00'",
)


class MysqlWriter(DatabaseWriter):
    """Writes a table of a MySQL or MariaDB database."""

    @property
    def types(self) -> TypeNames:
        """The types of MySQL."""
        return TYPES

    def quoted(self, name: str) -> str:
        """A name in back quotes."""
        return backquoted(name)

    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction; a new table appears with all its rows."""
        with MysqlDatabase(self.address).open() as connection, translate_errors(self.address):
            for setting in SETTINGS:
                connection.query(setting)
            if self.existing is not None:
                self._check_engine(connection)
                connection.begin()  # ends with the connection, if not by COMMIT
                for statement in self.preparation(schema):
                    connection.query(statement)
                self._insert(connection, self.sql_name, frames, schema)
                connection.commit()
                return
            staging = self.quoted(f"nncli_rows_{secrets.token_hex(8)}")
            connection.query(f"{self.creation(staging, schema)} ENGINE = InnoDB DEFAULT CHARSET = utf8mb4")
            try:
                connection.begin()
                self._insert(connection, staging, frames, schema)
                connection.commit()
                connection.query(f"RENAME TABLE {staging} TO {self.sql_name}")
            except BaseException:
                self._drop(staging, connection)
                raise

    def _drop(self, table: str, connection: PymysqlConnection[Any]) -> None:
        """Remove a table; if the connection is lost, by another one. If the server is gone, an empty table stays."""
        with suppress(Exception):
            connection.rollback()
            connection.query(f"DROP TABLE {table}")
            return
        with suppress(Exception), MysqlDatabase(self.address).open() as other:
            other.query(f"DROP TABLE {table}")

    def _insert(
        self, connection: PymysqlConnection[Any], table: str, frames: Iterable[pl.DataFrame], schema: pl.Schema
    ) -> None:
        marks = ", ".join(["%s"] * len(schema))
        columns = self.columns(schema).replace("%", "%%")
        insertion = f"INSERT INTO {table.replace('%', '%%')} ({columns}) VALUES ({marks})"
        with connection.cursor() as cursor:
            for frame in frames:
                cursor.executemany(insertion, _plain(frame).rows())

    def _check_engine(self, connection: PymysqlConnection[Any]) -> None:
        """Raise a DataError if an existing table has no transactions, so that half of the rows could stay."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT engine FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s",
                [self.target.table],
            )
            row = cursor.fetchone()
        engine = "" if row is None else str(row[0])
        if engine.lower() not in TRANSACTIONAL:
            raise DataError(
                f"the engine {engine} of the table has no transactions",
                location=Location(source=self.name),
                hint="Change it to InnoDB, or name another table.",
            )


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types that the driver writes; NaN, which MySQL has not, is missing."""
    return pl.DataFrame([_plain_column(cells) for cells in frame])


def _plain_column(cells: pl.Series) -> pl.Series:
    dtype = cells.dtype
    if dtype.is_float():
        return cells.cast(pl.Float64).fill_nan(None)
    if isinstance(dtype, pl.Duration):
        return cells.dt.total_microseconds() / 1e6
    if isinstance(dtype, pl.Datetime):
        utc = cells if dtype.time_zone is None else cells.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return utc.dt.cast_time_unit("us")
    return cells
