"""The cells of a sheet as arrays: what each cell holds, and its value."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars

from nncli.base.errors import UsageError
from nncli.base.text import quote
from nncli.nn.arrays import Floats, RowIndices

DAY = 86_400_000_000
"""Microseconds of a day."""
MAX_WHOLE = 1e21
"""Whole numbers up to this one are written as integers are, as ids are in a CSV."""

Kinds: TypeAlias = npt.NDArray[np.uint8]
Microseconds: TypeAlias = npt.NDArray[np.int64]


class CellType(IntEnum):
    """What a cell holds. ERROR and the kinds after it have no value that can be used."""

    EMPTY = 0
    NUMBER = 1
    TEXT = 2
    BOOLEAN = 3
    DATE = 4
    DATETIME = 5
    TIME = 6
    DURATION = 7
    ERROR = 8
    NOT_COMPUTED = 9


@dataclass
class CellColumn:
    """The cells of a column (rows,): numbers and booleans, texts, and dates, times and durations in microseconds.

    An array is None if no cell needs it. Dates count from 1970, times from midnight.
    """

    kinds: Kinds
    numbers: Floats | None = None
    texts: polars.Series | None = None
    times: Microseconds | None = None

    def part(self, top: int, bottom: int) -> CellColumn:
        """The cells from position `top` up to `bottom`."""
        return self.take(np.arange(*slice(top, bottom).indices(len(self.kinds))))

    def take(self, rows: RowIndices) -> CellColumn:
        """The cells at these positions."""
        return CellColumn(
            self.kinds[rows],
            None if self.numbers is None else self.numbers[rows],
            None if self.texts is None else self.texts.gather(rows),
            None if self.times is None else self.times[rows],
        )

    def padded(self, above: int, below: int) -> CellColumn:
        """The column with empty cells above and below."""
        return concat([empty_column(above), self, empty_column(below)]) if above or below else self

    def with_marks(self, rows: Sequence[int], kinds: Sequence[CellType], texts: Sequence[str]) -> CellColumn:
        """The column with cells of kinds without a value; the texts say what these show."""
        marked = self.kinds.copy()
        marked[list(rows)] = kinds
        nothing = polars.Series([None] * len(marked), dtype=polars.String)
        shown = nothing if self.texts is None else self.texts.clone()  # `scatter` changes the series itself
        return replace(self, kinds=marked, texts=shown.scatter(list(rows), list(texts)))


def empty_column(rows: int) -> CellColumn:
    """A column of empty cells."""
    return CellColumn(np.zeros(rows, np.uint8))


def concat(parts: Sequence[CellColumn]) -> CellColumn:
    """The parts of a column, one below the other."""
    kinds = np.concatenate([part.kinds for part in parts])
    column = CellColumn(kinds)
    if any(part.numbers is not None for part in parts):
        column.numbers = np.concatenate(
            [np.full(len(p.kinds), np.nan) if p.numbers is None else p.numbers for p in parts]
        )
    if any(part.texts is not None for part in parts):
        column.texts = polars.concat(
            [polars.Series([None] * len(p.kinds), dtype=polars.String) if p.texts is None else p.texts for p in parts]
        )
    if any(part.times is not None for part in parts):
        column.times = np.concatenate([np.zeros(len(p.kinds), np.int64) if p.times is None else p.times for p in parts])
    return column


NOT_AVAILABLE = "#N/A"
"""The error that stands for a missing value."""


class CellIssue(NamedTuple):
    """A cell without a value at a position from 0: of kind ERROR, with the text of the error, or NOT_COMPUTED."""

    row: int
    column: int
    kind: CellType
    text: str


MAX_ROWS, MAX_COLUMNS = 1 << 20, 1 << 14
"""The size of the largest sheet that spreadsheet programs can hold."""
CELL = r"\$?([A-Za-z]{0,3})\$?([0-9]{0,7})"
RANGE = re.compile(rf"\s*+{CELL}\s*+:\s*+{CELL}\s*+")
FORMS = "Write it as B4:H200; B:H are whole columns, and 4:200 whole rows."


def column_letters(column: int) -> str:
    """The letters of the column at a position from 0: A, Z, AA."""
    letters = ""
    number = column + 1
    while number:
        number, letter = divmod(number - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def column_position(letters: str) -> int:
    """The position from 0 of the column with these letters."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def address(row: int, column: int) -> str:
    """The address of the cell at positions from 0."""
    return f"{column_letters(column)}{row + 1}"


