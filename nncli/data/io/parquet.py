"""Read and write Parquet files."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import polars

from nncli.data.io.file_format import FileFormat, as_tables
from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.io.sinks import ColumnCheck, Sink, Writable, translate_write_errors
from nncli.data.io.streams import (
    PARQUET_MAGIC,
    POLARS_ERRORS,
    is_stream,
    to_temporary_file,
    translate_os_errors,
)
from nncli.data.table import Table
from nncli.errors import DataError, Location, reraise_out_of_memory

ROW_GROUP = 262_144
"""Rows of a row group, the default of Polars."""


class ParquetFormat(FileFormat):
    """The Parquet format: typed, compressed columns that can be read from any row."""

    def detects(self, head: bytes) -> bool:
        """Whether the stream begins with the magic bytes of Parquet."""
        return head == PARQUET_MAGIC

    def count_rows(self, file: InputFile) -> int:
        """The number of rows, from the metadata at the end of the file."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path):
            return count_parquet_rows(file.path, file.name)

    def read_file(self, file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a file, `options.rows` rows at a time, or one table of all rows."""
        assert file.path is not None, "standard input is read as a stream"
        with translate_os_errors(file.path):
            yield from as_tables(read_parquet(file.path, file.name, options.rows), file, options)

    def read_stream(self, stream: IO[bytes], file: InputFile, options: ReadOptions) -> Iterator[Table]:
        """Yield the tables of a stream, which is copied to a temporary file first."""
        with to_temporary_file(stream) as copy:
            yield from as_tables(read_parquet(copy, file.name, options.rows), file, options)

    @contextmanager
    def open_sink(self, file: Writable, path: Path | None, *, escape_formulas: bool = False) -> Iterator[Sink]:
        """Yield a sink that joins its row groups into the file at the end."""
        # Parts are written to the folder of the file: the temporary folder of the system may be in memory.
        folder = None if path is None or is_stream(path) else path.parent
        sink = ParquetSink(file, Path(tempfile.mkdtemp(prefix=".nncli-", dir=folder)), ColumnCheck.of(path))
        try:
            yield sink
            sink.finish()
        finally:
            sink.clear()


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


@dataclass
class ParquetSink:
    """Collects chunks into row groups, writes each to a temporary file, and joins the files at the end."""

    file: Writable
    folder: Path
    columns: ColumnCheck
    pending: list[polars.DataFrame] = field(default_factory=list)
    parts: list[Path] = field(default_factory=list)
    temporary_files: list[Path] = field(default_factory=list)

    def write(self, frame: polars.DataFrame) -> None:
        self.columns.begin(frame)
        self.pending.append(frame)
        if sum(chunk.height for chunk in self.pending) >= ROW_GROUP:
            self.write_part()

    def write_part(self) -> None:
        part = self.folder / f"{len(self.parts)}.parquet"
        rows = io.BytesIO()  # written here, as Polars reports a full disk as an error of the format
        concat_chunks(self.pending, self.columns.source).write_parquet(rows)
        self.temporary_files.append(part)
        part.write_bytes(rows.getbuffer())
        self.parts.append(part)
        self.pending.clear()

    def finish(self) -> None:
        """Join the parts into one file."""
        if self.pending:
            self.write_part()
        if len(self.parts) > 1:
            joined = self.folder / "joined.parquet"
            self.temporary_files.append(joined)
            with translate_write_errors(polars.DataFrame(), self.columns.source):
                polars.concat(map(polars.scan_parquet, self.parts), how="vertical_relaxed").sink_parquet(joined)
            self.parts = [joined]
        for part in self.parts:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, self.file, 1 << 20)

    def clear(self) -> None:
        """Remove the temporary files and their folder, ignoring errors."""
        for part in self.temporary_files:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def concat_chunks(chunks: list[polars.DataFrame], source: str) -> polars.DataFrame:
    """Concatenate the chunks; integer columns become float if another chunk has floats."""
    with translate_write_errors(chunks[0], source):
        return polars.concat(chunks, how="vertical_relaxed")
