"""From a table to a matrix: fitted on the training rows only, applied to any rows.

A numeric column is centred and scaled; a missing cell becomes the training median, and, where the training rows had
missing cells, a second 0/1 column says so (numeric.py). A categorical column of few categories becomes one 0/1 column
each; one of more becomes codes for a learned embedding. Every category has a slot: 0 for a missing cell, 1 for one that
is rare in training or was never seen there, 2 and up for the rest (categorical.py). A date becomes its day, year,
month, weekday and hour, as far as they differ (date.py). A text becomes counts of its words (text.py).

What the training rows had none of is counted on the way: see nncli/data/encoders/anomalies.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from nncli.data.arrays import Codes, Matrix
from nncli.data.encoders.anomalies import Anomalies, ColumnAnomalies
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.kinds import Column, Kind
from nncli.data.encoders.numeric import NumericColumn, encode_many
from nncli.data.encoders.options import DEFAULT_OPTIONS, EncodingOptions
from nncli.data.store.column_store import NO_COLUMNS, DenseColumns
from nncli.data.table import Table
from nncli.spec import Spec

BLOCK = 65_536
"""Rows encoded at a time: X is filled column by column, and a part of it stays nearer than the whole would."""


class Encoded(NamedTuple):
    """X (rows, width), codes (rows, embedded columns), and what is strange of the rows they were made from."""

    X: Matrix
    codes: Codes
    anomalies: Anomalies


class Encoder(Spec):
    """What the training rows taught about the features: one fitted column for each, in the order of the matrix."""

    columns: tuple[Annotated[Column, Field(discriminator="type")], ...]

    @classmethod
    def fit(
        cls, table: Table, kinds: Sequence[tuple[str, Kind]], options: EncodingOptions = DEFAULT_OPTIONS
    ) -> Encoder:
        """Fit every column on `table`, which holds the training rows alone."""
        columns = (kind.encoder.fit(table, name, options) for name, kind in kinds if kind is not Kind.EMPTY)
        return cls(columns=tuple(columns))

    @property
    def names(self) -> list[str]:
        """The columns that a table must have."""
        return [column.name for column in self.columns]

    @property
    def features(self) -> tuple[str, ...]:
        """What each column of X means."""
        return tuple(feature for column in self.columns for feature in column.features)

    @property
    def width(self) -> int:
        """Columns of X."""
        return sum(column.width for column in self.columns)

    @property
    def numeric(self) -> tuple[int, ...]:
        """Positions in X of numbers: of numeric columns, and of the days and years of dates; not of what is 0 or 1, is
        part of a cycle, or counts words."""
        starts = accumulate((column.width for column in self.columns), initial=0)
        return tuple(
            j
            for start, column in zip(starts, self.columns, strict=False)
            for j in range(start, start + column.n_numeric)
        )

    @property
    def embedded(self) -> list[CategoricalColumn]:
        """The columns that become codes."""
        return [c for c in self.columns if isinstance(c, CategoricalColumn) and c.embedding_width]

    def empty(self, rows: int, dtype: str) -> tuple[Matrix, Codes]:
        """X of `dtype` and codes for so many rows, to be filled."""
        return np.empty((rows, self.width), dtype), np.empty((rows, len(self.embedded)), np.int64)

    def encode(self, table: Table, dtype: str) -> Encoded:
        """X of `dtype`, codes, and the strangers among the rows.

        Raises:
            DataError: a column is missing, or a cell of a numeric column is not a number, or far too large a one.
        """
        X, codes = self.empty(len(table), dtype)
        return Encoded(X, codes, self.encode_into(table, X, codes))

    @property
    def jointly_encoded(self) -> frozenset[str]:
        """The columns that can be encoded together, where no cell of them is missing."""
        return frozenset(c.name for c in self.columns if isinstance(c, NumericColumn) and c.is_linear)

    def encode_into(self, table: Table, X: Matrix, codes: Codes, dense: DenseColumns = NO_COLUMNS) -> Anomalies:
        """Fill X and codes, and count the strangers; raises what `encode` does.

        Columns may stand in `plain` instead of the table: only such as are in `together`.
        """
        strangers = self._encode_dense(dense, X)
        if strangers is None:  # a cell is to be refused: one column after another, so that the first is named
            return self.encode_into(dense.added_to(table), X, codes)
        rest = [column for column in self._column_slices() if column[1].name not in dense.names]
        table.require([column.name for _, column in rest])
        for start in range(0, len(table), BLOCK):
            rows = slice(start, start + BLOCK)
            strangers += self._encode(rest, table.part(rows.start, rows.stop), X[rows], codes[rows])
        return strangers

    def _column_slices(self) -> list[tuple[slice, Column]]:
        """Every column with its place in X."""
        ends = list(accumulate(column.width for column in self.columns))
        return [(slice(end - column.width, end), column) for end, column in zip(ends, self.columns, strict=True)]

    def _encode_dense(self, dense: DenseColumns, X: Matrix) -> Anomalies | None:
        """Fill the columns of X that are in `plain`, those that stand side by side at once; None if one cannot be."""
        rows = {name: row for row, name in enumerate(dense.names)}
        found = [
            (rows[c.name], place.start, c)
            for place, c in self._column_slices()
            if isinstance(c, NumericColumn) and c.name in rows
        ]
        met: list[tuple[str, ColumnAnomalies]] = []
        for _, run in groupby(found, lambda column: (column[1] - column[0], column[2].clip)):
            places, starts, columns = zip(*run, strict=True)
            x = dense.values[places[0] : places[-1] + 1]
            strange = encode_many(columns, x, X[:, starts[0] : starts[-1] + 1])
            if strange is None:
                return None
            met += zip((column.name for column in columns), strange, strict=True)
        return Anomalies.from_columns(met)

    def _encode(self, columns: Sequence[tuple[slice, Column]], table: Table, X: Matrix, codes: Codes) -> Anomalies:
        met = [(column.name, column.encode(table, X[:, place])) for place, column in columns if column.width]
        for j, embedded in enumerate(self.embedded):
            codes[:, j], strange = embedded.codes(table)
            met.append((embedded.name, strange))
        return Anomalies.from_columns(met)
