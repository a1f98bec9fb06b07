"""The header of a table: its position below titles, and the names of columns from its cells.

Titles differ from the header by the number of cells and by what is in the columns below. Columns without a name, and
those with a repeated one, get names of their own, which are those of the columns of a trained model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from nncli.base.errors import Advice, SetKey
from nncli.base.text import join_quoted, quote
from nncli.nn.arrays import RowIndices

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


def has_gaps(numbers: Sequence[int] | RowIndices) -> bool:
    """Whether numbers of records, in their order, leave some out."""
    return len(numbers) > 0 and bool(numbers[-1] - numbers[0] >= len(numbers))


def are_spaced(numbers: Sequence[int] | RowIndices) -> bool:
    """Whether there are blank records between those of these numbers, not only at their end."""
    return has_gaps(numbers[: len(numbers) // 2])


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
        is_value(first) and is_value(two) for first, two in zip(body[0], body[1], strict=False)
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
        Advice(
            f"{source}: the names of the columns look like a row of data ({shown}); if there are no names, ",
            SetKey("data.header", "false"),
        )
    ]


WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
DIGIT = re.compile(r"[0-9]")
QUANTITIES = frozenset(
    (
        *("age", "amount", "cost", "count", "date", "distance", "height", "income", "latitude", "length", "longitude"),
        *("population", "price", "quantity", "revenue", "salary", "score", "temperature", "total", "weight", "width"),
        "year",
    )
)
TEXTS = frozenset(["city", "comment", "country", "description", "email", "name", "street", "surname", "town"])
"""Last words of names of columns of text; QUANTITIES are those of numbers and dates."""


@dataclass(frozen=True)
class ColumnNames:
    """The name of each column, and notes about those that are not in the header as they are."""

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def unique_names(cells: Sequence[str], reserved: Collection[str] = ()) -> tuple[str, ...]:
    """A different name for each cell: `column_7` for an empty one, by its position; `price_2` for the second `price`.

    A name that another column has, or that is `reserved`, is not given again: then it is `price_3`.
    """
    free = _FreeNames({*cells, *reserved})
    named: set[str] = set()
    names = []
    for number, cell in enumerate(cells, start=1):
        name = cell
        if not cell:
            name = free.first(f"column_{number}")
        elif cell in named:
            name = free.numbered(cell)
        named.add(name)
        names.append(name)
    return tuple(names)


class _FreeNames:
    """Finds names that are not `taken`."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._next = Counter[str]()

    def first(self, name: str) -> str:
        """`name` if it is free, else with a number."""
        if name in self._taken:
            return self.numbered(name)
        self._taken.add(name)
        return name

    def numbered(self, name: str) -> str:
        """`name` with the first number, from 2, that is free."""
        number = max(self._next[name], 2)
        while f"{name}_{number}" in self._taken:
            number += 1
        self._next[name] = number + 1
        self._taken.add(f"{name}_{number}")
        return f"{name}_{number}"


def made_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns whose cell of the header is empty or repeated."""
    repeated = {cell for cell, count in Counter(cells).items() if count > 1}
    return tuple(name for name, cell in zip(unique_names(cells), cells, strict=True) if not cell or cell in repeated)


def name_columns(cells: Sequence[str], source: str) -> ColumnNames:
    """The names of the columns of a table that is not read by a trained model."""
    names = unique_names(cells)
    notes = []
    if unnamed := [name for name, cell in zip(names, cells, strict=True) if not cell]:
        notes.append(f"{source}: {_called(unnamed, 'column without a name', 'columns without names')}")
    if repeated := [name for name, cell in zip(names, cells, strict=True) if cell and name != cell]:
        notes.append(f"{source}: {_called(repeated, 'repeated name', 'repeated names')}")
    return ColumnNames(names, tuple(notes))


def contradicted_names(names: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """The names of quantities or dates above nothing but text, and those of text above nothing but numbers or dates."""
    contradicted = []
    for j, name in enumerate(names):
        words = [word.lower() for word in WORD.findall(name)]
        last = next((word for word in reversed(words) if len(word) > 3 or word in QUANTITIES), "")  # behind it: a unit
        cells = [row[j] for row in body if j < len(row) and not MARKER.fullmatch(row[j])]
        if len(cells) < MIN_BODY or names.count(name) > 1:  # one of two of a name has another one
            continue
        if (last in QUANTITIES and not any(map(DIGIT.search, cells))) or (last in TEXTS and all(map(is_value, cells))):
            contradicted.append(name)
    return contradicted


def _called(names: Sequence[str], singular: str, many: str) -> str:
    return (
        f"{len(names)} {many} are called {join_quoted(names)}"
        if len(names) > 1
        else f"the {singular} is called {quote(names[0])}"
    )


def name_like(cells: Sequence[str], trained: Sequence[str], source: str) -> ColumnNames:
    """The names of the columns of a table for a model whose training table had `trained` as cells of the header.

    `trained` is empty if all of its cells were different names. Unnamed and repeated columns keep the names that they
    had in training if there are as many of them, in the same order among the other columns; other columns may be
    missing or added. If it is unclear which is which, they get names that no column of the model has.
    """
    trained_names = unique_names(trained)
    names = list(unique_names(cells, trained_names))
    counts, trained_counts = Counter(cells), Counter(trained)
    ambiguous = {cell for cell in counts if counts[cell] > 1 or trained_counts[cell] > 1 or (not cell and trained)}
    ambiguous = {cell for cell in ambiguous if trained_counts[cell] or (cell and not trained)}
    unclear = {cell for cell in ambiguous if counts[cell] != trained_counts[cell]}
    places = _places(cells, trained, unclear)
    aligned = [trained_names[places[j]] if j in places else name for j, name in enumerate(names)] if places else names
    if places is None or len({*aligned}) < len(aligned):
        unclear = ambiguous
    else:
        names = aligned
    unclear = {cell for cell in unclear if not _is_explicit(cell, counts, trained, trained_names)}
    free = _FreeNames({*names, *trained_names})
    for j, cell in enumerate(cells):
        if cell in unclear:
            names[j] = free.first(f"{cell or f'column_{j + 1}'} (unclear)")
    if not unclear:
        return ColumnNames(tuple(names))
    shown = join_quoted(dict.fromkeys(cell or f"column_{j + 1}" for j, cell in enumerate(cells) if cell in unclear))
    return ColumnNames(
        tuple(names),
        (f"{source}: it is unclear which columns of the training table are {shown}; they are not used",),
    )


def _places(cells: Sequence[str], trained: Sequence[str], unclear: set[str]) -> dict[int, int] | None:
    """The place in the training table of each column that it has, by position; None if their order is not the same."""
    clear = set(trained) - unclear
    places: dict[int, int] = {}
    start = 0
    for j, cell in enumerate(cells):
        if cell in clear:
            try:
                places[j] = trained.index(cell, start)
            except ValueError:
                return None
            start = places[j] + 1
    return places


def _is_explicit(cell: str, counts: Counter[str], trained: Sequence[str], trained_names: Sequence[str]) -> bool:
    """Whether all columns that had the same name in training have different names in this header."""
    group = {name for name, original in zip(trained_names, trained, strict=True) if original == cell}
    return bool(cell and group) and all(counts[name] == 1 for name in group)