@dataclass(frozen=True)
class CellRange:
    """The cells between two corners, both included, at positions from 0.

    `has_rows`: the range names its rows, so that its first row is the header.
    """

    top: int = 0
    left: int = 0
    bottom: int = MAX_ROWS - 1
    right: int = MAX_COLUMNS - 1
    has_rows: bool = False

    def __str__(self) -> str:
        return f"{address(self.top, self.left)}:{address(self.bottom, self.right)}"

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self.bottom - self.top + 1

    @property
    def columns(self) -> int:
        """The number of columns."""
        return self.right - self.left + 1


def parse_range(text: str) -> CellRange:
    """Parse a range as spreadsheet programs write it.

    Raises:
        UsageError: it is no range, or it ends before it begins.
    """
    match = RANGE.fullmatch(text)
    first_letters, first_row, last_letters, last_row = match.groups() if match else ("",) * 4
    is_complete = bool(first_letters) == bool(last_letters) and bool(first_row) == bool(last_row)
    if not is_complete or not (first_letters or first_row):
        is_cell = re.fullmatch(CELL, text.strip()) is not None
        hint = "Put the name of the sheet into `sheet`. " if "!" in text else ""
        raise UsageError(
            f"the range {quote(text)} is " + ("one cell" if is_cell else "not valid"), hint=f"{hint}{FORMS}"
        )
    parsed = CellRange(
        int(first_row or 1) - 1,
        column_position(first_letters or "A"),
        int(last_row) - 1 if last_row else MAX_ROWS - 1,
        column_position(last_letters) if last_letters else MAX_COLUMNS - 1,
        has_rows=bool(first_row),
    )
    if parsed.top < 0 or parsed.bottom >= MAX_ROWS or max(parsed.left, parsed.right) >= MAX_COLUMNS:
        raise UsageError(
            f"the range {quote(text)} is outside of a sheet", hint=f"A sheet has the cells A1 to XFD{MAX_ROWS}."
        )
    if parsed.bottom < parsed.top or parsed.right < parsed.left:
        raise UsageError(f"the range {quote(text)} ends before it begins", hint="Write the upper left cell first.")
    return parsed


@dataclass(frozen=True)
class CellIssues:
    """The cells of a sheet without a usable value, and its merged cells. Cells with the error #N/A are missing."""

    cells: tuple[CellIssue, ...] = ()
    merged: tuple[CellRange, ...] = ()


