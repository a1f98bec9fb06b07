"""Write a file of columns, such as Parquet, chunk by chunk: in parts, which are joined at the end."""

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
from nncli.data.formats.sinks import ColumnCheck, Writable, translate_write_errors
from nncli.data.formats.streams import is_stream

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
        frame = concat_chunks(self.pending, self.columns.source)
        with translate_write_errors(frame, self.columns.source):
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


def concat_chunks(chunks: list[polars.DataFrame], source: str) -> polars.DataFrame:
    """Concatenate the chunks; integer columns become float if another chunk has floats."""
    with translate_write_errors(chunks[0], source):
        return polars.concat(chunks, how="vertical_relaxed")
