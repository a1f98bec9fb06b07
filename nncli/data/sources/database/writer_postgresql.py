"""Write a table of PostgreSQL by COPY into a temporary table, whose rows are then inserted with the casts they need."""

from __future__ import annotations

import io
import secrets
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import polars as pl

from nncli.base.errors import DataError, Location
from nncli.base.scratch import Scratch
from nncli.data.formats.file_format import as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile, translate_os_errors
from nncli.data.sources.database.column_types import BLOCK_ROWS, blocks_of
from nncli.data.sources.database.database import DatabaseColumn
from nncli.data.sources.database.postgresql import PostgresqlConnection, PostgresqlDatabase
from nncli.data.sources.database.rows_digest import RowsDigest
from nncli.data.sources.database.writer import DatabaseWriter
from nncli.data.sources.database.writer_types import ACCEPTED, WIDE_INTEGERS, TypeNames, matches
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.table import Table

TYPES = TypeNames(
    {
        **dict.fromkeys((pl.Int8, pl.UInt8, pl.Int16), "smallint"),
        **dict.fromkeys((pl.UInt16, pl.Int32), "integer"),
        **dict.fromkeys((pl.UInt32, pl.Int64), "bigint"),
        **dict.fromkeys((pl.UInt64, pl.Int128, pl.UInt128), "numeric"),
        **{pl.Float32: "real", pl.Float64: "double precision", pl.Boolean: "boolean"},
        **dict.fromkeys((pl.String, pl.Categorical, pl.Enum, pl.Null), "text"),
        **{pl.Date: "date", pl.Datetime: "timestamp", pl.Time: "time", pl.Duration: "interval", pl.Binary: "bytea"},
    },
    zoned="timestamp with time zone",
    decimal="numeric({precision}, {scale})",
)
MAX_NAME = 63
"""Bytes of a name; PostgreSQL cuts off the rest."""


class PostgresqlWriter(DatabaseWriter):
    """Writes a table of a PostgreSQL database."""

    @property
    def types(self) -> TypeNames:
        """The types of PostgreSQL."""
        return TYPES

    def write(self, frames: Iterable[pl.DataFrame], schema: pl.Schema) -> None:
        """Write all rows in one transaction, which also covers a new table."""
        self._check_names(list(schema))
        staging = f"nncli_rows_{secrets.token_hex(8)}"
        with PostgresqlDatabase(self.address).open(["BEGIN"]) as connection, connection.translate_errors():
            for statement in self.preparation(schema):
                connection.execute(statement)
            for i, frame in enumerate(frames):
                _copy(connection, _plain(frame), staging, is_first=i == 0)
            columns = self.columns(schema)
            values = ", ".join(self._value(name, dtype) for name, dtype in schema.items())
            connection.execute(f"INSERT INTO {self.sql_name} ({columns}) SELECT {values} FROM pg_temp.{staging}")
            connection.execute(f"DROP TABLE pg_temp.{staging}")
            connection.execute("COMMIT")

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            if len(name.encode()) > MAX_NAME:
                raise DataError(
                    f"the name of a column has more than {MAX_NAME} bytes, which PostgreSQL would cut off",
                    location=Location(source=self.name, column=name),
                    hint="Rename the column, or write the answers to a file.",
                )

    def _value(self, name: str, dtype: pl.DataType) -> str:
        """The expression of a column, cast to a type that has no cast from text by itself, such as uuid."""
        quoted = self.quoted(name)
        column = next((c for c in self._existing_columns if c.name == name), None)
        if column is not None and not any(matches(form, column.type) for form, _ in ACCEPTED):
            return f"{quoted}::{column.type}"
        return f"{quoted}::numeric" if isinstance(dtype, WIDE_INTEGERS) else quoted

    @property
    def _existing_columns(self) -> tuple[DatabaseColumn, ...]:
        return () if self.existing is None else self.existing.columns


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


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types of Arrow that the driver writes."""
    return pl.DataFrame([_plain_column(cells) for cells in frame])


def _plain_column(cells: pl.Series) -> pl.Series:
    dtype = cells.dtype
    if isinstance(dtype, (pl.Categorical, pl.Enum, pl.Null, *WIDE_INTEGERS)):  # PostgreSQL has numeric alone for these
        return cells.cast(pl.String)
    if isinstance(dtype, pl.Datetime):
        return cells.dt.cast_time_unit("us")
    return cells


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, name: str) -> ArrowCopyReader:
    """Write rows into files in a folder, in place of earlier ones, and return their reader.

    Raises:
        NncliError: the files cannot be written.
    """
    digest = RowsDigest()
    parts = 0
    for block in blocks_of(frames):
        digest.update(block)
        content = io.BytesIO()  # written here, as Polars reports a full disk as an error of the format
        block.write_ipc(content, compression="uncompressed")
        with Scratch(folder).translate_os_errors():
            _part(folder, parts).write_bytes(content.getbuffer())
        parts += 1
    with Scratch(folder).translate_os_errors():
        for i in count(parts):
            if not (earlier := _part(folder, i)).exists():
                break
            earlier.unlink()
    return ArrowCopyReader(folder, name, parts, digest.hexdigest())


def _part(folder: Path, i: int) -> Path:
    return folder / f"{i}.arrow"


@dataclass(frozen=True)
class ArrowCopyReader(TableReader):
    """Reads the files of `write_rows`; `rows_name` is what messages call the table."""

    folder: Path
    rows_name: str
    parts: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of the original."""
        return self.rows_name

    @property
    def is_columnar(self) -> bool:
        """Columns have types."""
        return True

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield a table for each block."""
        yield from as_tables(self._frames(), InputFile(self.folder, self.name), options)

    def _frames(self) -> Iterator[tuple[int, pl.DataFrame]]:
        for i in range(self.parts):
            path = _part(self.folder, i)
            with translate_os_errors(path):
                yield 1 + i * BLOCK_ROWS, pl.read_ipc(path)

    def checksum(self) -> Checksum:
        """The digest of the rows."""
        return Checksum(self.sha256)
