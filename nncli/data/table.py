"""A table in memory: a Polars frame with its source and row numbers, for error messages."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import DataError, Location
from nncli.base.text import closest_match, join_quoted, name_difference, name_key, quote
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect
from nncli.nn.arrays import RowIndices

T = TypeVar("T")
MAX_CLOSE = 20
"""Missing columns that are compared with those of a table."""
FEW_ROWS = 64
"""Rows for which a loop of Python takes less time than a call of Polars."""


class RowOrigin(NamedTuple):
    """The file of a row, and the number of the row in that file (from 1)."""

    source: str
    row: int


@dataclass(frozen=True)
class RowOrigins:
    """The files of a table in their order, each with the number that its first row has in the table (from 1)."""

    sources: tuple[str, ...] = ()
    first_rows: tuple[int, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[RowOrigins | None]) -> RowOrigins | None:
        """The files of all parts of a table, in their order; None if no part has any."""
        unlike = {
            source: first
            for part in parts
            if part is not None
            for source, first in zip(part.sources, part.first_rows, strict=True)
        }
        return cls(tuple(unlike), tuple(unlike.values())) if unlike else None

    def find(self, number: int) -> RowOrigin:
        """The origin of the row with this number."""
        i = max(bisect_right(self.first_rows, number) - 1, 0)
        return RowOrigin(self.sources[i], number - self.first_rows[i] + 1)


@dataclass(frozen=True)
class Table:
    """A frame, the name of its `source`, and the number of its first data row (the header is not a row).

    `selected_rows` (rows,) are those in the source, if rows were selected from a larger table. `dialect` is the
    format of numbers in columns of text; `notes` are messages for the user about how the table was read. `details` of
    the first table of a source say the same of every table, such as ("separator", ";") and ("sheet", "Sales").
    `origins` are the files of the rows, if there are several, each of which numbers its rows from 1. `invalid_cells`
    are those of the source that were removed from it; see invalid_cells.py.
    """

    frame: pl.DataFrame
    source: str
    first_row: int = 1
    selected_rows: RowIndices | None = None
    dialect: CsvDialect = PLAIN_NUMBERS
    notes: tuple[str, ...] = ()
    details: tuple[tuple[str, str | int], ...] = ()
    origins: RowOrigins | None = None
    invalid_cells: pl.DataFrame | None = None
    _cache: dict[Hashable, Any] | None = field(default=None, init=False, compare=False, repr=False)

    def __len__(self) -> int:
        return self.frame.height

    @property
    def row_numbers(self) -> RowIndices:
        """The number of each row in the source (rows,)."""
        return (
            np.arange(self.first_row, self.first_row + len(self)) if self.selected_rows is None else self.selected_rows
        )

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return self.frame.columns

    def dialect_of(self, name: str) -> CsvDialect:
        """The format of numbers in a column of text."""
        return self.dialect.of_column(name)

    def with_cache(self) -> Table:
        """The same table with a cache of the results of `once`: for several models that read the same cells."""
        table = replace(self)
        object.__setattr__(table, "_cache", {})
        return table

    def once(self, key: Hashable, read: Callable[[], T]) -> T:
        """The result of `read`, from the cache if the table has one. It must not be changed."""
        if self._cache is None:
            return read()
        if key not in self._cache:
            self._cache[key] = read()
        result: T = self._cache[key]
        return result

    def take(self, rows: RowIndices) -> Table:
        """The rows at these positions (from 0), which keep their numbers."""
        numbers = self.first_row + rows if self.selected_rows is None else self.selected_rows[rows]
        return replace(self, frame=self.frame[rows], selected_rows=numbers)

    def part(self, start: int, stop: int) -> Table:
        """The rows from position `start` up to `stop`, which keep their numbers."""
        if start <= 0 and stop >= len(self):
            return self
        numbers = None if self.selected_rows is None else self.selected_rows[start:stop]
        return replace(self, frame=self.frame[start:stop], first_row=self.first_row + start, selected_rows=numbers)

    def location(self, *, row: int | None = None, column: str | None = None) -> Location:
        """The location in the source of the cell at position `row` (from 0) of `column`."""
        if row is None:
            return Location(source=self.source, column=column)
        return self.location_of(
            self.first_row + row if self.selected_rows is None else int(self.selected_rows[row]), column
        )

    def location_of(self, number: int, column: str | None = None) -> Location:
        """The location of a cell of `column` in the row with this number."""
        if self.origins is None:
            return Location(source=self.source, row=number, column=column)
        origin = self.origins.find(number)
        return Location(source=origin.source, row=origin.row, column=column)

    def row_name(self, number: int) -> str:
        """The row with this number in messages: 17, or 3 of b.csv if there are several files."""
        if self.origins is None:
            return f"{number:,}"
        origin = self.origins.find(number)
        return f"{origin.row:,} of {origin.source}"

    def column(self, name: str) -> pl.Series:
        """The cells of the column called `name`, as a series without a name; null also for its missing words.

        Raises:
            DataError: there is none; the hint names the closest match.
        """
        try:
            cells = unnamed(self.frame.get_column(name))
            words = dict(self.dialect.missing_words).get(name) if self.dialect.missing_words else None
            return cells if words is None else _without_words(cells, words)
        except pl.exceptions.ColumnNotFoundError:
            self.require([name])
            raise

    def require(self, names: Sequence[str]) -> None:
        """Raise a DataError that names all of `names` that are not columns of this table."""
        present = set(self.names)
        missing = [name for name in names if name not in present]
        if not missing:
            return
        close = closest_match(missing[0], self.names)
        raise DataError(
            f"there {'is no column' if len(missing) == 1 else 'are no columns'} {join_quoted(missing)}",
            location=Location(source=self.source),
            hint=f"Did you mean {quote(close)}?" if close else f"The columns are {join_quoted(self.names)}.",
        )

    def require_features(self, names: Sequence[str]) -> None:
        """Raise a DataError that names all of `names`, the features of a model, that are not columns of this table."""
        present = self.once("names", lambda: frozenset(self.names))
        if missing := [name for name in names if name not in present]:
            raise missing_features(missing, names, self.names, Location(source=self.source))


def missing_features(
    missing: Sequence[str],
    features: Collection[str],
    names: Sequence[str],
    place: Location,
    what: str = "table",
    model: str = "the model",
) -> DataError:
    """The error that some of the features of a model are missing in a table, or a row, with the columns `names`."""
    needed = set(features)
    unused = [name for name in names if name not in needed]
    if near := _near_columns(missing, unused):
        name, column = next(iter(near.items()))
        more = f", and {len(near) - 1:,} more like it" if len(near) > 1 else ""
        return DataError(
            f"{model} needs {join_quoted(near)}; this {what} has {join_quoted(near.values())}",
            location=place,
            hint=f"The names differ {name_difference(name, column)}. Rename the column to {quote(name)}{more}.",
        )
    # The first of the missing columns that one of the table may be.
    name, close = next(
        ((name, close) for name in missing[:MAX_CLOSE] if (close := closest_match(name, unused))), ("", "")
    )
    others = f"Add the column{'s' * (len(missing) > 1)} to the {what}."
    if unused:
        others += f" Its columns that the model does not use are {join_quoted(unused)}."
    return DataError(
        f"{model} needs {join_quoted(missing)}; this {what} has no such column{'s' * (len(missing) > 1)}",
        location=place,
        hint=f"If {quote(close)} is the column, rename it to {quote(name)}." if close else others,
    )


def _near_columns(missing: Sequence[str], unused: Sequence[str]) -> dict[str, str]:
    """The one column of a near name for each missing name; empty if there is not exactly one for each."""
    columns = defaultdict(list)
    for name in unused:
        columns[name_key(name)].append(name)
    near = {name: columns[name_key(name)] for name in missing}
    if any(len(candidates) != 1 for candidates in near.values()) or len(
        {candidates[0] for candidates in near.values()}
    ) < len(near):
        return {}
    return {name: candidates[0] for name, candidates in near.items()}


def unnamed(cells: pl.Series) -> pl.Series:
    """The same cells without a name: methods of a series called `^x.*$` read the name as a pattern and fail."""
    return cells.alias("")


def _without_words(cells: pl.Series, words: Sequence[str]) -> pl.Series:
    """The cells with null for those that equal a word, or for floats an infinite number that a word spells."""
    if cells.dtype in (pl.String, pl.Categorical, pl.Enum):
        is_word = cells.cast(pl.String).is_in(list(words))
    elif cells.dtype.is_float():
        numbers = pl.Series(words).cast(cells.dtype, strict=False)
        is_word = cells.is_infinite() & cells.is_in(numbers.drop_nulls().to_list())
    else:
        return cells
    return cells.set(is_word.fill_null(False), None) if is_word.any() else cells


def replace_na_values(frame: pl.DataFrame, missing_values: Sequence[str]) -> pl.DataFrame:
    """`frame` with null for every text that equals a missing value. A column of nulls only becomes text."""
    words = list(missing_values)
    texts = [cells for cells in frame if cells.dtype == pl.String]
    if frame.height <= FEW_ROWS:
        affected = {cells.name for cells in texts if not set(words).isdisjoint(cells.to_list())}
    elif len(texts) >= MANY_COLUMNS:
        affected = names_of_columns_with(texts, words)
    else:
        affected = {cells.name for cells in texts}
    changes = []
    for i, (name, dtype) in enumerate(frame.schema.items()):
        if dtype == pl.String and name not in affected:
            continue
        column = pl.nth(i)  # by its name, one called * would be all of them
        if dtype == pl.Null:
            changes.append(column.cast(pl.String))
        elif words and dtype == pl.String:
            changes.append(pl.when(~column.is_in(words)).then(column).alias(name))
        elif words and dtype in (pl.Categorical, pl.Enum):
            changes.append(pl.when(~column.cast(pl.String).is_in(words)).then(column).alias(name))
    return frame.with_columns(changes) if changes else frame


def joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Frames of the same columns below each other; where one lacks all cells of a column, others say the type."""
    types: dict[str, pl.DataType] = {}
    if all(frame.schema == frames[0].schema for frame in frames):
        return pl.concat(frames)
    for frame in frames:
        for cells in frame:
            if cells.name not in types and cells.null_count() < len(cells):
                types[cells.name] = cells.dtype
    alike = [
        frame.with_columns(missing_cells(cells, types[cells.name]) for cells in frame if is_without(cells, types))
        for frame in frames
    ]
    return pl.concat(alike, how="vertical_relaxed")


