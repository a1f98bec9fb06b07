"""Numeric columns without missing cells, as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl

from nncli.data.table import Table
from nncli.nn.arrays import Floats


class DenseColumns(NamedTuple):
    """Numeric columns `names` of some rows without missing cells: `values` (columns, rows), all finite."""

    names: Sequence[str]
    values: Floats

    @classmethod
    def of(cls, table: Table, names: Sequence[str]) -> DenseColumns:
        """Those of the columns `names` of a table that are Float64 and finite, none missing."""
        return table.once(("dense", *names), lambda: cls._of(table, names))

    @classmethod
    def _of(cls, table: Table, names: Sequence[str]) -> DenseColumns:
        types = table.frame.schema
        numbers = [name for name in names if types.get(name) == pl.Float64]
        if not numbers:  # Polars takes an empty list for no rows
            return cls((), np.empty((0, len(table))))
        frame = table.frame[numbers]
        values = frame.to_numpy(order="fortran").T  # a missing cell is NaN
        with np.errstate(all="ignore"):
            is_finite = np.isfinite(values.sum(axis=1))  # the fastest test for NaN, missing and infinite values
        found = [name for name, finite in zip(frame.columns, is_finite.tolist(), strict=True) if finite]
        return cls(found, values if len(found) == frame.width else values[is_finite])

    def add_to(self, table: Table) -> Table:
        """The table with these columns added."""
        columns = (pl.Series(name, x) for name, x in zip(self.names, self.values, strict=True))
        return replace(table, frame=table.frame.with_columns(columns))


NO_COLUMNS = DenseColumns((), np.empty((0, 0)))
