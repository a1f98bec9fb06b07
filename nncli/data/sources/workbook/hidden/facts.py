"""The interface of a workbook file that is searched for what calamine does not tell."""

from __future__ import annotations

from abc import ABC, abstractmethod

from nncli.base.errors import DataError, Location
from nncli.base.memory import format_bytes, free_memory
from nncli.data.sources.workbook.grid import SheetFacts

NOT_AVAILABLE = "#N/A"
"""The error that stands for a missing value."""
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

    @property
    @abstractmethod
    def suffix(self) -> str:
        """The suffix that the format of the content has."""

    @abstractmethod
    def facts(self, sheet: str, position: int) -> SheetFacts:
        """What calamine does not tell of a sheet, which is at a position among all sheets of the workbook.

        Raises:
            DataError: the file is damaged, or the sheet would not fit into memory.
        """


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
