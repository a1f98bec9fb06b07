"""The kinds of column, how they are told apart, and how cells are read."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.table import Table
from nncli.errors import DataError, quoted

# 007 is a name, not a number: written with a leading zero it would not come back as it was spelled.
LEADING_ZERO = r"^[+-]?0[0-9]"


class Kind(StrEnum):
    """What a column is taken for."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    IGNORE = "ignore"


def parse_numbers(cells: pl.Series) -> pl.Series:
    """Cells as Float64; null where a cell is missing or is not a number, NaN where it says so."""
    if cells.dtype == pl.String:
        return cells.str.strip_chars().cast(pl.Float64, strict=False)
    if cells.dtype.is_numeric() or cells.dtype in (pl.Boolean, pl.Null):
        return cells.cast(pl.Float64)
    return pl.Series(cells.name, [None] * len(cells), dtype=pl.Float64)


def infer_kind(cells: pl.Series) -> Kind:
    """Numeric when every cell that is not missing reads as a number, and none has a leading zero (an id such as 007).

    A column without a single value is ignored. Text, booleans and categories are categorical.
    """
    present = cells.drop_nulls()
    if present.is_empty():
        return Kind.IGNORE
    if present.dtype != pl.String:
        return Kind.NUMERIC if present.dtype.is_numeric() else Kind.CATEGORICAL
    if parse_numbers(present.head(1000)).has_nulls():
        return Kind.CATEGORICAL  # decided early: most columns of text show it in their first rows
    numbers = parse_numbers(present)
    if numbers.has_nulls() or present.str.contains(LEADING_ZERO).any():
        return Kind.CATEGORICAL
    return Kind.IGNORE if numbers.is_nan().all() else Kind.NUMERIC


def read_numbers(table: Table, name: str) -> npt.NDArray[np.float64]:
    """A numeric column (rows,), NaN where a cell is missing.

    Raises:
        DataError: a cell is not a number or is infinite; names its row.
    """
    cells = table.column(name)
    numbers = parse_numbers(cells)
    if numbers.null_count() > cells.null_count():
        row = int((numbers.is_null() & cells.is_not_null()).arg_max() or 0)
        raise DataError(
            f"{quoted(cells[row])} is not a number",
            place=table.place(row=row, column=name),
            hint="Mend the cell, list its spelling under data.missing if it stands for a missing value, "
            f"or train with `columns: {{{name}: categorical}}`.",
        )
    values: npt.NDArray[np.float64] = numbers.fill_null(np.nan).to_numpy()
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise DataError(
            f"{quoted(cells[row])} is not a finite number",
            place=table.place(row=row, column=name),
            hint="Replace it by a number, or leave the cell empty.",
        )
    return values


def read_text(table: Table, name: str) -> pl.Series:
    """A categorical column as text, null where a cell is missing. Numbers and booleans are spelled out.

    Raises:
        DataError: the column holds what has no such spelling (lists, structures, bytes).
    """
    cells = table.column(name)
    if cells.dtype.is_nested() or cells.dtype in (pl.Binary, pl.Object):
        raise DataError(
            f"the column holds {quoted(cells.dtype)}, which is neither a number nor a category",
            place=table.place(column=name),
            hint=f"Leave it out: `drop: [{name}]`.",
        )
    return cells.cast(pl.String)
