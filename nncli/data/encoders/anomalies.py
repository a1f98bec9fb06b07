"""Cells unlike those of the training rows, counted while a table is encoded, and cells that a model cannot read."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf, isfinite
from types import MappingProxyType

import numpy as np
import polars as pl

from nncli.base.text import quote
from nncli.data.columns.datetimes import date_text
from nncli.data.columns.parsing import CellErrors, readable_cells
from nncli.data.table import RowOrigins, Table
from nncli.nn.arrays import RowIndices

NO_EXTENTS: Mapping[str, str] = MappingProxyType({})
MAX_COLUMNS = 3
"""Columns that the note names for each kind of anomaly, those with the most cells first."""


@dataclass(frozen=True)
class ColumnAnomalies:
    """Counts of the cells of one column that differ from all training rows.

    `unseen`: the category did not occur in training. `rare`: it was rare or did not occur, and the model does not know
    which. `missing`: the cell is missing, and none was in training. `out_of_range`: the number lies below (`lowest`)
    or above (`highest`) the training range; if `is_date`, in days since 1970.
    """

    unseen: int = 0
    rare: int = 0
    missing: int = 0
    out_of_range: int = 0
    lowest: float = inf
    highest: float = -inf
    is_date: bool = False

    def __add__(self, other: ColumnAnomalies) -> ColumnAnomalies:
        return replace(self._combined(other, operator.add, min, max), is_date=self.is_date or other.is_date)

    def __and__(self, other: ColumnAnomalies) -> ColumnAnomalies:
        """Anomalies to both of two models: the minimum of each count, since their cells may differ."""
        return self._combined(other, min, max, min)

    def _combined(
        self,
        other: ColumnAnomalies,
        count: Callable[[int, int], int],
        lower: Callable[[float, float], float],
        higher: Callable[[float, float], float],
    ) -> ColumnAnomalies:
        return ColumnAnomalies(
            unseen=count(self.unseen, other.unseen),
            rare=count(self.rare, other.rare),
            missing=count(self.missing, other.missing),
            out_of_range=count(self.out_of_range, other.out_of_range),
            lowest=lower(self.lowest, other.lowest),
            highest=higher(self.highest, other.highest),
            is_date=self.is_date and other.is_date,
        )

    def at_most(self, count: int) -> ColumnAnomalies:
        """The anomalies if only so many cells that are present have them."""
        unseen, rare, out_of_range = (min(n, count) for n in (self.unseen, self.rare, self.out_of_range))
        return replace(self, unseen=unseen, rare=rare, out_of_range=out_of_range)

    @property
    def total(self) -> int:
        """The number of anomalies."""
        return self.unseen + self.rare + self.missing + self.out_of_range

    @property
    def extent(self) -> str:
        """How far out of range: ` (new minimum -3, new maximum 131)`."""
        limits = (("new minimum", self.lowest), ("new maximum", self.highest))
        ends = [f"{words} {self._format(value)}" for words, value in limits if isfinite(value)]
        return f" ({', '.join(ends)})" if ends else ""

    def _format(self, value: float) -> str:
        if self.is_date:
            return date_text(value)
        return f"{value + 0.0:g}"  # never -0


@dataclass(frozen=True)
class Anomalies:
    """Anomalies of a table by column, leaving out columns without any. Those of its chunks add up to the total."""

    columns: Mapping[str, ColumnAnomalies] = field(default_factory=dict)

    @classmethod
    def from_columns(cls, columns: Iterable[tuple[str, ColumnAnomalies]]) -> Anomalies:
        """The anomalies of the named columns."""
        return cls({name: anomalies for name, anomalies in columns if anomalies != ColumnAnomalies()})

    def __add__(self, other: Anomalies) -> Anomalies:
        mine, theirs = self.columns, other.columns
        return Anomalies(
            {n: mine.get(n, ColumnAnomalies()) + theirs.get(n, ColumnAnomalies()) for n in {**mine, **theirs}}
        )

    def __and__(self, other: Anomalies) -> Anomalies:
        """Anomalies of the same cells to both of two models."""
        mine, theirs = self.columns, other.columns
        return Anomalies.from_columns((name, mine[name] & theirs[name]) for name in mine if name in theirs)

    @property
    def note(self) -> str | None:
        """One line about all anomalies, or None if there are none."""
        parts = [
            self._part("cell holds", "cells hold", "a category that training never saw", lambda c: c.unseen),
            self._part("cell holds", "cells hold", "a category that training saw rarely or never", lambda c: c.rare),
            self._part("value lies", "values lie", "outside the training range", lambda c: c.out_of_range, extent=True),
            self._part("cell is missing", "cells are missing", "where training had every cell", lambda c: c.missing),
        ]
        return "; ".join(filter(None, parts)) or None

    def _part(
        self,
        singular: str,
        plural: str,
        description: str,
        count: Callable[[ColumnAnomalies], int],
        *,
        extent: bool = False,
    ) -> str | None:
        """`12 cells hold a category that training never saw ('city': 10, 'colour': 2)`."""
        counts = {name: count(c) for name, c in self.columns.items() if count(c)}
        total, extents = sum(counts.values()), {name: self.columns[name].extent for name in counts if extent}
        words = f"{total:,} {singular if total == 1 else plural} {description}"
        return f"{words} ({named_counts(counts, extents)})" if counts else None


def named_counts(counts: Mapping[str, int], extents: Mapping[str, str] = NO_EXTENTS) -> str:
    """The columns with the most cells, with their counts, each followed by its extent, and the number of the others."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{quote(name)}: {count:,}{extents.get(name, '')}" for name, count in ordered[:MAX_COLUMNS]]
    n_more = len(ordered) - MAX_COLUMNS
    return ", ".join(named) + (f" and {n_more:,} more column{'s' * (n_more > 1)}" if n_more > 0 else "")


