"""Names of columns from the cells of a header: unnamed columns, repeated names, and the columns of a trained model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars

from nncli.base.text import join_quoted, quote
from nncli.data.formats.csv.numeric_columns import NumericParser
from nncli.data.formats.csv.titles import MARKER, MIN_BODY, is_value
from nncli.data.table import MANY_COLUMNS, replace_na_values

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
    found = []
    for j, name in enumerate(names):
        words = [word.lower() for word in WORD.findall(name)]
        last = next((word for word in reversed(words) if len(word) > 3 or word in QUANTITIES), "")  # behind it: a unit
        cells = [row[j] for row in body if j < len(row) and not MARKER.fullmatch(row[j])]
        if len(cells) < MIN_BODY or names.count(name) > 1:  # one of two of a name has another one
            continue
        if (last in QUANTITIES and not any(map(DIGIT.search, cells))) or (last in TEXTS and all(map(is_value, cells))):
            found.append(name)
    return found


def _called(names: Sequence[str], one: str, many: str) -> str:
    return (
        f"{len(names)} {many} are called {join_quoted(names)}"
        if len(names) > 1
        else f"the {one} is called {quote(names[0])}"
    )


def name_like(cells: Sequence[str], trained: Sequence[str], source: str) -> ColumnNames:
    """The names of the columns of a table for a model whose training table had `trained` as cells of the header.

    `trained` is empty if all of its cells were different names. Unnamed and repeated columns keep the names that they
    had in training if there are as many of them, in the same order among the other columns; other columns may be
    missing or added. If it is unclear which is which, they get names that no column of the model has.
    """
    trained_names = unique_names(trained)
    names = list(unique_names(cells, trained_names))
    counts, known = Counter(cells), Counter(trained)
    ambiguous = {cell for cell in counts if counts[cell] > 1 or known[cell] > 1 or (not cell and trained)}
    ambiguous = {cell for cell in ambiguous if known[cell] or (cell and not trained)}
    unclear = {cell for cell in ambiguous if counts[cell] != known[cell]}
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
    known = set(trained) - unclear
    places: dict[int, int] = {}
    start = 0
    for j, cell in enumerate(cells):
        if cell in known:
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


@dataclass(frozen=True)
class CsvHeader:
    """The columns of a file, and what else is the same for all of its blocks.

    A record has `width` cells; those behind the last of `names` are empty. `old_mac`: lines end in a lone \\r, and so
    may lines within a cell. `parser` parses blocks with numeric columns.
    """

    source: str
    separator: str
    names: tuple[str, ...]
    width: int
    missing_values: tuple[str, ...] = ()
    old_mac: bool = False
    parser: NumericParser | None = None

    def named(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` with the column names of the header, without the cells behind them."""
        cells = cells[:, : len(self.names)] if cells.width > len(self.names) else cells
        cells.columns = list(self.names)
        return cells

    def row_with_surplus(self, cells: polars.DataFrame) -> int | None:
        """The position of the first row with a cell behind the last column that is not empty; None if there is none."""
        filled = [cell.fill_null("").str.strip_chars() != "" for cell in cells[:, len(self.names) :]]
        rows = [row for cell in filled if (row := cell.arg_max()) is not None and cell.any()]
        return min(rows, default=None)

    def finalize(self, cells: polars.DataFrame) -> polars.DataFrame:
        """`cells` of text in their final form: an empty one is the text "", and a missing value null."""
        if cells.width < MANY_COLUMNS:
            cells = cells.fill_null("")
        elif with_nulls := [column.fill_null("") for column in cells if column.null_count()]:
            cells = cells.with_columns(with_nulls)
        cells = self.named(cells)
        if self.old_mac:
            cells = cells.with_columns(polars.all().str.replace_all("\n", "\r", literal=True))
        return replace_na_values(cells, self.missing_values)

    def no_rows(self) -> polars.DataFrame:
        """A frame of no rows."""
        return polars.DataFrame(schema=dict.fromkeys(self.names, polars.String))
