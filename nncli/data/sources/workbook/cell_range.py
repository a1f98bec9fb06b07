"""Addresses of cells and ranges of a sheet, such as B7 and B4:H200."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nncli.base.errors import UsageError
from nncli.base.text import quote

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
    found = CellRange(
        int(first_row or 1) - 1,
        column_position(first_letters or "A"),
        int(last_row) - 1 if last_row else MAX_ROWS - 1,
        column_position(last_letters) if last_letters else MAX_COLUMNS - 1,
        has_rows=bool(first_row),
    )
    if found.top < 0 or found.bottom >= MAX_ROWS or max(found.left, found.right) >= MAX_COLUMNS:
        raise UsageError(
            f"the range {quote(text)} is outside of a sheet", hint=f"A sheet has the cells A1 to XFD{MAX_ROWS}."
        )
    if found.bottom < found.top or found.right < found.left:
        raise UsageError(f"the range {quote(text)} ends before it begins", hint="Write the upper left cell first.")
    return found
