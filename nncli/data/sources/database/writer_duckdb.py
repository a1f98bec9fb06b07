"""Write a table of a DuckDB file, from Arrow batches."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from nncli.data.sources.database.database import driver_required
from nncli.data.sources.database.duckdb import settings, translate_errors
from nncli.data.sources.database.sqlite import new_file_removed_on_error
from nncli.data.sources.database.writer import DatabaseWriter
from nncli.data.sources.database.writer_types import TypeNames

TYPES = TypeNames(
    {
        **{pl.Int8: "TINYINT", pl.Int16: "SMALLINT", pl.Int32: "INTEGER", pl.Int64: "BIGINT", pl.Int128: "HUGEINT"},
        **{pl.UInt8: "UTINYINT", pl.UInt16: "USMALLINT", pl.UInt32: "UINTEGER", pl.UInt64: "UBIGINT"},
        **{pl.UInt128: "UHUGEINT", pl.Float32: "FLOAT", pl.Float64: "DOUBLE", pl.Boolean: "BOOLEAN"},
        **dict.fromkeys((pl.String, pl.Categorical, pl.Enum, pl.Null), "VARCHAR"),
        **{pl.Date: "DATE", pl.Datetime: "TIMESTAMP", pl.Time: "TIME", pl.Duration: "INTERVAL", pl.Binary: "BLOB"},
    },
    zoned="TIMESTAMP WITH TIME ZONE",
    decimal="DECIMAL({precision}, {scale})",
)
ROWS = "nncli_rows"


@dataclass(frozen=True)
class _ArrowStream:
    """A frame that is a stream of Arrow and nothing else; DuckDB would ask PyArrow for one of Polars."""

    frame: pl.DataFrame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.frame.__arrow_c_stream__(requested_schema)


class DuckdbWriter(DatabaseWriter):
    """Writes a table of a DuckDB file, which is created if it is not there."""

    @property
    def types(self) -> TypeNames:
        """The types of DuckDB."""
        return TYPES

    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        with driver_required("DuckDB"):
            import duckdb
        columns = self.columns(schema)
        insertion = f"INSERT INTO {self.sql_name} ({columns}) SELECT {columns} FROM {ROWS}"
        with new_file_removed_on_error(self.address), translate_errors(self.address.url):
            connection = duckdb.connect(self.address.file, config=settings(self.address))
            with closing(connection):  # which rolls back what was not committed
                connection.execute("BEGIN TRANSACTION")
                for statement in self.preparation(schema):
                    connection.execute(statement)
                for frame in frames:
                    connection.register(ROWS, _ArrowStream(_plain(frame)))
                    connection.execute(insertion)
                    connection.unregister(ROWS)
                connection.execute("COMMIT")


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types of Arrow that DuckDB reads; integers of 128 bits as text, which it casts."""
    selectors = pl.selectors
    return frame.with_columns(
        selectors.by_dtype(pl.Int128, pl.UInt128, pl.Null).cast(pl.String),
        selectors.categorical().cast(pl.String),
        selectors.by_dtype(pl.Enum).cast(pl.String),
    )
