"""A column of a table, split into training and validation rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from nncli.base.errors import Advice, Location
from nncli.base.findings import Finding, FindingCode, Level
from nncli.data.columns.parsing import leave_out
from nncli.data.encoders.column_types import ColumnType
from nncli.data.store.column_store import ColumnStore
from nncli.nn.arrays import RowIndices

MAX_NAMES = 8
"""Columns or classes that a message lists."""


@dataclass(frozen=True)
class SplitTable:
    """A table whose rows have a target, with the positions of its training and validation rows.

    `validation` are positions in `validation_table`, which is `table` unless there is a validation file.
    """

    table: ColumnStore
    training: RowIndices
    validation_table: ColumnStore
    validation: RowIndices

    @property
    def training_store(self) -> ColumnStore:
        """The training rows."""
        return _taken(self.table, self.training)

    @property
    def validation_store(self) -> ColumnStore | None:
        """The validation rows, None if there are none."""
        return _taken(self.validation_table, self.validation) if len(self.validation) else None

    def sample(self, max_training: int, max_validation: int) -> SplitTable:
        """At most so many random training and validation rows, drawn with a fixed seed; all rows if there are fewer."""
        if len(self.training) <= max_training and len(self.validation) <= max_validation:
            return self
        rng = np.random.default_rng(0)
        training = draw(self.training, max_training, rng)
        validation = draw(self.validation, max_validation, rng)
        if self.validation_table is not self.table:
            table, other = self.table.take(training), self.validation_table.take(validation)
            return SplitTable(table, np.arange(len(training)), other, np.arange(len(validation)))
        rows = np.union1d(training, validation)
        table = self.table.take(rows)
        return SplitTable(table, np.searchsorted(rows, training), table, np.searchsorted(rows, validation))

    def training_row(self, i: int) -> str:
        """What messages call training row `i`: the number of its row in the file."""
        return self.table.header.row_name(self.row_number(int(self.training[i])))

    def validation_row(self, i: int) -> str:
        """What messages call validation row `i`."""
        return self.validation_table.header.row_name(_row_number(self.validation_table, int(self.validation[i])))

    def row_number(self, position: int) -> int:
        """The number of the row at a position of the table."""
        return _row_number(self.table, position)

    @property
    def location(self) -> Location:
        """The source of the table."""
        return Location(source=self.table.header.source)


def _taken(table: ColumnStore, positions: RowIndices) -> ColumnStore:
    """The rows at the positions; the table itself if these are all rows."""
    return table if np.array_equal(positions, np.arange(len(table))) else table.take(positions)


def draw(positions: RowIndices, n: int, rng: np.random.Generator) -> RowIndices:
    """At most `n` of the positions, in their order."""
    return positions if len(positions) <= n else np.sort(rng.choice(positions, n, replace=False))


def _row_number(table: ColumnStore, position: int) -> int:
    return position + 1 if table.row_numbers is None else int(table.row_numbers[position])


@dataclass(frozen=True)
class SplitColumn:
    """The cells of a column: Float64 if its kind is numeric, else text; null where a cell is missing."""

    name: str
    kind: ColumnType
    training: pl.Series
    validation: pl.Series

    @classmethod
    def read(cls, split: SplitTable, name: str, kind: ColumnType) -> SplitColumn:
        """Read the column called `name` as `kind`.

        Raises:
            DataError: a cell cannot be read as that kind.
        """
        cells = _cells(split.table, name, kind)
        same_table = split.validation_table is split.table
        validation = cells if same_table else _cells(split.validation_table, name, kind)
        return cls(name, kind, cells.gather(split.training), validation.gather(split.validation))

    @classmethod
    def read_dense(cls, split: SplitTable, names: Sequence[str]) -> dict[str, SplitColumn]:
        """Those of the columns `names` of numbers that have a finite one in every row, read at once."""
        dense = split.table.dense(names)
        of_validation = dense
        if split.validation_table is not split.table:
            of_validation = split.validation_table.dense(dense.names)
        x_of, of_training = dict(zip(dense.names, dense.x, strict=True)), of_validation.names
        training = np.array([x_of[name] for name in of_training]).reshape(len(of_training), len(split.table))[
            :, split.training
        ]
        validation = of_validation.x[:, split.validation]
        return {
            name: cls(name, ColumnType.NUMERIC, pl.Series(x), pl.Series(x_validation))
            for name, x, x_validation in zip(of_training, training, validation, strict=True)
        }

    @property
    def numeric(self) -> bool:
        """Whether the cells are numbers."""
        return self.kind.is_numeric


def _cells(table: ColumnStore, name: str, kind: ColumnType) -> pl.Series:
    return kind.encoder.read_cells(table.columns([name]), name)


def column_finding(
    level: Level, code: FindingCode, location: Location, names: Iterable[str], message: str, hint: str
) -> Finding:
    """A finding about some columns; its location names the column if there is only one."""
    columns = list(names)
    column = columns[0] if len(columns) == 1 else None
    return Finding(level, code, Location(source=location.source, row=location.row, column=column), message, hint)


def dropping(names: Iterable[str]) -> Advice:
    """The options that drop columns, for example `--drop a --drop b`."""
    columns = list(names)
    used = [part for name in columns[:MAX_NAMES] for part in (" ", leave_out(name))]
    return Advice(*used[1:], " …" if len(columns) > MAX_NAMES else "")


def percentage(part: int, whole: int) -> str:
    """A percentage such as `12 %`; 0 % and 100 % only if they are exact."""
    percent = 100.0 * part / whole
    if part and percent < 0.1:
        return "less than 0.1 %"
    if part < whole and percent > 99.9:
        return "more than 99.9 %"
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %" if percent < 99.5 else f"{percent:.3g} %"


def count(n: int, singular: str, plural: str) -> str:
    """A number with the matching word, for example `1 row` or `1,024 rows`."""
    return f"{n:,} {singular if n == 1 else plural}"
