"""Errors, formulas that were never computed, and merged cells in the XML of .xlsx, .xlsm and .ods.

The text is searched for the few patterns that matter: parsing all of the XML would take longer than reading the cells.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from itertools import accumulate
from typing import ClassVar

from nncli.base.errors import UsageError
from nncli.data.formats.prefetch import prefetch
from nncli.data.sources.workbook.files import WorkbookFile, ZipFile, check_size, damaged
from nncli.data.sources.workbook.grid import CellIssue, CellIssues, CellRange, CellType, column_position, parse_range

WORKBOOK = "xl/workbook.xml"
RELATIONSHIPS = "xl/_rels/workbook.xml.rels"
LETTERS = 26
ERROR_TYPE = re.compile(rb"""\bt=["']e["']""")
ADDRESS = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
WIDE = re.compile(rb'r="([A-Z]{2,3})[0-9]')
SINGLE_QUOTED = re.compile(rb"r='([A-Z]{2,3})[0-9]")
VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")
ROW_NUMBER = re.compile(rb"""\br=["']([0-9]{1,7})["']""")
MERGED = re.compile(rb"""<(?:\w+:)?mergeCell\b[^<>]*\bref=["']([A-Z0-9:]+)["']""")
ROOT = re.compile(rb"<((?:\w+:)?)worksheet\b")
TRUE = ("1", "true")


@dataclass(frozen=True)
class XlsxFile(WorkbookFile):
    """An Office Open XML workbook."""

    archive: ZipFile

    suffix: ClassVar[str] = ".xlsx"

    def cell_issues(self, sheet: str, position: int) -> CellIssues:
        """What the XML of the sheet says."""
        member = self._members()[position]
        search = _Search(self.archive.source, self._computes_on_load)
        search.read(prefetch(self.archive.pieces(member)))
        return CellIssues(tuple(search.cells), tuple(search.merged))

    def _members(self) -> list[str]:
        """The names of the members of the sheets, in their order."""
        targets, members = self.archive.targets(RELATIONSHIPS), []
        for element in self.archive.xml(WORKBOOK).iter():
            if element.tag.endswith("}sheet"):
                key = next((value for name, value in element.items() if name.endswith("}id")), "")
                members.append(targets.get(key, "xl/"))
        return members

    @cached_property
    def _computes_on_load(self) -> bool:
        """Whether a spreadsheet program computes all formulas when it opens the file: its values may be invented."""
        root = self.archive.xml(WORKBOOK)
        return any(element.get("fullCalcOnLoad") in TRUE for element in root if element.tag.endswith("}calcPr"))


@dataclass
class _Search:
    """Searches the XML of a sheet, piece by piece, each of whole rows."""

    source: str
    computes_on_load: bool
    cells: list[CellIssue] = field(default_factory=list)
    merged: list[CellRange] = field(default_factory=list)
    _prefix: bytes = b""
    _rows: int = 0
    _columns: int = LETTERS

    def read(self, pieces: Iterator[bytes]) -> None:
        """Search all of the pieces."""
        rest, row_end = b"", b""
        for piece in pieces:
            text = rest + piece
            if not row_end:
                root = ROOT.search(text)
                self._prefix = root.group(1) if root else b""
                row_end = b"</" + self._prefix + b"row>"
            cut = text.rfind(row_end) + len(row_end)
            if cut < len(row_end):
                rest = text
                continue
            self._search(text[:cut])
            rest = text[cut:]
        for match in MERGED.finditer(rest):
            try:
                self.merged.append(parse_range(match.group(1).decode()))
            except UsageError:
                continue  # a single cell is not merged
        check_size(self._rows, self._columns, self.source)

    def _search(self, text: bytes) -> None:
        prefix = self._prefix
        self._count(text)
        # A single byte is found ten times as fast as several, and these are rare.
        if b"#" in text:
            for match in ERROR_TYPE.finditer(text):
                self._add_error(text, match.start())
        if b"f" in text and b"<" + prefix + b"f" in text:
            for pattern in _not_computed(prefix, self.computes_on_load):
                for match in pattern.finditer(text):
                    self._add_formula(text, match.start(), match.group())

    def _count(self, text: bytes) -> None:
        """Extend the size of the sheet by the rows of a text."""
        start = text.rfind(b"<" + self._prefix + b"row ")
        number = ROW_NUMBER.search(text[start : text.find(b">", start)]) if start >= 0 else None
        rows = int(number.group(1)) if number else self._rows + text.count(b"<" + self._prefix + b"row")
        self._rows = max(self._rows, rows)
        wide = {*WIDE.findall(text)}
        if b"'" in text:
            wide.update(SINGLE_QUOTED.findall(text))
        self._columns = max([self._columns, *(column_position(letters.decode()) + 1 for letters in wide)])

    def _cell(self, text: bytes, before: int) -> tuple[bytes, int, int] | None:
        """The start tag of the last cell that begins before a position, and its row and column."""
        start = text.rfind(b"<" + self._prefix + b"c ", 0, before)
        tag = text[start : text.find(b">", start) + 1]
        if start < 0:
            return None
        if match := ADDRESS.search(tag):
            return tag, int(match.group(2)) - 1, column_position(match.group(1).decode())
        # Without addresses, cells follow each other.
        opening = b"<" + self._prefix
        row_start = text.rfind(opening + b"row", 0, start)
        number = ROW_NUMBER.search(text[row_start : text.find(b">", row_start)])
        row = int(number.group(1)) if number else self._rows - text.count(opening + b"row", row_start) + 1
        return tag, row - 1, len(re.findall(opening + rb"c[ />]", text[row_start:start]))

    def _add_error(self, text: bytes, position: int) -> None:
        cell = self._cell(text, position)
        if cell is None or not ERROR_TYPE.search(cell[0]):
            return
        shown = VALUE.search(text, position, text.find(b"</" + self._prefix + b"c>", position))
        error = shown.group(1).decode(errors="replace") if shown else "an error"
        self.cells.append(CellIssue(cell[1], cell[2], CellType.ERROR, error))

    def _add_formula(self, text: bytes, position: int, mark: bytes) -> None:
        cell = self._cell(text, position)
        if cell is None:
            return
        is_empty_text = b'"str"' in cell[0] and b"<" + self._prefix + b"v" in mark
        if not is_empty_text and not ERROR_TYPE.search(cell[0]):
            self.cells.append(CellIssue(cell[1], cell[2], CellType.NOT_COMPUTED, ""))


def _not_computed(prefix: bytes, computes_on_load: bool) -> tuple[re.Pattern[bytes], ...]:
    """The patterns of the end of a cell with a formula and without a value.

    Some programs write 0 as the value of every formula, and have it computed when the file is opened.
    """
    zero = b"0?" if computes_on_load else b""
    v = prefix + b"v"
    empty = rb"\s*+(?:<" + v + rb"\s*+/>|<" + v + rb">\s*+" + zero + rb"\s*+</" + v + rb">)?\s*+</" + prefix + b"c>"
    return re.compile(b"</" + prefix + b"f>" + empty), re.compile(b"<" + prefix + rb"f(?:\s[^<>]*)?/>" + empty)


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

    suffix: ClassVar[str] = ".ods"

    @cached_property
    def _sheets(self) -> dict[str, _Sheet]:
        content = self.archive.read(CONTENT)
        sheets = {}
        end = 0
        while (table := TABLE.search(content, end)) and (end := content.find(TABLE_END, table.end())) >= 0:
            name = NAME.search(table.group(1))
            sheets[unescape(name.group(1).decode()) if name else ""] = _Sheet(content[table.end() : end])
        return sheets

    def cell_issues(self, sheet: str, position: int) -> CellIssues:
        """What the XML of the sheet says."""
        content = self._sheets.get(sheet)
        if content is None:
            raise damaged(self.archive.source, f"the sheet {sheet} is not in {CONTENT}")
        issues = [*content.errors(), *([] if self._is_computed else content.formulas_without_value())]
        return CellIssues(tuple(issues), tuple(content.merged_cells()))

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

    def errors(self) -> Iterator[CellIssue]:
        """The cells with errors."""
        for match in ERROR.finditer(self.text):
            tag, rows, columns = self._place(match.start())
            if b'"error"' in tag or b"table:formula=" in tag:
                text = match.group(1).decode()
                yield from (CellIssue(row, column, CellType.ERROR, text) for row in rows for column in columns)

    def formulas_without_value(self) -> Iterator[CellIssue]:
        """The cells with a formula that was never computed."""
        for match in re.finditer(rb"\btable:formula=", self.text):
            end = self.text.find(b">", match.end())
            if VALUE_TYPE not in self.text[self.text.rfind(b"<", 0, match.start()) : end]:
                _, rows, columns = self._place(end)
                yield from (CellIssue(row, column, CellType.NOT_COMPUTED, "") for row in rows for column in columns)

    def merged_cells(self) -> Iterator[CellRange]:
        """The merged cells."""
        cells = set()
        for match in re.finditer(rb"\btable:number-(?:rows|columns)-spanned=", self.text):
            end = self.text.find(b">", match.end())
            if end in cells:
                continue
            cells.add(end)
            tag, rows, columns = self._place(end)
            height, width = _number(ROWS_SPANNED, tag), _number(COLUMNS_SPANNED, tag)
            if rows and (height > 1 or width > 1):
                top, left = rows[0], columns[0]
                yield CellRange(top, left, top + height - 1, left + width - 1)


def _number(pattern: re.Pattern[bytes], tag: bytes) -> int:
    """A number in a start tag; 1 if it is not there."""
    match = pattern.search(tag)
    return int(match.group(1)) if match else 1
