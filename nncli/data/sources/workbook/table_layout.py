"""Where the table of a sheet is: its header, its columns and its rows.

The rules are those of CSV files: titles above the header, notes below the table, empty rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nncli.base.errors import DataError, Location, UsageError
from nncli.base.text import join_quoted, quote
from nncli.data.dialect import AUTO, CsvDialect
from nncli.data.formats.csv.layout import NOTE, TOTAL, TableShape, first_note
from nncli.data.formats.csv.names import ColumnNames, made_names, name_columns, name_like
from nncli.data.formats.csv.titles import (
    MAX_TITLES,
    filled,
    header_position,
    is_row,
    notice_of_missing_header,
    second_header,
    value_columns,
)
from nncli.data.sources.workbook.grid import Grid, Kind
from nncli.nn.arrays import RowIndices

MAX_RECORDS = 120
"""Rows from which the columns are inferred."""
MAX_NOTES = 100
"""Largest number of rows below a table."""
MAX_SHOWN = 60


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

    grid: Grid
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
        first = rows[: MAX_TITLES + 1]
        trained = () if self.trained is None else self.trained.header_cells
        has_blank_rows = bool(first[-1] - first[0] >= len(first))
        found = header_position(sample, trained, has_blank_lines=has_blank_rows)
        if found.instead is not None:
            one, two = (self._row_number(int(rows[at])) for at in (found.instead, found.at))
            raise DataError(
                f"it is unclear whether row {one} or row {two} of the sheet is the header",
                location=self._place(),
                hint=f"Set `data.header_row: {one}` or `data.header_row: {two}`.",
            )
        if names := second_header(sample, found.at):
            number = self._row_number(int(rows[found.at + 1]))
            raise DataError(
                f"row {number} of the sheet is no row of data: {join_quoted(names)} stand where all other rows have "
                "numbers or dates",
                location=self._place(),
                hint=f"If it is the header, set `data.header_row: {number}`; else remove the row.",
            )
        return found.at

    def _columns(self, header: Sequence[str], body: RowIndices) -> tuple[int, ...]:
        """The positions of the columns that have a name or a cell."""
        return tuple(
            j
            for j, column in enumerate(self.grid.columns)
            if (header and header[j]) or (column.kinds[body] != Kind.EMPTY).any()
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
            shown = quote(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…")
            many = "1 row" if len(body) - start == 1 else f"{len(body) - start:,} rows"
            number = self._row_number(int(body[start]))
            notes.append(
                f"{self.source}: left out {many} below the table, from row {number:,} of the sheet on: {shown}"
            )
        if wanted == AUTO and start and (last := filled(self._record(int(body[start - 1]), columns))):
            action = "--set data.footer_rows=1" if self.trained is None else "remove the row"
            if TOTAL.fullmatch(last[0]):
                begins = f"{self.source}: the last row begins with {quote(last[0])}"
                notes.append(f"{begins}; to leave out a sum of the others, {action}")
        return body[:start], notes

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
        found = first_note([self._record(row, columns) for row in below], self._shape(body, records, len(columns)))
        return len(body) if found is None else int(np.searchsorted(body, below[found]))

    def _shape(self, body: RowIndices, records: Sequence[Sequence[str]], width: int) -> TableShape:
        rows = body[: len(records)]
        middle = rows[: len(rows) // 2]
        return TableShape(
            columns=width,
            width=width,
            first_length=max((len(cells[0]) for cells in records if is_row(cells)), default=0),
            begins_with_values=0 in value_columns(records, 1),
            is_spaced=bool(middle.size and middle[-1] - middle[0] >= middle.size),
        )

    def _title_notes(self, at: int | None, header: int | None) -> list[str]:
        if not at or header is None or self.dialect.header_row != AUTO:
            return []
        above = "a title" if at == 1 else f"{at} rows of titles"
        return [f"{self.source}: the header is row {self._row_number(header)} of the sheet, below {above}"]


def _moved(cells: list[str]) -> list[str]:
    """The record, with its text in the first cell if no other cell is filled: titles are often centered."""
    present = filled(cells)
    return [present[0], *[""] * (len(cells) - 1)] if len(present) == 1 and len(cells) > 2 else cells
