"""Read the group column and the time column, which control how rows are split."""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.base.errors import DataError
from nncli.base.text import quote, yaml_quote
from nncli.data.columns.datetimes import ISO, infer_date_formats, parse_any_date
from nncli.data.columns.parsing import TEXT_TYPES, parse_numbers
from nncli.data.table import Table
from nncli.nn.arrays import Codes


def read_groups(table: Table, name: str) -> Codes:
    """A code for each row's group (rows,).

    Raises:
        DataError: a cell is missing, or the column has a nested type or bytes.
    """
    cells = _require_present(table, name, "group")
    _check_type(table, name, "groups", "Write groups as text or whole numbers.")
    return cells.rank("dense").to_numpy().astype(np.int64)


def group_numbers(table: Table, name: str | None) -> Codes | None:
    """A number for each row's group (rows,), where a missing cell is a group; None without such a column.

    Raises:
        DataError: the column has a nested type or bytes.
    """
    if name is None or name not in table.names:
        return None
    _check_type(table, name, "groups", "Write groups as text or whole numbers.")
    cells = table.column(name)
    cells = cells.to_physical() if cells.dtype == pl.Duration else cells  # which Polars cannot write as text
    return cells.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)


def read_times(table: Table, name: str) -> Codes:
    """The rank of each row's time (rows,), from 0. Times are numbers, or dates and times, typed or as text.

    A time without a time zone is read as UTC.

    Raises:
        DataError: a cell is missing, or is neither a number nor a date, or the column has a nested type or bytes.
    """
    cells = _require_present(table, name, "time")
    _check_type(table, name, "times", "Write times as numbers or dates.")
    if cells.dtype.is_integer() or cells.dtype.is_decimal():  # more digits than a float64 has tell times apart
        return cells.rank("dense").to_numpy().astype(np.int64) - 1
    if cells.dtype.is_temporal():
        times = cells.to_physical()
    else:
        times = parse_numbers(cells, table.dialect)
        if cells.dtype in TEXT_TYPES and times.has_nulls():
            text = cells.cast(pl.String)
            dates = parse_any_date(text, infer_date_formats(text, table.dialect.date_format).formats or (ISO,))
            times = dates if dates.null_count() < len(dates) else times
    invalid = times.is_null() | (times.is_nan() if times.dtype.is_float() else False)
    if invalid.any():
        row = int(invalid.arg_max() or 0)
        raise DataError(
            f"{quote(cells[row])} is not a time",
            location=table.location(row=row, column=name),
            hint="Write the column as numbers, or as dates such as 2024-05-31 or 2024-05-31 14:30, or set the "
            'format, such as `data.date_format: "%d/%m/%Y"`.',
        )
    return np.unique(times.to_numpy(), return_inverse=True)[1].astype(np.int64)


def _check_type(table: Table, name: str, what: str, hint: str) -> None:
    """Raise a DataError if the column holds lists, objects or bytes."""
    kind = table.column(name).dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        raise DataError(f"a column of type {kind} cannot hold {what}", location=table.location(column=name), hint=hint)


def _require_present(table: Table, name: str, what: str) -> pl.Series:
    """The column; raise a DataError if a cell is missing."""
    cells = table.column(name)
    missing = cells.is_null() | (cells.is_nan() if cells.dtype.is_float() else False)
    if missing.any():
        row = int(missing.arg_max() or 0)
        raise DataError(
            f"the {what} is missing",
            location=table.location(row=row, column=name),
            hint=f"Fill in the cell, remove the row, or remove `{what}: {yaml_quote(name)}` under data.",
        )
    return cells
