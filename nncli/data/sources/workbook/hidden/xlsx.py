"""Errors, formulas that were never computed, and merged cells in the XML of .xlsx and .xlsm.

The text is searched for the few patterns that matter: parsing all of the XML would take longer than reading the cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from nncli.base.errors import UsageError
from nncli.data.formats.prefetch import prefetch
from nncli.data.sources.workbook.grid import CellRange, HiddenCell, Kind, SheetFacts, column_position, parse_range
from nncli.data.sources.workbook.hidden.zip_file import NOT_AVAILABLE, WorkbookFile, ZipFile, check_size

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

    @property
    def suffix(self) -> str:
        """The suffix of the format."""
        return ".xlsx"

    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What the XML of the sheet says."""
        member = self._members()[position]
        search = _Search(self.archive.source, self._computes_on_load)
        search.read(prefetch(self.archive.pieces(member)))
        return SheetFacts(tuple(search.cells), tuple(search.merged))

    def _members(self) -> list[str]:
        """The names of the members of the sheets, in their order."""
        targets = {element.get("Id", ""): element.get("Target", "") for element in self.archive.xml(RELATIONSHIPS)}
        members = []
        for element in self.archive.xml(WORKBOOK).iter():
            if element.tag.endswith("}sheet"):
                key = next((value for name, value in element.items() if name.endswith("}id")), "")
                members.append(member_name(targets.get(key, "")))
        return members

    @cached_property
    def _computes_on_load(self) -> bool:
        """Whether a spreadsheet program computes all formulas when it opens the file: its values may be invented."""
        root = self.archive.xml(WORKBOOK)
        return any(element.get("fullCalcOnLoad") in TRUE for element in root if element.tag.endswith("}calcPr"))


def member_name(target: str) -> str:
    """The name of the member that a relationship of the workbook names."""
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


@dataclass
class _Search:
    """Searches the XML of a sheet, piece by piece, each of whole rows."""

    source: str
    computes_on_load: bool
    cells: list[HiddenCell] = field(default_factory=list)
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
        if error != NOT_AVAILABLE:
            self.cells.append(HiddenCell(cell[1], cell[2], Kind.ERROR, error))

    def _add_formula(self, text: bytes, position: int, found: bytes) -> None:
        cell = self._cell(text, position)
        if cell is None:
            return
        is_empty_text = b'"str"' in cell[0] and b"<" + self._prefix + b"v" in found
        if not is_empty_text and not ERROR_TYPE.search(cell[0]):
            self.cells.append(HiddenCell(cell[1], cell[2], Kind.NOT_COMPUTED, ""))


def _not_computed(prefix: bytes, computes_on_load: bool) -> tuple[re.Pattern[bytes], ...]:
    """The patterns of the end of a cell with a formula and without a value.

    Some programs write 0 as the value of every formula, and have it computed when the file is opened.
    """
    zero = b"0?" if computes_on_load else b""
    v = prefix + b"v"
    empty = rb"\s*+(?:<" + v + rb"\s*+/>|<" + v + rb">\s*+" + zero + rb"\s*+</" + v + rb">)?\s*+</" + prefix + b"c>"
    return re.compile(b"</" + prefix + b"f>" + empty), re.compile(b"<" + prefix + rb"f(?:\s[^<>]*)?/>" + empty)
