"""The type of a column of a sheet, and its cells as a Polars series.

Cells of one kind become a column of its type: numbers, text, true/false, dates. Text beside others makes a column of
text, in which a number is written as the shortest text that is read as this number.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import polars

from nncli.base.errors import DataError, Location
from nncli.base.text import quote
from nncli.data.columns.decimal_marks import DecimalMarks
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.dialect import CsvDialect
from nncli.data.sources.workbook.grid import (
    DAY,
    CellColumn,
    CellType,
    Kinds,
    Microseconds,
    SheetGrid,
    concat,
)
from nncli.nn.arrays import RowIndices

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

DATES = {CellType.DATE, CellType.DATETIME}
NAMES = {
    CellType.NUMBER: "a number",
    CellType.BOOLEAN: "true or false",
    CellType.DATE: "a date",
    CellType.DATETIME: "a date and time",
    CellType.TIME: "a time of day",
    CellType.DURATION: "a duration",
}
BEFORE_LEAP_DAY = -25_509 * DAY
"""28 February 1900, to which calamine maps also the 29th, a day that Excel has and the calendar has not."""


@dataclass(frozen=True)
class SeriesBuilder:
    """Makes series of the columns of `grid` in its `rows`. Cells that equal one of the `missing` words are null.

    `source` is the name of the sheet in messages, `dialect` has the marks of numbers in columns of text. With
    `finds_decimals`, numbers among texts with a decimal comma have one too.
    """

    grid: SheetGrid
    rows: RowIndices
    source: str
    missing: Collection[str]
    dialect: CsvDialect
    finds_decimals: bool = False

    def series(self, j: int, name: str) -> polars.Series:
        """The column at position `j` of the grid.

        Raises:
            DataError: its cells are of kinds that do not go together; names two of them.
        """
        column = self.grid.columns[j]
        kinds = column.kinds[self.rows]
        texts = None if column.texts is None else column.texts.gather(self.rows)
        if texts is not None and self.missing:
            is_missing = texts.is_in(list(self.missing)).fill_null(False).to_numpy() & (kinds == CellType.TEXT)
            kinds = np.where(is_missing, np.uint8(CellType.EMPTY), kinds)
        present = {CellType(kind) for kind in np.unique(kinds)} - {CellType.EMPTY}
        self._check_dates(j, kinds, name)
        if present <= {CellType.TEXT}:
            cells = texts if texts is not None else polars.Series([None] * len(kinds), dtype=polars.String)
            return _with_nulls(cells, kinds).alias(name)
        if present == {CellType.NUMBER}:
            return self._numbers(column, kinds).alias(name)
        if present == {CellType.BOOLEAN}:
            assert column.numbers is not None
            return _with_nulls(polars.Series(column.numbers[self.rows] == 1.0), kinds).alias(name)
        if present <= DATES or present in ({CellType.TIME}, {CellType.DURATION}):
            assert column.times is not None
            return _with_nulls(_temporal(column.times[self.rows], present), kinds).alias(name)
        if CellType.TEXT in present or present == {CellType.NUMBER, CellType.BOOLEAN}:
            return self._texts(j, kinds, self._decimal(name, texts)).alias(name)
        raise self._mixture(j, kinds, present, name)

    def _numbers(self, column: CellColumn, kinds: Kinds) -> polars.Series:
        """Numbers, as integers if all of them are whole and exact."""
        assert column.numbers is not None
        numbers = _with_nulls(polars.Series(column.numbers[self.rows]), kinds)
        values = [x for word in self.missing if (x := _as_number(word, self.dialect.decimal)) is not None]
        if values:
            numbers = numbers.set(numbers.is_in(values).fill_null(False), None)
        is_whole = (numbers == numbers.floor()) & (numbers.abs() < MAX_EXACT_INTEGER)
        return numbers.cast(polars.Int64) if is_whole.all() else numbers

    def _decimal(self, name: str, texts: polars.Series | None) -> str:
        """The decimal mark of the numbers in a column of text."""
        decimal = self.dialect.of_column(name).decimal
        if texts is None or not self.finds_decimals or decimal != ".":
            return decimal
        marks = DecimalMarks.of(texts.drop_nulls().str.strip_chars(), None)
        return "," if [*marks.clear] == [","] and "." not in marks.either else decimal

    def _texts(self, j: int, kinds: Kinds, decimal: str) -> polars.Series:
        """All cells as text."""
        cells = zip(self.rows.tolist(), kinds.tolist(), strict=True)
        words = [None if kind == CellType.EMPTY else self.grid.text(row, j, decimal) for row, kind in cells]
        texts = polars.Series(words, dtype=polars.String)
        return texts.set(texts.is_in(list(self.missing)).fill_null(False), None) if self.missing else texts

    def _check_dates(self, j: int, kinds: Kinds, name: str) -> None:
        times = self.grid.columns[j].times
        if times is None:
            return
        is_doubtful = ((kinds == CellType.DATE) | (kinds == CellType.DATETIME)) & (
            times[self.rows] // DAY * DAY == BEFORE_LEAP_DAY
        )
        if is_doubtful.any():
            i = int(is_doubtful.argmax())
            raise DataError(
                f"the date in cell {self._address(i, j)} is 28 or 29 February 1900, a day that only spreadsheets have",
                location=self._location(i, name),
                hint="Correct the cell, or write it as text.",
            )

    def _mixture(self, j: int, kinds: Kinds, present: set[CellType], name: str) -> DataError:
        """The error of a column of dates or times and something else; the rarest kind is most likely the mistake."""
        counts = {kind: int(np.count_nonzero(kinds == kind)) for kind in present}
        odd = min(counts, key=lambda kind: (counts[kind], kind))
        other = max((kind for kind in counts if kind != odd), key=lambda kind: counts[kind])
        i, k = int((kinds == odd).argmax()), int((kinds == other).argmax())
        return DataError(
            f"cell {self._address(i, j)} holds {NAMES[odd]}, {quote(self._text(i, j))}, "
            f"but cell {self._address(k, j)} holds {NAMES[other]}, {quote(self._text(k, j))}",
            location=self._location(i, name),
            hint="Give all cells of the column the same kind of value and the same number format.",
        )

    def _text(self, i: int, j: int) -> str:
        return self.grid.text(int(self.rows[i]), j)

    def _address(self, i: int, j: int) -> str:
        return self.grid.address(int(self.rows[i]), j)

    def _location(self, i: int, name: str) -> Location:
        return Location(source=self.source, row=i + 1, column=name)


def _with_nulls(cells: polars.Series, kinds: Kinds) -> polars.Series:
    is_empty = kinds == CellType.EMPTY
    return cells.set(polars.Series(is_empty), None) if is_empty.any() else cells


def _temporal(times: Microseconds, present: set[CellType]) -> polars.Series:
    if present == {CellType.DATE}:
        return polars.Series((times // DAY).astype(np.int32)).cast(polars.Date)
    if present <= DATES:
        return polars.Series(times).cast(polars.Datetime("us"))
    if present == {CellType.TIME}:
        return polars.Series(times * 1000).cast(polars.Time)
    return polars.Series(times).cast(polars.Duration("us"))


def _as_number(word: str, decimal: str) -> float | None:
    try:
        return float(word.replace(decimal, ".")) if any(map(str.isdigit, word)) else None
    except ValueError:
        return None


BATCH_ROWS = 4096
"""Rows that are converted at a time."""
EPOCH = datetime.date(1970, 1, 1).toordinal()
MICROSECOND = datetime.timedelta(microseconds=1)
ISO_DURATION = r"^(-?)PT([0-9]+)H([0-9]+)M([0-9]+(?:[.,][0-9]+)?)S$"
KINDS: dict[type, CellType] = {
    float: CellType.NUMBER,
    int: CellType.NUMBER,
    str: CellType.TEXT,
    bool: CellType.BOOLEAN,
    datetime.date: CellType.DATE,
    datetime.datetime: CellType.DATETIME,
    datetime.time: CellType.TIME,
    datetime.timedelta: CellType.DURATION,
}
TEMPORAL = (datetime.date, datetime.datetime, datetime.time, datetime.timedelta)


def grid_of(sheet: CalamineSheet) -> SheetGrid:
    """The cells of a sheet that calamine has read."""
    if sheet.start is None:
        return SheetGrid()
    top, left = sheet.start
    columns: list[list[CellColumn]] = [[] for _ in range(sheet.width)]
    rows = islice(sheet.iter_rows(), top, None)  # calamine yields the empty rows above, too
    while batch := list(islice(rows, BATCH_ROWS)):
        for parts, cells in zip(columns, zip(*batch, strict=True), strict=True):
            parts.append(column_of(cells))
    return SheetGrid(tuple(_without_blanks(concat(parts)) for parts in columns), top, left)


def _without_blanks(column: CellColumn) -> CellColumn:
    """The column, in which empty text and white space are empty cells."""
    if column.texts is None:
        return column
    is_blank = (column.texts.str.strip_chars() == "").fill_null(False).to_numpy()
    kinds = np.where(is_blank, np.uint8(CellType.EMPTY), column.kinds)
    return replace(column, kinds=kinds, texts=column.texts if (kinds == CellType.TEXT).any() else None)


def with_durations(grid: SheetGrid) -> SheetGrid:
    """The grid of an .ods sheet, in which a time is a duration, with both alike in every column.

    calamine reads a duration of less than a day as a time, and leaves longer ones as text.
    """
    columns = []
    for column in grid.columns:
        texts = column.texts
        groups = None if texts is None else texts.str.extract_groups(ISO_DURATION).struct.unnest()
        if groups is None or groups.to_series().null_count() == len(column.kinds):
            columns.append(column)
            continue
        sign, hours, minutes, seconds = groups.get_columns()
        total = (hours.cast(polars.Int64) * 60 + minutes.cast(polars.Int64)) * 60 + seconds.cast(polars.Float64)
        lasts = (total * 1e6 * polars.Series(np.where(sign == "-", -1.0, 1.0))).round(0).cast(polars.Int64)
        is_long = (hours.is_not_null().to_numpy()) & (column.kinds == CellType.TEXT)
        kinds = np.where(is_long | (column.kinds == CellType.TIME), np.uint8(CellType.DURATION), column.kinds)
        times = column.times if column.times is not None else np.zeros(len(kinds), np.int64)
        columns.append(replace(column, kinds=kinds, times=np.where(is_long, lasts.fill_null(0).to_numpy(), times)))
    return replace(grid, columns=tuple(columns))


def column_of(cells: Sequence[object]) -> CellColumn:
    """The column of some cells as calamine represents them; an empty cell is the text ""."""
    types = set(map(type, cells))
    if types == {float}:
        return CellColumn(np.full(len(cells), CellType.NUMBER, np.uint8), np.array(cells, np.float64))
    if types == {str}:
        kinds = np.full(len(cells), CellType.TEXT, np.uint8)
        return CellColumn(kinds, texts=polars.Series(values=cells, dtype=polars.String))
    if types in ({datetime.date}, {datetime.datetime}):
        kind = CellType.DATE if types == {datetime.date} else CellType.DATETIME
        times = polars.Series(values=cells).cast(polars.Datetime("us")).to_physical().to_numpy()
        return CellColumn(np.full(len(cells), kind, np.uint8), times=times)
    column = CellColumn(np.fromiter(map(KINDS.__getitem__, map(type, cells)), np.uint8, len(cells)))
    if str in types:
        texts = [cell if type(cell) is str else None for cell in cells]
        column.texts = polars.Series(values=texts, dtype=polars.String)
    if types & {float, int, bool}:
        column.numbers = np.array([cell if isinstance(cell, float | int) else np.nan for cell in cells], np.float64)
    if types & {*TEMPORAL}:
        column.times = np.array([microseconds(cell) if type(cell) in TEMPORAL else 0 for cell in cells], np.int64)
    return column


def microseconds(cell: object) -> int:
    """A date or a moment in microseconds from 1970, a time from midnight, or a duration."""
    if isinstance(cell, datetime.datetime):
        return microseconds(cell.date()) + microseconds(cell.time())
    if isinstance(cell, datetime.date):
        return (cell.toordinal() - EPOCH) * DAY
    if isinstance(cell, datetime.time):
        return ((cell.hour * 60 + cell.minute) * 60 + cell.second) * 1_000_000 + cell.microsecond
    assert isinstance(cell, datetime.timedelta)
    return cell // MICROSECOND
