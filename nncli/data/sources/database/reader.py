"""A table or query of a database as a table source, and the local copy of its rows."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, count, takewhile
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import polars as pl

from nncli.base.errors import Location, UsageError
from nncli.base.scratch import Scratch
from nncli.data.columns.decimal_marks import with_column_decimals
from nncli.data.formats.file_format import as_tables
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import InputFile, translate_os_errors
from nncli.data.sources.database.column_types import BLOCK_ROWS, blocks_of
from nncli.data.sources.database.database import (
    Database,
    ReadTransaction,
    database_of,
    find_table,
    tables_of,
    with_retries,
)
from nncli.data.sources.database.sql import check_query
from nncli.data.sources.table_reader import Checksum, TableChoice, TableReader
from nncli.data.sources.table_source import TableSource
from nncli.data.table import Table, unnamed

T = TypeVar("T")


@dataclass(frozen=True)
class DatabaseReader(TableReader):
    """Reads a table or the rows of a query, in one read-only transaction each time."""

    source: TableSource
    database: Database
    needs_copy: ClassVar[bool] = True  # the rows may change between two readings

    @classmethod
    def of(cls, source: TableSource) -> DatabaseReader:
        """The reader of a source. The database is not opened yet.

        Raises:
            UsageError: the URL is wrong, or the query is not one SELECT statement.
        """
        if source.table is not None and source.query is not None:
            raise UsageError(
                "a table and a query exclude each other",
                location=Location(source=source.path),
                hint="Remove one of them.",
            )
        database = database_of(source)
        if source.query is not None:
            check_query(source.query, database.address.kind, source.path)
        return cls(source, database)

    @property
    def name(self) -> str:
        """The URL without credentials, and the table."""
        return self.source.title

    @property
    def is_columnar(self) -> bool:
        """Columns have types."""
        return True

    def choice(self) -> TableChoice | None:
        """The tables of the database, if the source names none of several and has no query."""
        if self.source.table is not None or self.source.query is not None:
            return None
        tables = tables_of(self.source)
        return None if len(tables) == 1 else TableChoice("table", tuple(table.name for table in tables))

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the rows in blocks. After the first block, a lost connection is an error."""

        def begin() -> tuple[pl.DataFrame, Generator[pl.DataFrame]]:
            rest = self._frames(options.limit)
            return next(rest), rest

        first, rest = with_retries(begin)
        with closing(rest):
            numbered = ((1 + i * BLOCK_ROWS, block) for i, block in enumerate(blocks_of(chain([first], rest))))
            tables = as_tables(numbered, InputFile(None, self.name), options)
            yield from with_column_decimals(tables, options.dialect, options.known_dialect)

    def checksum(self) -> Checksum:
        """The digest of the rows, which are read for it."""
        return Checksum(with_retries(lambda: self._with_frames(digest_of)))

    def copy_to(self, folder: Path) -> TableReader:
        """Copy the rows into Arrow files."""
        return with_retries(lambda: self._with_frames(lambda frames: write_rows(frames, folder, self.name)))

    def _with_frames(self, use: Callable[[Iterator[pl.DataFrame]], T]) -> T:
        with closing(self._frames()) as frames:
            return use(frames)

    def _frames(self, limit: int | None = None) -> Generator[pl.DataFrame]:
        with self.database.connect() as connection, closing(self._of(connection, limit)) as frames:
            left = limit
            for frame in frames:
                yield frame if left is None else frame.head(left)
                if left is not None:
                    left -= frame.height
                    if left <= 0:
                        return

    def _of(self, connection: ReadTransaction, limit: int | None) -> Generator[pl.DataFrame]:
        if self.source.query is None:
            statement = connection.select_all(find_table(connection.tables(), self.source))
            yield from connection.frames(statement if limit is None else f"{statement} LIMIT {limit}")
        else:
            statement = check_query(self.source.query, self.database.address.kind, self.source.path)
            yield from connection.frames(statement, limit)


def digest_of(frames: Iterable[pl.DataFrame]) -> str:
    """The SHA-256 of rows, in hexadecimal. It follows from their values alone.

    The bytes of an Arrow or Parquet file also follow from the batches that the rows came in, and from the version of
    the library that wrote them.
    """
    digest = hashlib.sha256()
    for block in blocks_of(frames):
        _add(block, digest)
    return digest.hexdigest()


def _add(block: pl.DataFrame, digest: hashlib._Hash) -> None:
    digest.update(repr((block.height, dict(block.schema))).encode())
    for cells in block:
        for content in _buffers(unnamed(cells)):
            digest.update(content)


def _buffers(cells: pl.Series) -> Iterator[bytes | memoryview]:
    """The bytes of a column: which cells are null, and the values of the others."""
    yield cells.null_count().to_bytes(8, "little")
    if cells.null_count():
        yield np.packbits(cells.is_null().to_numpy()).data
        cells = cells.drop_nulls()
    dtype = cells.dtype
    if isinstance(dtype, pl.Struct):
        for field in cells.struct.unnest():
            yield from _buffers(unnamed(field))
    elif isinstance(dtype, pl.List | pl.Array):
        lists = cells.arr.to_list() if isinstance(dtype, pl.Array) else cells
        lengths = lists.list.len()
        yield _values(lengths)
        yield from _buffers(lists.filter(lengths > 0).explode())
    elif dtype == pl.String:
        yield _values(cells.str.len_bytes())
        yield "".join(cells).encode()
    elif dtype == pl.Binary:
        yield _values(cells.bin.size())
        yield b"".join(cells)
    elif dtype != pl.Null:
        yield _values(cells.to_physical())


def _values(numbers: pl.Series) -> memoryview:
    return np.ascontiguousarray(numbers.to_numpy()).view(np.uint8).data


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, name: str) -> ArrowCopyReader:
    """Write rows into files in a folder, in place of earlier ones, and return their reader.

    Raises:
        NncliError: the files cannot be written.
    """
    digest, parts = hashlib.sha256(), 0
    for parts, block in enumerate(blocks_of(frames), start=1):
        _add(block, digest)
        content = io.BytesIO()  # written here, as Polars reports a full disk as an error of the format
        block.write_ipc(content, compression="uncompressed")
        with Scratch(folder).translate_os_errors():
            _part(folder, parts - 1).write_bytes(content.getbuffer())
    with Scratch(folder).translate_os_errors():
        for earlier in takewhile(Path.exists, (_part(folder, i) for i in count(parts))):
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
        tables = as_tables(self._frames(), InputFile(self.folder, self.name), options)
        yield from with_column_decimals(tables, options.dialect, options.known_dialect)

    def _frames(self) -> Iterator[tuple[int, pl.DataFrame]]:
        for i in range(self.parts):
            path = _part(self.folder, i)
            with translate_os_errors(path):
                yield 1 + i * BLOCK_ROWS, pl.read_ipc(path)

    def checksum(self) -> Checksum:
        """The digest of the rows."""
        return Checksum(self.sha256)
