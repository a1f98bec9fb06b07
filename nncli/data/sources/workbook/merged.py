"""Merged cells in a table: over several rows of one column every row has the value; others are refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nncli.base.errors import DataError, Location
from nncli.data.sources.workbook.cell_range import CellRange
from nncli.data.sources.workbook.grid import Column, Grid
from nncli.data.sources.workbook.table_layout import TableLayout


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
