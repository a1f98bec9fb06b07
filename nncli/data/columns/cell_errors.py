"""Cells that cannot be read as the kind of their column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from nncli.base.errors import CellError
from nncli.base.text import quote
from nncli.data.table import Table
from nncli.nn.arrays import Mask, RowIndices


class CellErrors(NamedTuple):
    """Cells of one column that cannot be read for one `reason`: their positions `rows` (n,), at least one.

    `hint` returns the hint of the error for the text of a cell, `model_hint` is that of a trained model.
    """

    rows: RowIndices
    reason: str
    hint: Callable[[str], str]
    model_hint: str | None = None

    @classmethod
    def of(
        cls, mask: Mask, reason: str, hint: Callable[[str], str] | str, model_hint: str | None = None
    ) -> list[CellErrors]:
        """The errors of the cells in the mask (rows,), in a list that is empty if there are none."""
        rows = np.flatnonzero(mask)
        return [cls(rows, reason, hint if callable(hint) else lambda cell: hint, model_hint)] if len(rows) else []


def raise_first(table: Table, name: str, errors: Sequence[CellErrors]) -> None:
    """Raise a CellError that names the first cell of the first of the errors in the column `name`, if there are any."""
    if not errors:
        return
    first = errors[0]
    row = int(first.rows[0])
    cell = readable_cells(table.column(name))[row]
    raise CellError(
        f"{quote(cell)} {first.reason}",
        location=table.location(row=row, column=name),
        hint=first.hint(str(cell)),
        model_hint=first.model_hint,
    )


def readable_cells(cells: pl.Series) -> pl.Series:
    """The cells, with dates and times as numbers, since those beyond the year 9999 cannot be converted to text."""
    return cells.to_physical() if cells.dtype.is_temporal() else cells
