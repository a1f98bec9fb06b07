"""The rows of a query in local files: one Arrow file for each block of rows."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import polars as pl

from nncli.base.scratch import Scratch
from nncli.data.formats.file_format import as_tables
from nncli.data.formats.input_file import InputFile
from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import translate_os_errors
from nncli.data.sources.database.blocks import BLOCK_ROWS, blocks_of
from nncli.data.sources.database.rows_digest import RowsDigest
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.table import Table


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
