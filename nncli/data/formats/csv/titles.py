"""Tell titles above a table from its header, by the number of cells and what is in the columns below."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from nncli.base.text import join_quoted

MAX_TITLES = 50
"""Largest number of lines above the header."""
VALUE = re.compile(r"[^A-Za-z0-9]*+[0-9][^A-Za-z]*+(?:[eE][+-]?[0-9]++)?")
"""A number, date or time, with or without a unit."""
YEAR = re.compile(r"(?:19|20)[0-9]{2}")
MARKER = re.compile(r"(?i)\W*+(?:na|nan|inf|infinity|n/a|null|none|nil|missing|unknown)?\W*+")
"""Cells that often stand for a missing value."""
MIN_BODY = 3
"""Smallest number of values that show that the cells of a column are numbers or dates."""
MIN_ROWS = 10
"""Smallest number of rows that show that the record above them is no row."""


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
    n_filled = sum(map(bool, cells))
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
    above = [_may_be_above(cells, width, used) for cells in rows[: MAX_TITLES + 1]]
    at = next((i for i, is_above in enumerate(above) if not is_above), 0)
    # One name for many columns is no header.
    is_doubtful = at > 0 and used > 2 and len(rows[0]) >= used
    is_doubtful = is_doubtful or _is_doubtful(rows, used, has_blank_lines=has_blank_lines)
    first = HeaderPosition(max(at, 1), 0) if is_doubtful else HeaderPosition(0)
    titles, header, body = rows[:at], rows[at], rows[at + 1 :]
    if at == 0 or not body or not can_be_header(header) or is_prose(header, body):
        return first
    if has_other_types(header, body):
        names = filled(header)
        few = has_blank_lines or all(2 * len(filled(cells)) <= len(names) for cells in titles)
        return HeaderPosition(at) if few and not any(map(MARKER.fullmatch, names)) else first
    if any(len(filled(cells)) > 1 or (len(cells) > 1 and not filled(cells)) for cells in titles):
        return first
    if all(len(cells) < width for cells in titles):
        regular = width > 2 and len(body) >= MIN_BODY and all(len(cells) == width for cells in body)
        return HeaderPosition(at) if has_blank_lines or regular else first
    return HeaderPosition(at, next((i for i, cells in enumerate(titles) if filled(cells)), 0))


def _may_be_above(cells: Sequence[str], width: int, used: int) -> bool:
    """Whether a record can stand above a header of a table of which `used` columns have cells."""
    few = bool(cells and cells[0].strip()) and 2 * sum(map(bool, cells)) <= used
    return is_title(cells, width) or len(cells) < used or few


def is_prose(cells: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether a record looks like a sentence with separators in it: spaces follow these, but not in the body."""
    spaced = any(cell.startswith(" ") and cell.strip() for cell in cells)
    return spaced and not any(cell.startswith(" ") for row in body[:MIN_BODY] for cell in row)


def _is_doubtful(rows: Sequence[Sequence[str]], used: int, *, has_blank_lines: bool) -> bool:
    """Whether the first record, as wide as the table, may still be a title, and the second one the header."""
    if len(rows) < 3:
        return False
    if used <= 2 <= len(rows[0]) and sum(map(bool, rows[0])) == 1 and rows[0][0].strip() and len(filled(rows[1])) < 2:
        return any(map(is_row, rows[2:]))
    is_followed = can_be_header(rows[1]) and has_other_types(rows[1], rows[2:])
    return is_prose(rows[0], rows[1:]) and (has_blank_lines or is_followed)


def header_position(cells: Sequence[Sequence[str]], trained: Sequence[str], *, has_blank_lines: bool) -> HeaderPosition:
    """The position of the header: that of the cells of the training table's header if it is there, else it is found.

    `trained` are those of its cells that a model remembers; see `find_header` for the rest.
    """
    labels = {cell for cell in trained if cell}
    common = [len(labels & {*row}) for row in cells[: MAX_TITLES + 1]]
    if labels and 2 * max(common) >= len(labels):
        return HeaderPosition(common.index(max(common)))
    return find_header(cells, has_blank_lines=has_blank_lines)


def second_header(cells: Sequence[Sequence[str]], at: int) -> list[str]:
    """The cells of the record below the header at `at`, in the columns of numbers or dates, if all of these are text.

    Such a record is no row. The list is empty if there is no such record.
    """
    body = cells[at + 1 :]
    if len(body) <= MIN_ROWS or any(
        is_value(one) and is_value(two) for one, two in zip(body[0], body[1], strict=False)
    ):
        return []
    columns = [
        j
        for j in value_columns(body[1:], len(cells[at]))
        if len({row[j] for row in body[1:] if j < len(row)}) >= MIN_ROWS // 2
    ]
    names = [body[0][j] if j < len(body[0]) else "" for j in columns]
    if len(names) < 2 or any(is_value(name) or MARKER.fullmatch(name) for name in names) or len({*names}) < 2:
        return []
    return names


def notice_of_missing_header(names: Sequence[str], body: Sequence[Sequence[str]], source: str) -> list[str]:
    """A note if every name is a number, or a value of its column: then the header may be a row of data."""
    given = [j for j, name in enumerate(names) if name]
    values = [names[j] for j in given if is_value(names[j])]
    others = (j for j in given if not is_value(names[j]))
    if not given or not all(any(j < len(row) and row[j] == names[j] for row in body) for j in others):
        return []
    if len(values) == len(given) and all(YEAR.fullmatch(value) for value in values):
        return []
    shown = join_quoted([names[j] for j in given[:3]])
    return [
        f"{source}: the names of the columns look like a row of data ({shown}); if there are no names, "
        "set data.header: false"
    ]
