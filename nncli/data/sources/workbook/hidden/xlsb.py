"""Errors and merged cells in the records of .xlsb."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nncli.data.sources.workbook.grid import CellRange, HiddenCell, Kind, SheetFacts
from nncli.data.sources.workbook.hidden.xlsx import member_name
from nncli.data.sources.workbook.hidden.zip_file import ERROR_CODES, NOT_AVAILABLE, WorkbookFile, ZipFile, check_size

WORKBOOK_BINARY = "xl/workbook.bin"
RELATIONSHIPS = "xl/_rels/workbook.bin.rels"
SHEET, ROW, MERGED = 156, 0, 176
ERROR_CELLS = (3, 11)
"""The kinds of records of a cell with an error: a constant, or the result of a formula."""


@dataclass(frozen=True)
class XlsbFile(WorkbookFile):
    """A workbook of binary records in a zip archive."""

    archive: ZipFile

    @property
    def suffix(self) -> str:
        """The suffix of the format."""
        return ".xlsb"

    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What the records of the sheet say."""
        data = self.archive.read(self._members()[position])
        cells, merged, row, columns = [], [], 0, 0
        for kind, start, size in records(data):
            if kind == ROW:
                row = int.from_bytes(data[start : start + 4], "little")
            elif 1 <= kind <= ERROR_CELLS[1]:
                column = int.from_bytes(data[start : start + 4], "little")
                columns = max(columns, column + 1)
                if kind in ERROR_CELLS:
                    text = ERROR_CODES.get(data[start + 8], "an error")
                    if text != NOT_AVAILABLE:
                        cells.append(HiddenCell(row, column, Kind.ERROR, text))
            elif kind == MERGED and size >= 16:
                top, bottom, left, right = struct.unpack_from("<4I", data, start)
                merged.append(CellRange(top, left, bottom, right))
        check_size(row + 1, columns, self.archive.source)
        return SheetFacts(tuple(cells), tuple(merged))

    def _members(self) -> list[str]:
        """The names of the members of the sheets, in their order."""
        targets = {element.get("Id", ""): element.get("Target", "") for element in self.archive.xml(RELATIONSHIPS)}
        members = []
        data = self.archive.read(WORKBOOK_BINARY)
        for kind, start, _ in records(data):
            if kind == SHEET:
                length = int.from_bytes(data[start + 8 : start + 12], "little")
                key = data[start + 12 : start + 12 + 2 * length].decode("utf-16-le", errors="replace")
                members.append(member_name(targets.get(key, "")))
        return members


def records(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the kind of each record, and where its bytes begin and how many they are."""
    at, end = 0, len(data)
    while at < end:
        kind = data[at]
        at += 1
        if kind & 0x80 and at < end:
            kind = (kind & 0x7F) | (data[at] & 0x7F) << 7
            at += 1
        size = shift = 0
        for _ in range(4):
            if at >= end:
                return
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield kind, at, size
        at += size
