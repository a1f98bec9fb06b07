"""A local copy of the cells of a sheet, as an Arrow file."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import polars

from nncli.data.formats.read_options import ReadOptions
from nncli.data.formats.streams import translate_os_errors
from nncli.data.sources.table_reader import Checksum, TableReader
from nncli.data.sources.workbook.grid import Column, Grid
from nncli.data.sources.workbook.sheet_table import SheetTable
from nncli.data.table import Table


@dataclass(frozen=True)
class WorkbookCopy(TableReader):
    """Reads the cells of a sheet from an Arrow file; `table` is the sheet without them."""

    path: Path
    table: SheetTable
    original: Checksum

    @property
    def name(self) -> str:
        """The name of the workbook."""
        return self.table.file

    def read(self, options: ReadOptions) -> Generator[Table]:
        """Yield the table of the sheet, whole."""
        with translate_os_errors(self.path):
            grid = replace(self.table.grid, columns=read_columns(self.path))
        yield replace(self.table, grid=grid).read(options)

    def checksum(self) -> Checksum:
        """The checksum of the workbook."""
        return self.original


def write_grid(grid: Grid, path: Path) -> None:
    """Write the columns of a grid: several arrays for each, called by its position and what they hold."""
    arrays = dict[str, polars.Series]()
    for j, column in enumerate(grid.columns):
        parts = {"kinds": column.kinds, "numbers": column.numbers, "texts": column.texts, "times": column.times}
        arrays |= {f"{part}_{j}": polars.Series(values) for part, values in parts.items() if values is not None}
    polars.DataFrame(arrays).write_ipc(path)


def read_columns(path: Path) -> tuple[Column, ...]:
    """The columns of a grid that was written by `write_grid`."""
    frame = polars.read_ipc(path)
    columns = list[Column]()
    while (kinds := f"kinds_{len(columns)}") in frame.columns:
        j = len(columns)
        numbers, texts, times = (
            frame[name] if (name := f"{part}_{j}") in frame.columns else None for part in ("numbers", "texts", "times")
        )
        columns.append(
            Column(
                frame[kinds].to_numpy(),
                None if numbers is None else numbers.to_numpy(),
                texts,
                None if times is None else times.to_numpy(),
            )
        )
    return tuple(columns)
