"""Columns that say when a row was, or to what group it belongs: only their order, or who shares a value, matters."""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.columns import WORDS, parse_numbers
from nncli.data.table import Table
from nncli.data.traits import Codes
from nncli.errors import DataError, as_yaml, quoted

CLOCK = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f")
ZONED = "%Y-%m-%d %H:%M:%S%.f%z"


def read_groups(table: Table, name: str) -> Codes:
    """A code for each row's group (rows,).

    Raises:
        DataError: a cell is missing, or the column holds lists or the like.
    """
    cells = _present(table, name, "group")
    if cells.dtype.is_nested() or cells.dtype == pl.Object:
        raise DataError(
            f"the column holds what is no name of a group (its type is {cells.dtype})",
            place=table.place(column=name),
            hint="Write groups as text or whole numbers.",
        )
    return cells.rank("dense").to_numpy().astype(np.int64)


def read_times(table: Table, name: str) -> Codes:
    """The rank of each row's time (rows,), from 0: of numbers, or of dates and times, typed or in ISO 8601.

    Where a time names no zone it is taken for UTC.

    Raises:
        DataError: a cell is missing, or is neither a number nor such a date.
    """
    cells = _present(table, name, "time")
    if cells.dtype.is_temporal():
        times = cells.to_physical()
    else:
        times = parse_numbers(cells, table.dialect)
        if cells.dtype in WORDS and times.has_nulls():
            dates = parse_dates(cells.cast(pl.String))
            times = dates if dates.null_count() < len(dates) else times
    odd = times.is_null() | (times.is_nan() if times.dtype.is_float() else False)
    if odd.any():
        row = int(odd.arg_max() or 0)
        raise DataError(
            f"{quoted(cells[row])} is no time",
            place=table.place(row=row, column=name),
            hint="Write all of the column as numbers, or as dates such as 2024-05-31 or 2024-05-31 14:30.",
        )
    return np.unique(times.to_numpy(), return_inverse=True)[1].astype(np.int64)


def parse_dates(cells: pl.Series) -> pl.Series:
    """Text in ISO 8601 as microseconds since 1970 (Int64), null where it is none."""
    text = cells.str.strip_chars().str.replace(r"^(\d{4}-\d{2}-\d{2})T", "$1 ")
    zoned = text.str.replace("Z$", "+00:00").str.replace(r"^(\S+ \d{2}:\d{2})([+-])", "$1:00$2")
    whole = text.set(~text.str.contains(r"^\d{4}-\d{2}-\d{2}(?: |$)"), None)
    readings = [
        whole.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")),
        *(whole.str.to_datetime(form, strict=False, time_unit="us") for form in CLOCK),
        zoned.str.to_datetime(ZONED, strict=False, time_unit="us"),
    ]
    return pl.select(pl.coalesce([reading.to_physical() for reading in readings])).to_series()


def _present(table: Table, name: str, what: str) -> pl.Series:
    """The column, once no cell of it is missing."""
    cells = table.column(name)
    missing = cells.is_null() | (cells.is_nan() if cells.dtype.is_float() else False)
    if missing.any():
        row = int(missing.arg_max() or 0)
        raise DataError(
            f"the {what} is missing",
            place=table.place(row=row, column=name),
            hint=f"Fill it in, remove the row, or do without `{what}: {as_yaml(name)}` under data.",
        )
    return cells
