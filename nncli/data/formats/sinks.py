"""The sinks of tables: how a table is written chunk by chunk, by each format in its way."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import polars

from nncli.base.atomic_files import temporary_folder
from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted
from nncli.data.formats.compression import Writable as Writable
from nncli.data.formats.streams import POLARS_ERRORS, is_stream

STANDARD_OUTPUT = "standard output"


class Sink(Protocol):
    """Writes a table chunk by chunk; all chunks must have the columns of the first."""

    def write(self, frame: polars.DataFrame) -> None:
        """Append the rows of `frame`.

        Raises:
            DataError: the columns differ from the first chunk, or have a type that the format does not support.
        """


@dataclass
class ColumnCheck:
    """Checks that all chunks have the columns of the first."""

    source: str
    names: list[str] | None = None

    @classmethod
    def of(cls, path: Path | None) -> ColumnCheck:
        """The check for a file (None: standard output)."""
        return cls(STANDARD_OUTPUT if path is None else str(path))

    def begin(self, frame: polars.DataFrame) -> bool:
        """Whether `frame` is the first chunk; raise a DataError if its columns differ from the first."""
        if self.names is None:
            self.names = frame.columns
            return True
        if self.names != frame.columns:
            raise DataError(
                f"the columns change from {join_quoted(self.names)} to {join_quoted(frame.columns)} between chunks",
                location=Location(source=self.source),
                hint="Give all rows of the input the same columns.",
            )
        return False


@contextmanager
def translate_write_errors(frame: polars.DataFrame, source: str) -> Iterator[None]:
    """Translate errors of Polars about rows it cannot write to DataErrors."""
    try:
        yield
    except POLARS_ERRORS as error:
        unsupported = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == polars.Binary]
        raise DataError(
            f"the rows cannot be written: {str(error).splitlines()[0]}",
            location=Location(source=source, column=unsupported[0] if unsupported else None),
            hint="Write Parquet, which supports lists and objects, or remove these columns." if unsupported else None,
        ) from error


PART_ROWS = 262_144
"""Rows of a part, the default of Polars for the rows of a row group."""


class Parts(Protocol):
    """How one format writes a part and joins parts."""

    def write(self, frame: polars.DataFrame, file: IO[bytes]) -> None:
        """Write a file of the rows of `frame`."""

    def join(self, parts: list[Path], joined: Path) -> None:
        """Write the rows of all parts to one file; integers become floats if another part has floats."""


@contextmanager
def open_part_sink(parts: Parts, file: Writable, path: Path | None) -> Iterator[PartSink]:
    """Yield a sink that joins its parts into `file`, which becomes `path` (None: standard output), at the end."""
    # Parts are written beside the file: the temporary folder of the system may be in memory.
    if path is None or is_stream(path):
        beside: AbstractContextManager[str | Path] = tempfile.TemporaryDirectory(prefix="nncli-")
    else:
        beside = temporary_folder(path)
    with beside as folder:
        sink = PartSink(parts, file, Path(folder), ColumnCheck.of(path))
        yield sink
        sink.finish()


@dataclass
class PartSink:
    """Collects chunks into parts, writes each to a temporary file, and joins the files at the end."""

    format: Parts
    file: Writable
    folder: Path
    columns: ColumnCheck
    pending: list[polars.DataFrame] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def write(self, frame: polars.DataFrame) -> None:
        self.columns.begin(frame)
        self.pending.append(frame)
        if sum(chunk.height for chunk in self.pending) >= PART_ROWS:
            self.write_part()

    def write_part(self) -> None:
        part = self.folder / f"{len(self.files)}.part"
        rows = io.BytesIO()  # written here, as Polars reports a full disk as an error of the format
        with translate_write_errors(self.pending[0], self.columns.source):
            frame = polars.concat(self.pending, how="vertical_relaxed")  # integers become floats beside these
            self.format.write(frame, rows)
        part.write_bytes(rows.getbuffer())
        self.files.append(part)
        self.pending.clear()

    def finish(self) -> None:
        """Join the parts into one file."""
        if self.pending:
            self.write_part()
        if len(self.files) > 1:
            joined = self.folder / "joined.part"
            with translate_write_errors(polars.DataFrame(), self.columns.source):
                self.format.join(self.files, joined)
            self.files = [joined]
        for part in self.files:
            with part.open("rb") as rows:
                shutil.copyfileobj(rows, self.file, 1 << 20)