def is_without(cells: pl.Series, types: Mapping[str, pl.DataType]) -> bool:
    """Whether a column lacks all cells, and has a type that is not the one of `types`."""
    return cells.dtype != types.get(cells.name, cells.dtype) and cells.null_count() == len(cells)


def missing_cells(cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A column of so many missing cells of a type."""
    return pl.Series(cells.name, [], dtype).clear(len(cells))


MANY_COLUMNS = 64
"""Columns from which they are stacked."""


def stacked(columns: Sequence[pl.Series]) -> pl.Series:
    """At least one column of the same type and length, one below the other, without a name."""
    # In one piece: to slice or index many, Polars goes through them from the first one.
    return pl.concat([cells.alias("") for cells in columns], rechunk=True)


def any_in_column(mask: pl.Series, columns: int) -> npt.NDArray[np.bool_]:
    """Whether a stacked mask of booleans, in which null is false, has a true cell in each column (columns,)."""
    cells = mask.fill_null(False).to_numpy().reshape(columns, -1)
    return np.asarray(cells.any(axis=1))


def names_of_columns_with(columns: Sequence[pl.Series], words: Sequence[str]) -> set[str]:
    """The names of the columns of text that contain one of the words."""
    if not columns or not words:
        return set()
    has_word = any_in_column(stacked(columns).is_in(list(words)), len(columns))
    return {cells.name for cells, is_found in zip(columns, has_word.tolist(), strict=True) if is_found}
