"""The table of a sheet: its header, its columns with their types, and its rows.

The rules are those of CSV files: titles above the header, notes below the table, empty rows and columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars

from nncli.base.errors import Advice, DataError, Location, SetKey, UsageError, UseOption, sentences
from nncli.base.text import join_quoted
from nncli.data.columns.decimal_marks import with_column_decimals
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.formats.csv.header import (
    MAX_TITLES,
    ColumnNames,
    are_spaced,
    filled,
    has_gaps,
    header_position,
    is_row,
    made_names,
    name_columns,
    name_like,
    notice_of_missing_header,
    second_header,
)
from nncli.data.formats.csv.layout import (
    MAX_NOTES,
    MAX_RECORDS,
    NOTE,
    TableShape,
    first_note,
    note_of_notes,
    note_of_total,
)
from nncli.data.formats.read_options import ReadOptions
from nncli.data.sources.workbook.columns import SeriesBuilder
from nncli.data.sources.workbook.grid import CellColumn, CellRange, CellType, SheetGrid
from nncli.data.table import Table
from nncli.nn.arrays import RowIndices

MAX_TOTALS = 3
"""Rows at the end of a table that may be totals."""


@dataclass(frozen=True)
class TableLayout:
    """The `names` of the columns at positions `columns` of a grid, and the positions of its rows.

    `header` is the position of the header; None if there is none. `header_cells` are its cells, if names had to be
    made from them.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    rows: RowIndices
    header: int | None
    header_cells: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LayoutFinder:
    """Finds the table in a grid. `source` is the name of the sheet in messages.

    `dialect` is what the user configured; `trained` is that of the table a model was trained on. `is_given`: the user
    named the rows of the table, so that the first one is the header, and there are no notes below it.
    """

    grid: SheetGrid
    source: str
    dialect: CsvDialect
    trained: CsvDialect | None
    is_given: bool

    def find(self) -> TableLayout:
        """The layout of the table.

        Raises:
            DataError: the sheet is empty, or its header cannot be told from titles or rows.
        """
        rows = self.grid.rows_with_cells()
        if not rows.size:
            raise DataError("the range has no cells" if self.is_given else "the sheet is empty", location=self._place())
        has_header = (self.dialect if self.trained is None else self.trained).header
        sample = [_moved(self.grid.record(int(row))) for row in rows[:MAX_RECORDS]]
        at = self._header(rows, sample) if has_header else None
        body = rows if at is None else rows[at + 1 :]
        if at is None:
            body = body[next((i for i, cells in enumerate(sample) if is_row(cells) or len(cells) == 1), 0) :]
        header = None if at is None else int(rows[at])
        cells = [] if header is None else self.grid.record(header)
        columns = self._columns(cells, body)
        kept = tuple(cells[j] for j in columns) if cells else ()
        named = self._names(columns, kept)
        records = [[cells[j] for j in columns] for cells in sample[0 if at is None else at + 1 :]]
        body, notes = self._without_notes(body, records, columns)
        notes = [*self._title_notes(at, header), *named.notes, *notes]
        if self.trained is None and header is not None and self.dialect.header_row == AUTO:
            notes += notice_of_missing_header(kept, records, self.source)
        if body.size and len(columns) > 1 and (blank := int(body[-1] - body[0]) + 1 - body.size):
            notes.append(f"{self.source}: skipped {blank:,} empty {'row' if blank == 1 else 'rows'}")
        elif body.size and len(columns) == 1:  # an empty row is an empty cell
            body = np.arange(body[0], self.grid.rows if self.is_given else body[-1] + 1)
        remembered = bool(made_names(kept) or at or self.dialect.header_row != AUTO)
        return TableLayout(named.names, columns, body, header, kept if remembered else (), tuple(notes))

    def _place(self) -> Location:
        return Location(source=self.source)

    def _row_number(self, row: int) -> int:
        """The number that the sheet shows at a row of the grid."""
        return self.grid.top + row + 1

    def _header(self, rows: RowIndices, sample: Sequence[Sequence[str]]) -> int:
        """The position of the header among the rows that are not empty."""
        wanted = self.dialect.header_row
        if wanted != AUTO:
            numbers = [self._row_number(int(row)) for row in rows]
            if wanted not in numbers:
                raise DataError(
                    f"row {wanted} of the sheet, data.header_row, has no names",
                    location=self._place(),
                    hint=f"The first row that is not empty is {numbers[0]}.",
                )
            return numbers.index(wanted)
        if self.is_given:
            if rows[0]:
                raise UsageError(
                    f"the first row of the range, row {self._row_number(0)} of the sheet, has no names",
                    location=self._place(),
                    hint=f"Let the range begin at the header; the first row that is not empty is "
                    f"{self._row_number(int(rows[0]))}.",
                )
            return 0
        trained = () if self.trained is None else self.trained.header_cells
        header = header_position(sample, trained, has_blank_lines=has_gaps(rows[: MAX_TITLES + 1]))
        if header.instead is not None:
            first, two = (self._row_number(int(rows[at])) for at in (header.instead, header.at))
            raise DataError(
                f"it is unclear whether row {first} or row {two} of the sheet is the header",
                location=self._place(),
                hint=Advice(
                    *("Use ", SetKey("data.header_row", str(first)), " or ", SetKey("data.header_row", str(two)), ".")
                ),
            )
        if names := second_header(sample, header.at):
            number = self._row_number(int(rows[header.at + 1]))
            raise DataError(
                f"row {number} of the sheet is no row of data: {join_quoted(names)} stand where all other rows have "
                "numbers or dates",
                location=self._place(),
                hint=Advice(
                    "If it is the header, use ", SetKey("data.header_row", str(number)), "; else remove the row."
                ),
            )
        return header.at

    def _columns(self, header: Sequence[str], body: RowIndices) -> tuple[int, ...]:
        """The positions of the columns that have a name or a cell."""
        return tuple(
            j
            for j, column in enumerate(self.grid.columns)
            if (header and header[j]) or (column.kinds[body] != CellType.EMPTY).any()
        )

    def _names(self, columns: Sequence[int], cells: Sequence[str]) -> ColumnNames:
        if not cells:
            return ColumnNames(tuple(f"column_{number}" for number in range(1, len(columns) + 1)))
        if self.trained is None:
            return name_columns(cells, self.source)
        return name_like(cells, self.trained.header_cells, self.source)

    def _without_notes(
        self, body: RowIndices, records: Sequence[Sequence[str]], columns: Sequence[int]
    ) -> tuple[RowIndices, list[str]]:
        """The rows without those below the table, and notes that say which these are."""
        wanted = self.dialect.footer_rows
        if wanted == AUTO and self.is_given:
            return body, []
        start = len(body)
        if isinstance(wanted, int):
            start = max(len(body) - wanted, 0)
        elif len(columns) > 1:
            start = self._start_of_notes(body, records, columns)
        notes = []
        if start < len(body):
            text = filled(self.grid.record(int(body[start])))[0]
            where = f"row {self._row_number(int(body[start])):,} of the sheet"
            notes.append(note_of_notes(len(body) - start, "row", where, text))
        if wanted == AUTO and start:
            notes += note_of_total(self._record(int(body[start - 1]), columns), for_model=self.trained is not None)
        return body[:start], [f"{self.source}: {note}" for note in notes]

    def _record(self, row: int, columns: Sequence[int]) -> list[str]:
        """The cells of a row, without the empty ones at its end."""
        cells = [self.grid.text(row, j) for j in columns]
        while cells and not cells[-1]:
            cells.pop()
        return cells

    def _start_of_notes(self, body: RowIndices, records: Sequence[Sequence[str]], columns: Sequence[int]) -> int:
        """The position of the first note below the table among the rows of its body; their number if there is none."""
        last = len(body)
        while last > 0 and len(body) - last < MAX_NOTES:
            cells = self._record(int(body[last - 1]), columns)
            if not (len(cells) == 1 or (len(filled(cells)) == 1 and NOTE.match(filled(cells)[0]))):
                break
            last -= 1
        if not 0 < last < len(body):  # no note, or no row above
            return len(body)
        below = range(int(body[last - 1]) + 1, int(body[-1]) + 1)
        shape = TableShape.of(records, len(columns), len(columns), are_spaced(body[: len(records)]))
        note = first_note([self._record(row, columns) for row in below], shape)
        return len(body) if note is None else int(np.searchsorted(body, below[note]))

    def _title_notes(self, at: int | None, header: int | None) -> list[str]:
        if not at or header is None or self.dialect.header_row != AUTO:
            return []
        above = "a title" if at == 1 else f"{at} rows of titles"
        return [f"{self.source}: the header is row {self._row_number(header)} of the sheet, below {above}"]


