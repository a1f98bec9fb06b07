"""Read and write Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import IO

import polars

from nncli.data.formats.compression import CompressionError
from nncli.data.formats.file_format import FileFormat, as_tables
from nncli.data.formats.parquet_pages import ParquetError, ParquetIndex, check_pages, read_index
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.registry import FileOptions
from nncli.data.formats.sinks import Sink, Writable, open_part_sink
from nncli.data.formats.streams import (
    PARQUET_MAGIC,
    InputFile,
    to_temporary_file,
    translate_damage,
    translate_os_errors,
    wrong_format,
)
from nncli.data.table import Table


class ParquetFormat(FileFormat):
    """The Parquet format: typed, compressed columns that can be read from any row."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins with the magic bytes of Parquet."""
        return head.startswith(PARQUET_MAGIC)

    def count_rows(self, file: InputFile) -> int:
        """The number of rows, from the metadata at the end of the file."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path, file.name), _open(file.path, file.name) as (_, index):
            return index.rows

    def read_schema(self, file: InputFile) -> polars.Schema:
        """The types of the columns, from the metadata at the end of the file."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path, file.name), _open(file.path, file.name):
            return polars.Schema(polars.read_parquet_schema(file.path))

    def read_file(self, file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a file, `options.rows` rows at a time, or one table of all rows."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path, file.name):
            yield from as_tables(read_parquet(file.path, file.name, options.rows), file, options)

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a stream, which is copied to a temporary file first."""
        with to_temporary_file(stream) as copy:
            yield from as_tables(read_parquet(copy, file.name, options.rows), file, options)

    def open_sink(self, file: Writable, path: Path | None, options: FileOptions) -> AbstractContextManager[Sink]:
        """Yield a sink that joins its row groups into the file at the end."""
        return open_part_sink(ParquetParts(), file, path)


class ParquetParts:
    """Writes Parquet files and joins them."""

    def write(self, frame: polars.DataFrame, file: IO[bytes]) -> None:
        frame.write_parquet(file)

    def join(self, parts: list[Path], joined: Path) -> None:
        polars.concat(map(polars.scan_parquet, parts), how="vertical_relaxed").sink_parquet(joined)


def read_parquet(path: Path, source: str, rows: int | None) -> Iterator[tuple[int, polars.DataFrame]]:
    """Yield the number of the first row and the rows: `rows` at a time, or all of them if None.

    Raises:
        DataError: the file is not a Parquet file, or it is damaged.
    """
    with _open(path, source) as (file, index):
        scan = polars.scan_parquet(path, glob=False, hive_partitioning=False)  # no patterns, no columns of folders
        ends = [*accumulate(n for n, _ in index.groups)]
        group = 0
        for first in range(0, max(index.rows, 1), rows or max(index.rows, 1)):
            last = index.rows if rows is None else first + rows
            while group < len(ends) and (group == 0 or ends[group - 1] < last):
                check_pages(file, index, group)
                group += 1
            frame = (scan if rows is None else scan.slice(first, rows)).collect()
            yield first + 1, frame


@contextmanager
def _open(path: Path, source: str) -> Iterator[tuple[IO[bytes], ParquetIndex]]:
    """Yield a file and its index; translate errors about it to DataErrors."""
    with path.open("rb", buffering=0) as file:
        if (head := file.read(len(PARQUET_MAGIC))) != PARQUET_MAGIC:
            raise wrong_format("this is not a Parquet file", head, source)
        with translate_damage("the Parquet file", source, ParquetError, CompressionError):
            yield file, read_index(file)
