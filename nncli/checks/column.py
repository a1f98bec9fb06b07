"""A column as a training would read it, on both sides of the split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.checks.findings import Finding, Level
from nncli.data.encoders.kinds import Kind
from nncli.data.store.column_store import ColumnStore
from nncli.errors import Location
from nncli.text import yaml_quote

Positions = npt.NDArray[np.int64]
MOST_NAMED = 8


@dataclass(frozen=True)
class SplitTable:
    """A table whose rows have a target, and the positions of those trained on and held out.

    Rows held out stand in the table `other`, which is the same one unless they have a file of their own.
    """

    table: ColumnStore
    training: Positions
    other: ColumnStore
    held: Positions

    def row(self, position: int) -> int:
        """The number in its file of a training row."""
        return self.number(int(self.training[position]))

    def held_row(self, position: int) -> int:
        """The number in its file of a row that is held out."""
        return _number(self.other, int(self.held[position]))

    def number(self, position: int) -> int:
        """The number in its file of the row at a position of the table."""
        return _number(self.table, position)

    @property
    def place(self) -> Location:
        """Where the rows come from."""
        return Location(source=self.table.header.source)


def _number(table: ColumnStore, position: int) -> int:
    return position + 1 if table.numbers is None else int(table.numbers[position])


@dataclass(frozen=True)
class Column:
    """A column's cells, Float64 where its kind is numeric and else text, null where one is missing.

    `cells` are of the training rows, `held` of those held out.
    """

    name: str
    kind: Kind
    cells: pl.Series
    held: pl.Series

    @classmethod
    def read(cls, sides: SplitTable, name: str, kind: Kind) -> Column:
        """The column called `name`, read as `kind`.

        Raises:
            DataError: a cell cannot be read so.
        """
        cells = _cells(sides.table, name, kind)
        others = cells if sides.other is sides.table else _cells(sides.other, name, kind)
        return cls(name, kind, cells.gather(sides.training), others.gather(sides.held))

    @property
    def numeric(self) -> bool:
        """Whether the cells are numbers."""
        return self.kind.is_numeric


def _cells(table: ColumnStore, name: str, kind: Kind) -> pl.Series:
    return kind.encoder.read_cells(table.columns([name]), name)


def about(level: Level, code: str, place: Location, names: Iterable[str], message: str, mend: str) -> Finding:
    """A finding about some columns; its place names the column where there is but one."""
    only = list(names)
    at = Location(source=place.source, row=place.row, column=only[0] if len(only) == 1 else None)
    return Finding(level, code, at, message, mend)


def dropped(names: Iterable[str]) -> str:
    """`drop: ["a", "b"]`, as it is written under data."""
    some = list(names)
    more = ", …" if len(some) > MOST_NAMED else ""
    return f"`drop: [{', '.join(map(yaml_quote, some[:MOST_NAMED]))}{more}]` under data"


def share(part: int, whole: int) -> str:
    """`12 %`, and never 0 or 100 % of what is some or not all."""
    percent = 100.0 * part / whole
    if part and percent < 0.1:
        return "less than 0.1 %"
    if part < whole and percent > 99.9:
        return "more than 99.9 %"
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %" if percent < 99.5 else f"{percent:.3g} %"


def have(count: int, one: str, many: str) -> str:
    """`1 row has`, `1,024 rows have`: the word that goes with a count."""
    return f"{count:,} {one if count == 1 else many}"