def _moved(cells: list[str]) -> list[str]:
    """The record, with its text in the first cell if no other cell is filled: titles are often centered."""
    present = filled(cells)
    return [present[0], *[""] * (len(cells) - 1)] if len(present) == 1 and len(cells) > 2 else cells


@dataclass(frozen=True)
class SheetTable:
    """The cells of the sheet called `sheet` of the workbook `file`, or those in the range `cells` of it.

    `suffix` is that of the format of the workbook.
    """

    grid: SheetGrid
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
        finds = options.known_dialect is None and options.dialect.decimal == AUTO
        builder = SeriesBuilder(grid, layout.rows, self.source, frozenset(options.missing_values), dialect, finds)
        frame = polars.DataFrame(
            [builder.series(j, name) for j, name in zip(layout.columns, layout.names, strict=True)]
        )
        details: list[tuple[str, str | int]] = [("format", self.suffix.removeprefix(".")), ("sheet", self.sheet)]
        details.append(("header row", "none" if layout.header is None else grid.top + layout.header + 1))
        notes = [*layout.notes, *notes, *_notes_on_digits(frame, self.source)]
        table = Table(frame, self.source, dialect=dialect, notes=tuple(notes), details=tuple(details))
        return next(iter(with_column_decimals([table], options.dialect, options.known_dialect)))

    def _check_values(self, grid: SheetGrid, layout: TableLayout) -> None:
        """Raise a DataError for the first cell of the table with an error or a formula that was never computed."""
        issues = [
            (int(i), j, name)
            for j, name in zip(layout.columns, layout.names, strict=True)
            for i in np.flatnonzero(grid.columns[j].kinds[layout.rows] >= CellType.ERROR)
        ]
        if not issues:
            return
        i, j, name = min(issues)
        row = int(layout.rows[i])
        place = Location(source=self.source, row=i + 1, column=name)
        kinds = Counter(int(grid.columns[column].kinds[layout.rows[k]]) for k, column, _ in issues)
        more = kinds[grid.columns[j].kinds[row]] - 1
        others = f"; {more:,} more {'cell has' if more == 1 else 'cells have'} one" if more else ""
        totals = None
        if layout.header is not None and 0 < i >= len(layout.rows) - MAX_TOTALS:
            ends = (layout.header, layout.columns[0]), (int(layout.rows[i - 1]), layout.columns[-1])
            cells = ":".join(grid.address(*end) for end in ends)
            totals = Advice("To read the rows above it alone: ", UseOption("range", "range", cells), ".")
        if grid.columns[j].kinds[row] == CellType.ERROR:
            raise DataError(
                f"cell {grid.address(row, j)} has the error {grid.text(row, j)}{others}",
                location=place,
                hint=sentences(
                    "Correct the formula or clear the cell; #N/A and empty cells are missing values.", totals
                ),
            )
        raise DataError(
            f"cell {grid.address(row, j)} has a formula that was never computed{others}",
            location=place,
            hint=sentences(
                "Open the workbook in a spreadsheet program and save it, which stores the values of its formulas.",
                totals,
            ),
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


def fill_merged(grid: SheetGrid) -> SheetGrid:
    """The grid with the value of each cell that is merged over several rows of one column in all of these rows."""
    columns = list(grid.columns)
    for cells in grid.merged:
        j, top = cells.left - grid.left, cells.top - grid.top
        if cells.left == cells.right and 0 <= j < len(columns) and 0 <= top < grid.rows:
            columns[j] = _filled(columns[j], top, cells.bottom - grid.top)
    return replace(grid, columns=tuple(columns)) if grid.merged else grid


def _filled(column: CellColumn, top: int, bottom: int) -> CellColumn:
    """The column with the cell at `top` in all rows down to `bottom`."""
    rows = np.arange(len(column.kinds))
    rows[top : bottom + 1] = top
    return column.take(rows)


def check_merged(grid: SheetGrid, layout: TableLayout, source: str) -> list[str]:
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
