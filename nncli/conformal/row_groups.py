"""Groups of rows by the values of a column, each with a coverage of its own (Mondrian conformal prediction)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nncli.data.columns.parsing import read_text
from nncli.data.columns.spellings import alternative_categories
from nncli.data.table import Table
from nncli.metrics.sorted_scores import Integers

MISSING = "(missing)"
UNKNOWN = -1
"""The code of a value that no calibration row has."""


@dataclass(frozen=True)
class RowGroups:
    """The values of the column `name`, and the `codes` (n,) of those of the calibration rows.

    A missing cell has the last code, the number of the values.
    """

    name: str
    values: tuple[str, ...]
    codes: Integers

    @classmethod
    def of(cls, table: Table, name: str) -> RowGroups:
        """The groups of the calibration rows in a table.

        Raises:
            DataError: there is no such column, or its type is not supported.
        """
        table.require([name])
        values = tuple(read_text(table, name).drop_nulls().unique().sort())
        empty = cls(name, values, np.empty(0, np.int64))
        return cls(name, values, empty.read(table))

    def take(self, rows: Integers) -> RowGroups:
        """The groups of the calibration rows at these positions."""
        return replace(self, codes=self.codes[rows])

    @property
    def count(self) -> int:
        """The number of codes."""
        return len(self.values) + 1

    def title(self, code: int) -> str:
        """The value of a code."""
        return self.values[code] if code < len(self.values) else MISSING

    def read(self, table: Table) -> Integers:
        """The codes (rows,) of the rows of a table, -1 for unknown values.

        Raises:
            DataError: there is no such column, or its type is not supported.
        """
        table.require([self.name])
        cells = read_text(table, self.name)
        codes = self._codes_of(cells)
        others = codes == UNKNOWN
        if others.any():
            codes = codes.scatter(
                others.arg_true(), self._codes_of(alternative_categories(cells.filter(others), self.values))
            )
            codes = codes.scatter(cells.is_null().arg_true(), len(self.values))
        return codes.to_numpy().astype(np.int64)

    def _codes_of(self, cells: pl.Series) -> pl.Series:
        return cells.replace_strict(
            list(self.values), range(len(self.values)), default=UNKNOWN, return_dtype=pl.Int64
        ).fill_null(UNKNOWN)
