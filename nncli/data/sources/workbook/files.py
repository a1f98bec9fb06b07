"""The file of a workbook, of which calamine does not tell all: errors, formulas that were never computed, merged cells.

Members of zip archives are decompressed no further than the archive declares.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Generator
from functools import cached_property
from typing import ClassVar
from xml.etree import ElementTree as ET

from nncli.base.dataclass import dataclass
from nncli.base.errors import DataError, Location
from nncli.base.memory import format_bytes, free_memory
from nncli.data.sources.workbook.grid import NOT_AVAILABLE, SheetFacts

MAX_RATIO = 250
"""Largest ratio of the sizes after and before decompression; sheets of a few repeated values reach 100."""
SMALL = 100 << 20
"""Bytes that a workbook may always have after decompression."""
PIECE = 4 << 20
PACKED_PIECE = 1 << 19
"""Bytes that are decompressed to at most PIECE bytes at a time."""
ENCRYPTED = 1
SHEETS = "xl/worksheets/sheet"
LOCAL_HEADER = 30


@dataclass(frozen=True)
class ZipFile:
    """The bytes of a zip archive; `source` is its name in messages."""

    data: bytes
    source: str

    @cached_property
    def members(self) -> dict[str, zipfile.ZipInfo]:
        """The members by name in lower case.

        Raises:
            DataError: the archive is damaged, encrypted, or a zip bomb.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
                infos = [info for info in archive.infolist() if info.filename]
                members = {info.filename.replace("\\", "/").lower(): info for info in infos}
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise damaged(self.source, str(error)) from error
        size = sum(info.file_size for info in members.values())
        if size > max(SMALL, MAX_RATIO * len(self.data)):
            raise self._bomb(size)
        if any(info.flag_bits & ENCRYPTED for info in members.values()):
            raise encrypted(self.source)
        return members

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.members

    def pieces(self, name: str) -> Generator[bytes]:
        """Yield the bytes of a member, decompressed, in pieces.

        Raises:
            DataError: the member is missing or damaged, or has more bytes than the archive declares.
        """
        info = self.members.get(name.lower().removeprefix("/"))
        if info is None:
            raise damaged(self.source, f"it has no {name}")
        if info.header_offset < 0:  # as the archive is shorter than it says
            raise damaged(self.source, f"{name} is outside the file")
        head = self.data[info.header_offset : info.header_offset + LOCAL_HEADER]
        if len(head) < LOCAL_HEADER or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(self.source, f"{name} cannot be decompressed")
        start = info.header_offset + LOCAL_HEADER + sum(int.from_bytes(head[i : i + 2], "little") for i in (26, 28))
        end, size = min(start + info.compress_size, len(self.data)), 0
        if info.compress_type == zipfile.ZIP_STORED:
            yield self.data[start:end]
            return
        inflate, packed = zlib.decompressobj(-zlib.MAX_WBITS), b""
        try:
            while not inflate.eof and (packed or start < end):
                if not packed:
                    packed = self.data[start : min(start + PACKED_PIECE, end)]
                    start += len(packed)
                piece = inflate.decompress(packed, PIECE)
                packed = inflate.unconsumed_tail
                size += len(piece)
                if size > info.file_size:
                    raise self._bomb(size)
                yield piece
        except zlib.error as error:
            raise damaged(self.source, f"{name} cannot be decompressed") from error
        if size < info.file_size:
            raise damaged(self.source, f"{name} is truncated")

    def read(self, name: str) -> bytes:
        """The bytes of a member, decompressed."""
        return b"".join(self.pieces(name))

    def xml(self, name: str) -> ET.Element:
        """The root element of a small member that is XML."""
        text = self.read(name)
        if b"<!DOCTYPE" in text:
            raise damaged(self.source, f"{name} has a DOCTYPE")
        try:
            return ET.fromstring(text)
        except ET.ParseError as error:
            raise damaged(self.source, f"{name} is not XML: {error}") from error

    def targets(self, relationships: str) -> dict[str, str]:
        """The names of the members of the sheets, by the keys in a member of relationships."""
        elements = [(element.get("Id", ""), element.get("Target", "")) for element in self.xml(relationships)]
        return {key: name.removeprefix("/") if name.startswith("/") else f"xl/{name}" for key, name in elements}

    def check(self) -> None:
        """Decompress the members but for the sheets, to see that none has more bytes than the archive declares.

        Sheets are decompressed too before calamine reads them, when they are searched.
        """
        for name, info in self.members.items():
            is_sheet = name.startswith(SHEETS) or name == "content.xml"
            if not is_sheet and not info.is_dir() and name.endswith((".xml", ".bin", ".rels")):
                for _ in self.pieces(name):
                    pass

    def _bomb(self, size: int) -> DataError:
        return DataError(
            f"the workbook of {format_bytes(len(self.data))} decompresses to {format_bytes(size)} or more",
            location=Location(source=self.source),
            hint="If it is no attack, save it again in a spreadsheet program, or as CSV.",
        )


ERROR_CODES = {
    0x00: "#NULL!",
    0x07: "#DIV/0!",
    0x0F: "#VALUE!",
    0x17: "#REF!",
    0x1D: "#NAME?",
    0x24: "#NUM!",
    0x2A: NOT_AVAILABLE,
}
"""The errors by their codes in binary formats."""
BYTES_PER_CELL = 48
"""Bytes that calamine and the grid need for a cell, empty ones between others included."""
ALWAYS_ALLOWED = 1 << 30
MAX_COLUMNS = 16_384
"""Columns of a sheet of Excel and of LibreOffice."""


class WorkbookFile(ABC):
    """The bytes of a workbook in one of the formats."""

    suffix: ClassVar[str]
    """The suffix that the format of the content has."""

    @abstractmethod
    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What calamine does not tell of a sheet, which is at a position among all sheets of the workbook.

        Raises:
            DataError: the file is damaged, or the sheet would not fit into memory.
        """


def damaged(source: str, reason: str) -> DataError:
    """The error of a workbook that cannot be read."""
    return DataError(
        f"the workbook is damaged: {reason}",
        location=Location(source=source),
        hint="Open it in a spreadsheet program and save it again.",
    )


def encrypted(source: str) -> DataError:
    """The error of a workbook that is encrypted."""
    return DataError(
        "the workbook is encrypted with a password",
        location=Location(source=source),
        hint="Open it in a spreadsheet program with the password, and save it without one.",
    )


def check_size(rows: int, columns: int, source: str) -> None:
    """Raise a DataError if the cells between the first one and the last one of a sheet do not fit into memory."""
    if columns > MAX_COLUMNS:
        raise DataError(
            f"the sheet has {columns:,} columns, more than {MAX_COLUMNS:,}",
            location=Location(source=source),
            hint="If the file is not damaged, save the sheet as CSV.",
        )
    size = rows * columns * BYTES_PER_CELL
    if size > max(ALWAYS_ALLOWED, free_memory()):
        raise DataError(
            f"the sheet has {rows:,} rows and {columns:,} columns, for which {format_bytes(size)} of memory are needed",
            location=Location(source=source),
            hint="Delete cells far away from the table, or save the sheet as CSV, which is read in blocks.",
        )
