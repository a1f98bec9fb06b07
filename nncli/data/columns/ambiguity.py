"""Errors about columns of an ambiguous kind: nearly numbers, nearly dates, or ids too long for numbers.

A column of text is ambiguous if most of its present cells are numbers and a few are not, or if most look like numbers
(1,5 and 12% do). Columns of categories and codes are not; see codes.py.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from nncli.base.errors import DataError
from nncli.base.text import quote, yaml_quote
from nncli.data.columns.codes import are_addresses_or_phone_numbers, are_categories, are_codes, looks_like_a_number
from nncli.data.columns.datetimes import infer_date_formats, parse_any_date
from nncli.data.columns.hints import date_hint, number_hint
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.columns.spellings import may_be_thousands, strip_unit
from nncli.data.table import Table


def check_mixed_numbers(table: Table, name: str, numbers: pl.Series, bare: pl.Series) -> None:
    """Raise a DataError if most cells of the column of text `name` are numbers, or look like numbers, and some are not.

    `numbers` are the parsed cells, `bare` those without the unit of the first number; both are null where a cell is not
    a number. The error names the first cell that is null in both, if there is one.
    """
    cells = table.column(name)
    is_odd = numbers.is_null() & cells.is_not_null()
    if are_categories(cells, is_odd):
        return
    present, n_numbers = len(cells) - cells.null_count(), len(numbers) - numbers.null_count()
    message, reason = "is not a number", f"{n_numbers:,} of {present:,} cells are numbers"
    if 2 * n_numbers > present:
        if are_codes(cells, is_odd):
            return
    else:
        is_similar = looks_like_a_number(cells).fill_null(False) & is_odd
        n_similar = is_similar.sum()
        if 2 * (n_numbers + n_similar) <= present or are_addresses_or_phone_numbers(cells):
            return
        message = "looks like a number but cannot be read as one"
        reason = f"so do {n_similar:,} of {present:,} cells"
        is_odder = is_similar & bare.is_null()
        is_odd = is_odder if is_odder.any() else is_similar
    row = int(is_odd.arg_max() or 0)
    raise DataError(
        f"{quote(cells[row])} {message}; {reason}",
        location=table.location(row=row, column=name),
        hint=number_hint(cells[row], name, table.dialect),
    )


def check_ambiguous_decimal(table: Table, name: str, unit: str) -> None:
    """Raise a DataError if the decimal mark in amounts of money could also be a thousands separator."""
    cells, mark = table.column(name), table.dialect.decimal
    if not may_be_thousands(cells, unit, table.dialect):
        return
    row = int(cells.str.contains(mark, literal=True).arg_max() or 0)
    number = (strip_unit(cells[row : row + 1], unit)[0] or "").strip()
    raise DataError(
        f"the number {quote(cells[row])} is ambiguous",
        location=table.location(row=row, column=name),
        hint=f"For {number.replace(mark, '')} set `thousands: {yaml_quote(mark)}` under data; "
        f"for {number.replace(mark, '.')} set `columns: {{{yaml_quote(name)}: numeric}}`.",
    )


def are_dates(table: Table, name: str) -> bool:
    """Whether the column of text `name` holds dates.

    Raises:
        DataError: more than half of the cells are dates, and the others look like errors rather than categories.
    """
    cells = table.column(name)
    formats = infer_date_formats(cells, table.dialect.date_format).formats
    if not formats:
        return False
    is_odd = parse_any_date(cells, formats).is_null() & cells.is_not_null()
    if is_odd.any():
        if are_categories(cells, is_odd):
            return False
        present = cells.count()
        row = int(is_odd.arg_max() or 0)
        raise DataError(
            f"{quote(cells[row])} is not a date; {present - is_odd.sum():,} of {present:,} cells are dates",
            location=table.location(row=row, column=name),
            hint=date_hint(name),
        )
    return True


def check_large_integers(table: Table, name: str, numbers: pl.Series) -> None:
    """Raise a DataError if an integer in the column has more digits than a float64 can represent."""
    cells = table.column(name)
    if not (cells.dtype.is_integer() or cells.dtype.is_decimal() or cells.dtype == pl.String):
        return
    x = numbers.to_numpy()
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero((np.abs(x) >= MAX_EXACT_INTEGER) & np.isfinite(x))
    for row in large.tolist():
        spelled = str(cells[row]).strip().replace(table.dialect.thousands or " ", "")
        if cells.dtype.is_decimal():
            spelled = re.sub(r"\.0*$", "", spelled)
        if spelled.lstrip("+-").isdecimal() and int(spelled) != int(x[row]):
            raise DataError(
                f"{quote(spelled)} has more digits than a float64 can represent; is it an id?",
                location=table.location(row=row, column=name),
                hint=f"Leave the column out: `drop: [{yaml_quote(name)}]` under data. Or set its kind in data.columns: "
                "categorical, or numeric if its last digits do not matter.",
            )
