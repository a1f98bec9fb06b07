"""Errors and merged cells in the records of .xls."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nncli.base.errors import DataError, Location
from nncli.data.sources.workbook.cell_range import CellRange
from nncli.data.sources.workbook.grid import HiddenCell, Kind, SheetFacts
from nncli.data.sources.workbook.hidden.facts import ERROR_CODES, NOT_AVAILABLE, WorkbookFile, check_size, encrypted
from nncli.data.sources.workbook.hidden.ole_file import OleFile

STREAMS = ("Workbook", "Book")
ENCRYPTED_STREAM = "EncryptedPackage"
BEGINNING, END, SHEET, PASSWORD = 0x0809, 0x000A, 0x0085, 0x002F
FORMULA, BOOLEAN_OR_ERROR, MERGED, DIMENSIONS = 0x0006, 0x0205, 0x00E5, 0x0200
ERROR_RESULT = 2
CELLS = (FORMULA, BOOLEAN_OR_ERROR, 0x0201, 0x0203, 0x0204, 0x027E, 0x00BD, 0x00BE, 0x00D6, 0x00FD)
"""The kinds of records that begin with the row and the column of a cell."""
MAX_COLUMNS = 256


@dataclass(frozen=True)
class XlsFile(WorkbookFile):
    """A workbook of Excel 97 to 2003."""

    file: OleFile

    def __post_init__(self) -> None:
        if ENCRYPTED_STREAM in self.file.streams or any(kind == PASSWORD for kind, _ in self._records(0)):
            raise encrypted(self.file.source)
        _ = self._sheets  # checks their sizes, as calamine reads all sheets when it opens the file

    @property
    def suffix(self) -> str:
        """The suffix of the format."""
        return ".xls"

    @cached_property
    def _stream(self) -> bytes:
        name = next((name for name in STREAMS if name in self.file.streams), None)
        if name is None:
            raise DataError(
                "this is no workbook but a file of another program",
                location=Location(source=self.file.source),
                hint="Open it in a spreadsheet program and save it as .xlsx.",
            )
        return self.file.read(name)

    def _records(self, start: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the kind and the bytes of the records from a position to the end of their part of the stream."""
        view, size, depth = memoryview(self._stream), len(self._stream), 0
        while start + 4 <= size:
            kind, length = struct.unpack_from("<HH", view, start)
            yield kind, view[start + 4 : start + 4 + length]
            depth += (kind == BEGINNING) - (kind == END)  # charts are parts within a sheet
            if depth <= 0:
                return
            start += 4 + length

    @cached_property
    def _sheets(self) -> list[SheetFacts]:
        starts = [int.from_bytes(data[:4], "little") for kind, data in self._records(0) if kind == SHEET]
        return [self._facts(start) for start in starts]

    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What the records of the sheet say."""
        return self._sheets[position] if position < len(self._sheets) else SheetFacts()

    def _facts(self, start: int) -> SheetFacts:
        """What the records of the sheet say that begins at a position of the stream."""
        cells, merged = [], []
        for kind, data in self._records(start):
            if kind == DIMENSIONS and len(data) >= 12:
                top, bottom, left, right = struct.unpack_from("<IIHH", data)
                if bottom < top or right < left:
                    raise self.file.damaged("a sheet ends before it begins")
                check_size(bottom - top, right - left, self.file.source)
            elif kind in CELLS and int.from_bytes(data[2:4], "little") >= MAX_COLUMNS:
                raise self.file.damaged(f"a cell is beyond the column {MAX_COLUMNS}")
            elif kind == BOOLEAN_OR_ERROR and len(data) >= 8 and data[7]:
                cells.append((data, data[6]))
            elif kind == FORMULA and bytes(data[12:14]) == b"\xff\xff" and data[6] == ERROR_RESULT:
                cells.append((data, data[8]))
            elif kind == MERGED:
                for i in range(min(int.from_bytes(data[:2], "little"), (len(data) - 2) // 8)):
                    top, bottom, left, right = struct.unpack_from("<4H", data, 2 + 8 * i)
                    merged.append(CellRange(top, left, bottom, right))
        hidden = []
        for data, code in cells:
            row, column = struct.unpack_from("<HH", data)
            if (text := ERROR_CODES.get(code, "an error")) != NOT_AVAILABLE:
                hidden.append(HiddenCell(row, column, Kind.ERROR, text))
        return SheetFacts(tuple(hidden), tuple(merged))
