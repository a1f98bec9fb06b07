"""Cells of a table that a model cannot read, found all at once, and the table without them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import polars as pl

from nncli.base.text import quote
from nncli.data.columns.cell_errors import CellErrors, readable_cells
from nncli.data.encoders.anomalies import MAX_COLUMNS
from nncli.data.table import RowOrigins, Table
from nncli.nn.arrays import RowIndices

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
    found = [origins.find(number) for number in cells["row"]]
    files = pl.Series("file", [origin.source for origin in found], pl.String)
    return pl.DataFrame([files, *cells.with_columns(row=pl.Series([origin.row for origin in found], dtype=pl.Int64))])


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
        counts = sorted(self.columns.items(), key=lambda item: (-item[1], item[0]))
        named = [f"{quote(name)}: {count:,}" for name, count in counts[:MAX_COLUMNS]]
        n_more = len(counts) - MAX_COLUMNS
        more = f" and {n_more:,} more column{'s' * (n_more > 1)}" if n_more > 0 else ""
        cells = f"{total:,} {'cell' if total == 1 else 'cells'}"
        rows = f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"
        where = f"({', '.join(named)}{more})"
        if skipped:
            return f"skipped {rows}: {cells} could not be read {where}"
        return f"{cells} in {rows} could not be read and {'is' if total == 1 else 'are'} treated as missing {where}"
