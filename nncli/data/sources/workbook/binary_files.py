"""Errors and merged cells in the records of .xls and .xlsb."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from nncli.base.errors import DataError, Location
from nncli.data.sources.workbook.files import ERROR_CODES, WorkbookFile, ZipFile, check_size, damaged, encrypted
from nncli.data.sources.workbook.grid import CellIssue, CellIssues, CellRange, CellType

STREAMS = ("Workbook", "Book")
ENCRYPTED_STREAM = "EncryptedPackage"
BEGINNING, END, SHEET, PASSWORD = 0x0809, 0x000A, 0x0085, 0x002F
FORMULA, BOOLEAN_OR_ERROR, MERGED, DIMENSIONS = 0x0006, 0x0205, 0x00E5, 0x0200
ERROR_RESULT = 2
CELLS = (FORMULA, BOOLEAN_OR_ERROR, 0x0201, 0x0203, 0x0204, 0x027E, 0x00BD, 0x00BE, 0x00D6, 0x00FD)
"""The kinds of records that begin with the row and the column of a cell."""
XLS_COLUMNS = 256


HEADER = 512
FREE = 0xFFFF_FFFA
"""From here on, numbers of sectors have other meanings, such as the end of a chain."""
ENTRY = 128
STREAM = 2
HEADER_SECTORS = 109
"""Numbers of sectors of the allocation table that are in the header."""


@dataclass(frozen=True)
class OleFile:
    """The bytes of a compound file; `source` is its name in messages."""

    data: bytes
    source: str

    @property
    def _sector_size(self) -> int:
        return 1 << int.from_bytes(self.data[30:32], "little")

    def _number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "little")

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._sector_size
        return self.data[start : start + self._sector_size]

    @cached_property
    def _next(self) -> npt.NDArray[np.uint32]:
        """The number of the sector that follows each sector."""
        numbers = [self._number(76 + 4 * i) for i in range(HEADER_SECTORS)]
        more, seen = self._number(68), set[int]()
        while more < FREE and more not in seen:
            seen.add(more)
            sector = self._sector(more)
            if len(sector) < self._sector_size:
                raise damaged(self.source, "it is truncated")
            table = np.frombuffer(sector, "<u4")
            numbers += table[:-1].tolist()
            more = int(table[-1])
        tables = b"".join(self._sector(number) for number in numbers if number < FREE)
        return np.frombuffer(tables[: len(tables) // 4 * 4], "<u4")

    def _chain(self, first: int) -> Iterator[bytes]:
        number, count = first, 0
        while number < FREE:
            if number >= self._next.size or count > self._next.size:
                raise damaged(self.source, "its sectors are not a chain")
            yield self._sector(number)
            number, count = int(self._next[number]), count + 1

    @cached_property
    def streams(self) -> dict[str, tuple[int, int]]:
        """The first sector and the size of each stream, by name.

        Raises:
            DataError: the file is damaged.
        """
        if len(self.data) < HEADER or not 7 <= int.from_bytes(self.data[30:32], "little") <= 16:
            raise damaged(self.source, "it is too short")
        directory = b"".join(self._chain(self._number(48)))
        streams = {}
        for start in range(0, len(directory) - ENTRY + 1, ENTRY):
            entry = directory[start : start + ENTRY]
            length = int.from_bytes(entry[64:66], "little")
            if entry[66] == STREAM and 2 <= length <= 64:
                name = entry[: length - 2].decode("utf-16-le", errors="replace")
                streams[name] = (int.from_bytes(entry[116:120], "little"), int.from_bytes(entry[120:124], "little"))
        return streams

    def read(self, name: str) -> bytes:
        """The bytes of a stream; empty if it is one of the short ones, which are stored in another way."""
        first, size = self.streams[name]
        if size < self._number(56):
            return b""
        return b"".join(self._chain(first))[:size]


@dataclass(frozen=True)
class XlsFile(WorkbookFile):
    """A workbook of Excel 97 to 2003."""

    file: OleFile

    def __post_init__(self) -> None:
        if ENCRYPTED_STREAM in self.file.streams or any(kind == PASSWORD for kind, _ in self._records(0)):
            raise encrypted(self.file.source)
        _ = self._sheets  # checks their sizes, as calamine reads all sheets when it opens the file

    suffix: ClassVar[str] = ".xls"

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
    def _sheets(self) -> list[CellIssues]:
        starts = [int.from_bytes(data[:4], "little") for kind, data in self._records(0) if kind == SHEET]
        return [self._cell_issues(start) for start in starts]

    def cell_issues(self, sheet: str, position: int) -> CellIssues:
        """What the records of the sheet say."""
        return self._sheets[position] if position < len(self._sheets) else CellIssues()

    def _cell_issues(self, start: int) -> CellIssues:
        """What the records of the sheet say that begins at a position of the stream."""
        cells, merged = list[CellIssue](), list[CellRange]()
        for kind, data in self._records(start):
            if kind == DIMENSIONS and len(data) >= 12:
                top, bottom, left, right = struct.unpack_from("<IIHH", data)
                if bottom < top or right < left:
                    raise damaged(self.file.source, "a sheet ends before it begins")
                check_size(bottom - top, right - left, self.file.source)
            elif kind in CELLS and int.from_bytes(data[2:4], "little") >= XLS_COLUMNS:
                raise damaged(self.file.source, f"a cell is beyond the column {XLS_COLUMNS}")
            elif kind == BOOLEAN_OR_ERROR and len(data) >= 8 and data[7]:
                cells.append(error_cell(data, data[6]))
            elif kind == FORMULA and bytes(data[12:14]) == b"\xff\xff" and data[6] == ERROR_RESULT:
                cells.append(error_cell(data, data[8]))
            elif kind == MERGED:
                for i in range(min(int.from_bytes(data[:2], "little"), (len(data) - 2) // 8)):
                    top, bottom, left, right = struct.unpack_from("<4H", data, 2 + 8 * i)
                    merged.append(CellRange(top, left, bottom, right))
        return CellIssues(tuple(cells), tuple(merged))


def error_cell(record: memoryview, code: int) -> CellIssue:
    """The cell of a record of .xls, with the error of a code."""
    row, column = struct.unpack_from("<HH", record)
    return CellIssue(row, column, CellType.ERROR, ERROR_CODES.get(code, "an error"))


WORKBOOK_BINARY = "xl/workbook.bin"
BINARY_RELATIONSHIPS = "xl/_rels/workbook.bin.rels"
XLSB_SHEET, ROW, XLSB_MERGED = 156, 0, 176
ERROR_CELLS = (3, 11)
"""The kinds of records of a cell with an error: a constant, or the result of a formula."""


@dataclass(frozen=True)
class XlsbFile(WorkbookFile):
    """A workbook of binary records in a zip archive."""

    archive: ZipFile

    suffix: ClassVar[str] = ".xlsb"

    def cell_issues(self, sheet: str, position: int) -> CellIssues:
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
                    cells.append(CellIssue(row, column, CellType.ERROR, text))
            elif kind == XLSB_MERGED and size >= 16:
                top, bottom, left, right = struct.unpack_from("<4I", data, start)
                merged.append(CellRange(top, left, bottom, right))
        check_size(row + 1, columns, self.archive.source)
        return CellIssues(tuple(cells), tuple(merged))

    def _members(self) -> list[str]:
        """The names of the members of the sheets, in their order."""
        targets, members = self.archive.targets(BINARY_RELATIONSHIPS), []
        data = self.archive.read(WORKBOOK_BINARY)
        for kind, start, _ in records(data):
            if kind == XLSB_SHEET:
                length = int.from_bytes(data[start + 8 : start + 12], "little")
                key = data[start + 12 : start + 12 + 2 * length].decode("utf-16-le", errors="replace")
                members.append(targets.get(key, "xl/"))
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
