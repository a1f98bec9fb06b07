"""Columns of finite numbers of which none is missing, taken together as one matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.table import Table

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Plain:
    """The columns `names` of some rows: `values` (columns, rows), all of them finite."""

    names: Sequence[str]
    values: Floats

    def beside(self, table: Table) -> Table:
        """The table with these columns as well."""
        columns = (pl.Series(name, x) for name, x in zip(self.names, self.values, strict=True))
        return replace(table, frame=table.frame.with_columns(columns))


NOTHING = Plain((), np.empty((0, 0)))
