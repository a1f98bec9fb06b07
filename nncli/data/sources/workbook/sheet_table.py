"""The table of a sheet: the cells of a grid, with the types of its columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import join_quoted
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.workbook.columns import SeriesBuilder
from nncli.data.sources.workbook.grid import CellRange, Column, Grid, Kind
from nncli.data.sources.workbook.table_layout import LayoutFinder, TableLayout
from nncli.data.table import Table


@dataclass(frozen=True)
class SheetTable:
    """The cells of the sheet called `sheet` of the workbook `file`, or those in the range `cells` of it.

    `suffix` is that of the format of the workbook.
    """

    grid: Grid
    file: str
    sheet: str
    cells: CellRange | None
    suffix: str

    @property
    def source(self) -> str:
        """The name of the sheet in messages."""
        return f"{self.file}, sheet {self.sheet}"

    def read(self, options: ReadOptions) -> Table:
        """The table.

        Raises:
            DataError: the header is not clear, a cell has no value, or the cells of a column do not go together.
        """
        grid = self.grid if self.cells is None else self.grid.part(self.cells)
        trained = options.training_dialect
        is_given = self.cells is not None and self.cells.has_rows
        if is_given and self.cells is not None and grid.columns:
            grid = grid.extended(replace(self.cells, bottom=self.cells.top, left=grid.left, right=grid.left))
        grid = fill_merged(grid)
        layout = LayoutFinder(grid, self.source, options.dialect, trained, is_given).find()
        notes = check_merged(grid, layout, self.source)
        self._check_values(grid, layout)
        dialect = (trained or options.dialect).resolved(header_cells=layout.header_cells)
        builder = SeriesBuilder(grid, layout.rows, self.source, frozenset(options.missing_values), dialect.decimal)
        frame = polars.DataFrame(
            [builder.series(j, name) for j, name in zip(layout.columns, layout.names, strict=True)]
        )
        details: list[tuple[str, str | int]] = [("format", self.suffix.removeprefix(".")), ("sheet", self.sheet)]
        details.append(("header row", "none" if layout.header is None else grid.top + layout.header + 1))
        return Table(
            frame,
            self.source,
            dialect=dialect,
            notes=(*layout.notes, *notes, *_notes_on_digits(frame, self.source)),
            details=tuple(details),
        )

    def _check_values(self, grid: Grid, layout: TableLayout) -> None:
        """Raise a DataError for the first cell of the table with an error or a formula that was never computed."""
        found = [
            (int(i), j, name)
            for j, name in zip(layout.columns, layout.names, strict=True)
            for i in np.flatnonzero(grid.columns[j].kinds[layout.rows] >= Kind.ERROR)
        ]
        if not found:
            return
        i, j, name = min(found)
        row = int(layout.rows[i])
        place = Location(source=self.source, row=i + 1, column=name)
        kinds = Counter(int(grid.columns[column].kinds[layout.rows[k]]) for k, column, _ in found)
        more = kinds[grid.columns[j].kinds[row]] - 1
        others = f"; {more:,} more {'cell has' if more == 1 else 'cells have'} one" if more else ""
        if grid.columns[j].kinds[row] == Kind.ERROR:
            raise DataError(
                f"cell {grid.address(row, j)} has the error {grid.text(row, j)}{others}",
                location=place,
                hint="Correct the formula or clear the cell; #N/A and empty cells are missing values.",
            )
        raise DataError(
            f"cell {grid.address(row, j)} has a formula that was never computed{others}",
            location=place,
            hint="Open the workbook in a spreadsheet program and save it, which stores the values of its formulas.",
        )


def _notes_on_digits(frame: polars.DataFrame, source: str) -> list[str]:
    """A note about columns of whole numbers of so many digits that a workbook does not hold all of them."""
    names = [
        cells.name
        for cells in frame
        if cells.dtype == polars.Float64 and ((cells.abs() >= MAX_EXACT_INTEGER) & (cells == cells.floor())).any()
    ]
    if not names:
        return []
    return [
        f"{source}: {join_quoted(names)}: whole numbers beyond 2^53 have lost their last digits in the workbook; "
        "store ids as text"
    ]


def fill_merged(grid: Grid) -> Grid:
    """The grid with the value of each cell that is merged over several rows of one column in all of these rows."""
    columns = list(grid.columns)
    for cells in grid.merged:
        j, top = cells.left - grid.left, cells.top - grid.top
        if cells.left == cells.right and 0 <= j < len(columns) and 0 <= top < grid.rows:
            columns[j] = _filled(columns[j], top, cells.bottom - grid.top)
    return replace(grid, columns=tuple(columns)) if grid.merged else grid


def _filled(column: Column, top: int, bottom: int) -> Column:
    """The column with the cell at `top` in all rows down to `bottom`."""
    rows = np.arange(len(column.kinds))
    rows[top : bottom + 1] = top
    return column.take(rows)


def check_merged(grid: Grid, layout: TableLayout, source: str) -> list[str]:
    """Raise a DataError for merged cells that are no names or values of single columns; notes about the others.

    Merged cells above the header are titles.
    """
    if not grid.merged or not layout.rows.size:
        return []
    first, last = int(layout.rows[0]), int(layout.rows[-1])
    header = first if layout.header is None else layout.header
    n_filled = 0
    for cells in grid.merged:
        top, bottom = cells.top - grid.top, cells.bottom - grid.top
        is_inside = any(cells.left <= grid.left + j <= cells.right for j in layout.columns)
        if not is_inside or bottom < header or top > last:
            continue
        if cells.left < cells.right or top < first <= bottom:
            raise _refused(cells, source, is_header=top < first)
        n_filled += top >= first
    many = "value of 1 merged cell stands" if n_filled == 1 else f"values of {n_filled:,} merged cells stand"
    return [f"{source}: the {many} in each of their rows"] if n_filled else []


def _refused(cells: CellRange, source: str, *, is_header: bool) -> DataError:
    hint = "Unmerge them in the spreadsheet program, and fill each cell."
    if is_header:
        hint = "Unmerge them, and give each column a name of its own, or set data.header_row to the row of such names."
    what = "are the header" if is_header else "belong to rows of the table"
    return DataError(
        f"the cells {cells} are merged and {what}: which column has their value is not clear",
        location=Location(source=source),
        hint=hint,
    )
