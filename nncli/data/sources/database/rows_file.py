"""The rows of a query in local files: one Arrow file for each block of rows, whose bytes follow from the rows alone."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nncli.data.io.file_format import as_tables
from nncli.data.io.input_file import InputFile
from nncli.data.io.read_options import ReadOptions
from nncli.data.io.streams import translate_os_errors
from nncli.data.sources.reader import Checksum, TableReader
from nncli.data.table import Table

BLOCK_ROWS = 65_536


def blocks_of(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in blocks of BLOCK_ROWS, the last one shorter; at least one block.

    The sizes of the driver's batches may depend on time or memory; those of the blocks do not.
    """
    pending: list[pl.DataFrame] = []
    height = 0
    empty = True
    for frame in frames:
        pending.append(frame)
        height += frame.height
        if height >= BLOCK_ROWS:
            rows = pl.concat(pending)
            whole = height - height % BLOCK_ROWS
            for start in range(0, whole, BLOCK_ROWS):
                yield rows[start : start + BLOCK_ROWS]
            pending, height, empty = [rows[whole:]], height - whole, False
    if height or empty:
        yield pl.concat(pending)


def block_bytes(block: pl.DataFrame) -> memoryview:
    """A block as an Arrow file, without compression and with types that every version of Arrow knows."""
    # Text of the newest layout refers to buffers whose order depends on the batches that it came in.
    content = io.BytesIO()
    block.rechunk().write_ipc(content, compression="uncompressed", compat_level=pl.CompatLevel.oldest())
    return content.getbuffer()


def digest_of(frames: Iterable[pl.DataFrame]) -> str:
    """The SHA-256 of rows, as of their files."""
    digest = hashlib.sha256()
    for block in blocks_of(frames):
        digest.update(block_bytes(block))
    return digest.hexdigest()


def write_rows(frames: Iterable[pl.DataFrame], folder: Path, name: str) -> RowsReader:
    """Write rows into files in a folder, in place of earlier ones, and return their reader."""
    digest = hashlib.sha256()
    for i, block in enumerate(blocks_of(frames)):
        content = block_bytes(block)
        digest.update(content)
        _part(folder, i).write_bytes(content)
    return RowsReader(folder, name, i + 1, digest.hexdigest())


def _part(folder: Path, i: int) -> Path:
    return folder / f"{i}.arrow"


@dataclass(frozen=True)
class RowsReader(TableReader):
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