SCHEMA = {"row": pl.Int64, "column": pl.String, "value": pl.String, "reason": pl.String}
FILE_SCHEMA = {"file": pl.String, **SCHEMA}
"""The columns where the table is one of several files."""


@cache
def _no_cells(by_file: bool) -> pl.DataFrame:
    """A frame without rows; to make one takes much of the time of predicting a row, and to clone it none."""
    return pl.DataFrame(schema=FILE_SCHEMA if by_file else SCHEMA)


@dataclass(frozen=True)
class InvalidCells:
    """The invalid cells of a table.

    `frame` has a row for each, in the order of the table: the number of its row, its column, its value and the reason;
    and before them its file, if the table is one of several files, where the number is that in the file.
    `positions` (n,) are the positions of their rows in the table.
    """

    frame: pl.DataFrame
    positions: RowIndices

    @classmethod
    def none(cls, *, by_file: bool = False) -> InvalidCells:
        """No cells; `by_file` of a table of several files."""
        return cls(_no_cells(by_file).clone(), np.empty(0, np.int64))

    @classmethod
    def of(cls, table: Table, columns: Iterable[tuple[str, Sequence[CellErrors]]]) -> InvalidCells:
        """The cells of a table with an error, given by column."""
        place_of = {name: i for i, name in enumerate(table.names)}
        parts, keys = [], []
        for name, errors in columns:
            for error in errors:
                cells = readable_cells(table.column(name))[error.rows]
                values = {
                    "row": table.row_numbers[error.rows],
                    "column": [name] * len(cells),
                    "value": cells.cast(pl.String),
                    "reason": [error.reason.removeprefix("is ")] * len(cells),
                }
                parts.append(pl.DataFrame(values, schema=SCHEMA))
                keys.append(error.rows * len(place_of) + place_of[name])
        if not parts:
            return cls.none()
        keys_in_order, first = np.unique(np.concatenate(keys), return_index=True)  # of several models, the first error
        return cls(_with_files(pl.concat(parts)[first], table.origins), keys_in_order // len(place_of))

    def __len__(self) -> int:
        return len(self.positions)

    def joined(self, other: InvalidCells) -> InvalidCells:
        """These cells, and those of other columns of the same table."""
        if not len(self):
            return other
        return InvalidCells(pl.concat([self.frame, other.frame]), np.concatenate([self.positions, other.positions]))

    def valid_rows(self, rows: int) -> RowIndices:
        """The positions of the rows without an invalid cell, in a table of a number of rows."""
        valid = np.ones(rows, np.bool_)
        valid[self.positions] = False
        return np.flatnonzero(valid)

    def removed_from(self, table: Table) -> Table:
        """The table in which these cells are missing."""
        columns = []
        for name in self.frame["column"].unique(maintain_order=True):
            valid = np.ones(len(table), np.bool_)
            valid[self.positions[(self.frame["column"] == name).to_numpy()]] = False
            cells = table.column(name)
            columns.append(cells.zip_with(pl.Series(valid), pl.Series([None], dtype=cells.dtype)).alias(name))
        return replace(table, frame=table.frame.with_columns(columns))


def _with_files(cells: pl.DataFrame, origins: RowOrigins | None) -> pl.DataFrame:
    """The cells with the file of each, if there are several files."""
    if origins is None:
        return cells
    places = [origins.find(number) for number in cells["row"]]
    files = pl.Series("file", [origin.source for origin in places], pl.String)
    return pl.DataFrame([files, *cells.with_columns(row=pl.Series([origin.row for origin in places], dtype=pl.Int64))])


@dataclass(frozen=True)
class InvalidCounts:
    """Counts of the invalid cells of a table by column, and of their rows. Those of its chunks add up to the total."""

    rows: int = 0
    columns: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, cells: InvalidCells) -> InvalidCounts:
        """The counts of the cells of a chunk."""
        counts = dict(cells.frame["column"].value_counts().iter_rows()) if len(cells) else {}
        return cls(len(np.unique(cells.positions)), Counter(counts))

    def __add__(self, other: InvalidCounts) -> InvalidCounts:
        return InvalidCounts(self.rows + other.rows, self.columns + other.columns)

    def note(self, *, skipped: bool) -> str | None:
        """One line with the counts, or None if there are no invalid cells; whether their rows were `skipped`."""
        total = self.columns.total()
        if not total:
            return None
        cells = f"{total:,} {'cell' if total == 1 else 'cells'}"
        rows = f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"
        where = f"({named_counts(self.columns)})"
        if skipped:
            return f"skipped {rows}: {cells} could not be read {where}"
        return f"{cells} in {rows} could not be read and {'is' if total == 1 else 'are'} treated as missing {where}"