@dataclass(frozen=True)
class SheetGrid:
    """The cells of a sheet, of which the first is at row `top` and column `left` (from 0).

    `merged` are the merged cells; only the first cell of each has a value.
    """

    columns: tuple[CellColumn, ...] = ()
    top: int = 0
    left: int = 0
    merged: tuple[CellRange, ...] = ()
    rows: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", len(self.columns[0].kinds) if self.columns else 0)

    def address(self, row: int, column: int) -> str:
        """The address in the sheet of the cell at a position of the grid."""
        return address(self.top + row, self.left + column)

    def part(self, cells: CellRange) -> SheetGrid:
        """The cells within a range of the sheet; cells of the range that the sheet does not have are left out."""
        top, left = max(cells.top - self.top, 0), max(cells.left - self.left, 0)
        bottom, right = max(cells.bottom + 1 - self.top, 0), max(cells.right + 1 - self.left, 0)
        columns = tuple(column.part(top, bottom) for column in self.columns[left:right])
        return replace(self, columns=columns, top=self.top + top, left=self.left + left)

    def extended(self, cells: CellRange) -> SheetGrid:
        """The grid with empty cells around it, so that it contains a range."""
        if not self.columns:
            column = empty_column(cells.rows)
            return replace(self, columns=(column,) * cells.columns, top=cells.top, left=cells.left)
        above, left = max(self.top - cells.top, 0), max(self.left - cells.left, 0)
        below = max(cells.bottom + 1 - self.top - self.rows, 0)
        right = max(cells.right + 1 - self.left - len(self.columns), 0)
        if not (above or left or below or right):
            return self
        beside = empty_column(above + self.rows + below)
        columns = (*[beside] * left, *(column.padded(above, below) for column in self.columns), *[beside] * right)
        return replace(self, columns=columns, top=self.top - above, left=self.left - left)

    def with_cell_issues(self, issues: CellIssues) -> SheetGrid:
        """The grid with the cells and merged ranges of its sheet that calamine does not tell."""
        unusable = [cell for cell in issues.cells if cell.text != NOT_AVAILABLE]
        if not unusable:
            return replace(self, merged=issues.merged)
        rows, columns = [cell.row for cell in unusable], [cell.column for cell in unusable]
        grid = self.extended(CellRange(min(rows), min(columns), max(rows), max(columns)))
        marks: dict[int, list[CellIssue]] = defaultdict(list)
        for cell in unusable:
            marks[cell.column - grid.left].append(cell)
        marked = list(grid.columns)
        for j, cells in marks.items():
            at = [cell.row - grid.top for cell in cells]
            marked[j] = marked[j].with_marks(at, [cell.kind for cell in cells], [cell.text for cell in cells])
        return replace(grid, columns=tuple(marked), merged=issues.merged)

    def rows_with_cells(self) -> RowIndices:
        """The positions of the rows that are not empty."""
        present = np.zeros(self.rows, np.bool_)
        for column in self.columns:
            present |= column.kinds != CellType.EMPTY
        return np.flatnonzero(present)

    def text(self, row: int, column: int, decimal: str = ".") -> str:
        """What a cell holds as text, "" if it is empty."""
        cells = self.columns[column]
        kind = CellType(cells.kinds[row])
        if kind == CellType.EMPTY:
            return ""
        if kind in (CellType.NUMBER, CellType.BOOLEAN):
            assert cells.numbers is not None
            number = float(cells.numbers[row])
            return number_text(number, decimal) if kind == CellType.NUMBER else "true" if number else "false"
        if kind in (CellType.TEXT, CellType.ERROR, CellType.NOT_COMPUTED):
            assert cells.texts is not None
            return str(cells.texts[row])
        assert cells.times is not None
        return time_text(kind, int(cells.times[row]))

    def record(self, row: int) -> list[str]:
        """The texts of the cells of a row."""
        return [self.text(row, j) for j in range(len(self.columns))]


def number_text(number: float, decimal: str) -> str:
    """The shortest text that is read as this number; whole numbers up to MAX_WHOLE have no decimal mark or exponent."""
    if number.is_integer() and abs(number) <= MAX_WHOLE:
        return str(int(number))
    return repr(number).replace(".", decimal)


def time_text(kind: CellType, microseconds: int) -> str:
    """A date, time or duration in the form of ISO 8601; a duration as hours, minutes and seconds."""
    if kind == CellType.DURATION:
        sign, (seconds, fraction) = "-" * (microseconds < 0), divmod(abs(microseconds), 1_000_000)
        rest = f".{fraction:06}".rstrip("0") if fraction else ""
        return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{rest}"
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=microseconds)
    if kind == CellType.TIME:
        return moment.time().isoformat()
    return moment.date().isoformat() if kind == CellType.DATE else moment.isoformat(" ")
