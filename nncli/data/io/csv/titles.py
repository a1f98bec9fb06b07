"""Tell titles above a table from its header, by the number of cells and what is in the columns below."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MAX_TITLES = 50
"""Largest number of lines above the header."""
VALUE = re.compile(r"[^A-Za-z]*[0-9][^A-Za-z]*(?:[eE][+-]?[0-9]+)?")
"""A number, date or time, with or without a unit."""
YEAR = re.compile(r"(?:19|20)[0-9]{2}")
MARKER = re.compile(r"(?i)\W*(?:na|nan|inf|infinity|n/a|null|none|nil|missing|unknown)?\W*")
"""Cells that often stand for a missing value."""
MIN_BODY = 3
"""Smallest number of values that show that the cells of a column are numbers or dates."""


def trailing_empty(cells: Sequence[str]) -> int:
    """The number of empty cells at the end."""
    return next((i for i, cell in enumerate(reversed(cells)) if cell.strip()), len(cells))


def filled(cells: Sequence[str]) -> list[str]:
    return [cell for cell in cells if cell.strip()]


def body_width(body: Sequence[Sequence[str]]) -> int:
    """The number of cells that most records have; the largest if there are several."""
    counts = Counter(map(len, body))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def is_row(cells: Sequence[str]) -> bool:
    """Whether a record of a table of several columns cannot be a note: a cell behind the first is not empty."""
    return any(map(str.strip, cells[1:]))


def is_title(cells: Sequence[str], width: int) -> bool:
    """Whether a record can be a title above a table of `width` cells: at most one cell is not empty, the first one."""
    n_filled = len(filled(cells))
    if width < 2 or n_filled > 1:
        return False
    return not n_filled or (bool(cells[0].strip()) and (len(cells) < width or width > 2))


def is_value(cell: str) -> bool:
    return VALUE.fullmatch(cell.strip()) is not None


def can_be_header(cells: Sequence[str]) -> bool:
    """Whether there are at least two names, none of them a value other than a year."""
    present = filled(cells)
    names = [cell for cell in present if not is_value(cell)]
    years = all(YEAR.fullmatch(cell.strip()) for cell in present if is_value(cell))
    return len(present) >= 2 and 2 * len(present) > len(cells) - trailing_empty(cells) and bool(names) and years


def value_columns(body: Sequence[Sequence[str]], width: int) -> frozenset[int]:
    """The positions of the columns whose cells, as far as they are not empty or markers, are numbers or dates."""
    columns = []
    rows = [row for row in body if is_row(row)]
    for j in range(width):
        cells = [row[j] for row in rows if j < len(row) and not MARKER.fullmatch(row[j])]
        values = sum(map(is_value, cells))
        if values >= MIN_BODY and 10 * values >= 9 * len(cells):
            columns.append(j)
    return frozenset(columns)


def has_other_types(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a cell is text where the column below it holds numbers or dates."""
    return any(cells[j].strip() and not is_value(cells[j]) for j in value_columns(body, len(cells)))


@dataclass(frozen=True)
class HeaderPosition:
    """The position of the header among the records; `instead` is another one that is as likely."""

    at: int
    instead: int | None = None


def find_header(rows: Sequence[Sequence[str]], *, has_blank_lines: bool) -> HeaderPosition:
    """The position of the header among the first records; 0 unless there is evidence of titles above it.

    `has_blank_lines`: there are blank lines within the first records, which are not among `rows`.
    """
    width = body_width(rows[1:] or rows)
    used = body_width([cells[: len(cells) - trailing_empty(cells)] for cells in rows[1:] or rows])
    above = [
        is_title(cells, width) or len(cells) < used or 2 * len(filled(cells)) <= used
        for cells in rows[: MAX_TITLES + 1]
    ]
    at = next((i for i, is_above in enumerate(above) if not is_above), 0)
    # One name for many columns is no header.
    first = HeaderPosition(at, 0) if at and used > 2 and len(rows[0]) >= used else HeaderPosition(0)
    titles, header, body = rows[:at], rows[at], rows[at + 1 :]
    if at == 0 or not body or not can_be_header(header):
        return first
    if has_other_types(header, body):
        names = filled(header)
        few = has_blank_lines or all(2 * len(filled(cells)) <= len(names) for cells in titles)
        return HeaderPosition(at) if few and not any(map(MARKER.fullmatch, names)) else first
    if any(len(filled(cells)) > 1 for cells in titles):
        return first
    apart = has_blank_lines or any(not filled(cells) for cells in titles)
    if all(len(cells) < width for cells in titles):
        regular = width > 2 and len(body) >= MIN_BODY and all(len(cells) == width for cells in body)
        prose = any(cell.startswith(" ") for cells in rows[at:] for cell in cells)
        return HeaderPosition(at) if apart or (regular and not prose) else first
    if apart and any(" " in cells[0].strip() for cells in titles if cells):
        return HeaderPosition(at)
    return HeaderPosition(at, next(i for i, cells in enumerate(titles) if filled(cells)))
