"""Read and write Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars

from nncli.data.io.file_format import FileFormat, as_tables
from nncli.data.io.input_file import InputFile
from nncli.data.io.part_sink import open_part_sink
from nncli.data.io.read_options import ReadOptions
from nncli.data.io.sinks import Sink, Writable
from nncli.data.io.streams import PARQUET_MAGIC, POLARS_ERRORS, to_temporary_file, translate_os_errors
from nncli.data.table import Table
from nncli.errors import DataError, Location, reraise_out_of_memory


class ParquetFormat(FileFormat):
    """The Parquet format: typed, compressed columns that can be read from any row."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins with the magic bytes of Parquet."""
        return head.startswith(PARQUET_MAGIC)

    def count_rows(self, file: InputFile) -> int:
        """The number of rows, from the metadata at the end of the file."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path, file.name):
            return count_parquet_rows(file.path, file.name)

    def read_schema(self, file: InputFile) -> polars.Schema:
        """The types of the columns, from the metadata at the end of the file."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path, file.name):
            _check_magic(file.path, file.name)
            with _translate_polars_errors(file.name):
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

    @contextmanager
    def open_sink(self, file: Writable, path: Path | None, *, escape_formulas: bool = False) -> Iterator[Sink]:
        """Yield a sink that joins its row groups into the file at the end."""
        with open_part_sink(ParquetParts(), file, path) as sink:
            yield sink


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
    _check_magic(path, source)
    with _translate_polars_errors(source):
        scan = _scan(path)
        count = _length(scan)
        for first in range(0, max(count, 1), rows or max(count, 1)):
            yield first + 1, (scan if rows is None else scan.slice(first, rows)).collect()


def count_parquet_rows(path: Path, source: str) -> int:
    """The number of rows, which is stored in the file.

    Raises:
        DataError: the file is not a Parquet file, or it is damaged.
    """
    _check_magic(path, source)
    with _translate_polars_errors(source):
        return _length(_scan(path))


def _scan(path: Path) -> polars.LazyFrame:
    """The rows of a file, with no glob patterns in its name, and no columns from the names of folders."""
    return polars.scan_parquet(path, glob=False, hive_partitioning=False)


def _length(scan: polars.LazyFrame) -> int:
    return int(scan.select(polars.len()).collect().item())


def _check_magic(path: Path, source: str) -> None:
    """Raise a DataError if a file does not begin as Parquet does."""
    with path.open("rb") as file:
        head = file.read(len(PARQUET_MAGIC))
    if head != PARQUET_MAGIC:
        raise DataError(
            "this is not a Parquet file" if head else "the file is empty",
            location=Location(source=source),
            hint="If it is text, name it .csv, .tsv or .jsonl, or set its format." if head else None,
        )


@contextmanager
def _translate_polars_errors(source: str) -> Iterator[None]:
    """Translate errors of Polars about a file to DataErrors."""
    try:
        yield
    except POLARS_ERRORS as error:
        reraise_out_of_memory(error)
        raise DataError(
            f"the Parquet file is damaged or not supported: {str(error).splitlines()[0]}",
            location=Location(source=source),
            hint="Write or copy it again.",
        ) from error
