"""Errors, formulas without values, and merged cells in the XML of .ods."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from itertools import accumulate

from nncli.data.sources.workbook.grid import CellRange, HiddenCell, Kind, SheetFacts
from nncli.data.sources.workbook.hidden.zip_file import NOT_AVAILABLE, WorkbookFile, ZipFile, check_size

CONTENT = "content.xml"
METADATA = "meta.xml"
ALWAYS_COMPUTES = re.compile(rb"<meta:generator>[^<]*(?:LibreOffice|OpenOffice)")
"""Programs that store the value of every formula; they write none where it is empty text."""
TABLE = re.compile(rb"<table:table\s([^<>]*+)>")
TABLE_END = b"</table:table>"
NAME = re.compile(rb'\btable:name="([^"]*)"')
ROW = re.compile(rb"<table:table-row\b([^<>]*+)>")
CELL = re.compile(rb"<table:(?:covered-)?table-cell\b([^<>]*+)>")
ROWS_REPEATED = re.compile(rb'\btable:number-rows-repeated="([0-9]+)"')
COLUMNS_REPEATED = re.compile(rb'\btable:number-columns-repeated="([0-9]+)"')
ROWS_SPANNED = re.compile(rb'\btable:number-rows-spanned="([0-9]+)"')
COLUMNS_SPANNED = re.compile(rb'\btable:number-columns-spanned="([0-9]+)"')
ERROR = re.compile(rb"<text:p>(#(?:DIV/0!|REF!|VALUE!|NAME\?|NUM!|NULL!|N/A)|Err:[0-9]{3})</text:p>")
VALUE_TYPE = b"office:value-type="


@dataclass(frozen=True)
class OdsFile(WorkbookFile):
    """An OpenDocument spreadsheet. All sheets are in one member, which calamine reads when it opens the file."""

    archive: ZipFile

    def __post_init__(self) -> None:
        for sheet in self._sheets.values():
            check_size(*sheet.size, self.archive.source)

    @property
    def suffix(self) -> str:
        """The suffix of the format."""
        return ".ods"

    @cached_property
    def _sheets(self) -> dict[str, _Sheet]:
        content = self.archive.read(CONTENT)
        sheets = {}
        end = 0
        while (table := TABLE.search(content, end)) and (end := content.find(TABLE_END, table.end())) >= 0:
            name = NAME.search(table.group(1))
            sheets[unescape(name.group(1).decode()) if name else ""] = _Sheet(content[table.end() : end])
        return sheets

    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What the XML of the sheet says."""
        found = self._sheets.get(sheet)
        if found is None:
            raise self.archive.damaged(f"the sheet {sheet} is not in {CONTENT}")
        hidden = [*found.errors(), *([] if self._is_computed else found.formulas_without_value())]
        return SheetFacts(tuple(hidden), tuple(found.merged_cells()))

    @cached_property
    def _is_computed(self) -> bool:
        return METADATA in self.archive and ALWAYS_COMPUTES.search(self.archive.read(METADATA)) is not None


@dataclass(frozen=True)
class _Sheet:
    """The XML of the rows of a sheet."""

    text: bytes

    @cached_property
    def _rows(self) -> tuple[list[int], list[int]]:
        """Where in the text each row begins, and its number from 0; the last number is that of all rows."""
        starts, repeats = [], []
        for row in ROW.finditer(self.text):
            starts.append(row.start())
            repeats.append(_number(ROWS_REPEATED, row.group(1)))
        return starts, [0, *accumulate(repeats)]

    @property
    def size(self) -> tuple[int, int]:
        """The number of rows and columns up to the last cell with a value; at least as many as there are."""
        starts, numbers = self._rows
        last = self.text.rfind(VALUE_TYPE)
        if last < 0:
            return 0, 0
        columns = 0
        for i, start in enumerate(starts):
            end = starts[i + 1] if i + 1 < len(starts) else len(self.text)
            if COLUMNS_REPEATED.search(self.text, start, end):
                columns = max(columns, self._used_columns(start, end))
            elif self.text.count(b"table-cell", start, end) > columns:
                columns = len(CELL.findall(self.text, start, end))
        return numbers[bisect_right(starts, last)], columns

    def _used_columns(self, start: int, end: int) -> int:
        """The number of columns up to the last cell with a value in a row."""
        column = used = 0
        for cell in CELL.finditer(self.text, start, end):
            column += _number(COLUMNS_REPEATED, cell.group(1))
            if VALUE_TYPE in cell.group(1):
                used = column
        return used

    def _place(self, position: int) -> tuple[bytes, range, range]:
        """The start tag of the cell that contains a position, and the rows and columns that it stands for."""
        starts, numbers = self._rows
        i = bisect_right(starts, position) - 1
        column, tag, width = 0, b"", 0
        for cell in CELL.finditer(self.text, starts[i], position + 1):
            column, tag = column + width, cell.group(1)
            width = _number(COLUMNS_REPEATED, tag)
        if not tag:  # the position is within the tag itself
            return b"", range(0), range(0)
        return tag, range(numbers[i], numbers[i + 1]), range(column, column + width)

    def errors(self) -> Iterator[HiddenCell]:
        """The cells with errors."""
        for match in ERROR.finditer(self.text):
            tag, rows, columns = self._place(match.start())
            if b'"error"' not in tag and b"table:formula=" not in tag:
                continue
            if (text := match.group(1).decode()) != NOT_AVAILABLE:
                yield from (HiddenCell(row, column, Kind.ERROR, text) for row in rows for column in columns)

    def formulas_without_value(self) -> Iterator[HiddenCell]:
        """The cells with a formula that was never computed."""
        for match in re.finditer(rb"\btable:formula=", self.text):
            end = self.text.find(b">", match.end())
            if VALUE_TYPE not in self.text[self.text.rfind(b"<", 0, match.start()) : end]:
                _, rows, columns = self._place(end)
                yield from (HiddenCell(row, column, Kind.NOT_COMPUTED, "") for row in rows for column in columns)

    def merged_cells(self) -> Iterator[CellRange]:
        """The merged cells."""
        found = set()
        for match in re.finditer(rb"\btable:number-(?:rows|columns)-spanned=", self.text):
            end = self.text.find(b">", match.end())
            if end in found:
                continue
            found.add(end)
            tag, rows, columns = self._place(end)
            height, width = _number(ROWS_SPANNED, tag), _number(COLUMNS_SPANNED, tag)
            if rows and (height > 1 or width > 1):
                top, left = rows[0], columns[0]
                yield CellRange(top, left, top + height - 1, left + width - 1)


def _number(pattern: re.Pattern[bytes], tag: bytes) -> int:
    """A number in a start tag; 1 if it is not there."""
    match = pattern.search(tag)
    return int(match.group(1)) if match else 1
