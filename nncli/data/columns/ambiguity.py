"""Errors about columns of an ambiguous kind: nearly numbers, nearly dates, or ids too long for numbers.

A column of text is ambiguous if more than half of its present cells are numbers, or look like numbers (1,5 and 12% do),
and some are not numbers. It is not if there are few distinct cells and those that are not numbers are as frequent as
the others: 2, 3, 4 and 5more are categories.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.columns.datetimes import infer_date_format, parse_dates
from nncli.data.columns.hints import date_hint, number_hint
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.columns.units import SIGN, may_be_thousands, strip_unit
from nncli.data.table import Table
from nncli.errors import DataError
from nncli.text import quote, yaml_quote

NUMBER = (
    r"(?:\p{Nd}{1,3}(?:[,.'’_ \x{a0}\x{202f}]\p{Nd}{3})+|\p{Nd}*)"  # 1,234,567 or 1234567
    r"(?:[,.，．٫]\p{Nd}+)?(?:[eE][+-]?\p{Nd}+)?"  # .5e3
)
LOOKS_LIKE_A_NUMBER = rf"^\s*\(?[+\-−–]?\s*(?:{SIGN})?\s*[+\-−–]?{NUMBER}\s*(?:{SIGN})?\)?\s*$"
MAX_CATEGORIES, MIN_MEAN_COUNT = 20, 10
"""A column of at most so many distinct cells, each in so many rows on average, may be categories some of which are
numbers."""
MIN_RELATIVE_COUNT = 0.1
"""Relative to the mean count of a category: a cell that is not a number and is rarer than this is a typing error."""
DIGIT = r"\p{Nd}"


def check_mixed_numbers(table: Table, name: str, numbers: pl.Series, bare: pl.Series) -> None:
    """Raise a DataError if most cells of the column of text `name` are numbers, or look like numbers, and some are not.

    `numbers` are the parsed cells, `bare` those without the unit of the first number; both are null where a cell is not
    a number. The error names the first cell that is null in both, if there is one.
    """
    cells = table.column(name)
    is_odd = numbers.is_null() & cells.is_not_null()
    if _are_categories(cells, is_odd):
        return
    present, n_numbers = len(cells) - cells.null_count(), len(numbers) - numbers.null_count()
    message, reason = "is not a number", f"{n_numbers:,} of {present:,} cells are numbers"
    if 2 * n_numbers <= present:
        odd = cells.filter(is_odd)
        n_similar = odd.filter(odd.str.contains(DIGIT)).str.contains(LOOKS_LIKE_A_NUMBER).sum()
        if 2 * (n_numbers + n_similar) <= present:
            return
        message = "looks like a number but cannot be read as one"
        reason = f"so do {n_similar:,} of {present:,} cells"
        is_odd = is_odd & cells.str.contains(DIGIT) & cells.str.contains(LOOKS_LIKE_A_NUMBER)
        is_odder = is_odd & bare.is_null()
        is_odd = is_odder if is_odder.any() else is_odd
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
    form = infer_date_format(cells, table.dialect.date_format)
    if form is None:
        return False
    is_odd = parse_dates(cells, form).is_null() & cells.is_not_null()
    if is_odd.any():
        if _are_categories(cells, is_odd):
            return False
        present = cells.count()
        row = int(is_odd.arg_max() or 0)
        raise DataError(
            f"{quote(cells[row])} is not a date; {present - is_odd.sum():,} of {present:,} cells are dates",
            location=table.location(row=row, column=name),
            hint=date_hint(name),
        )
    return True


def _are_categories(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells are categories: few distinct values, and the odd ones as frequent as the others.

    Odd cells that look like numbers are not categories.
    """
    counts = cells.drop_nulls().value_counts()["count"]
    mean = cells.count() / len(counts)
    if len(counts) > MAX_CATEGORIES or mean < MIN_MEAN_COUNT:
        return False
    odd = cells.filter(is_odd)
    common = bool((odd.value_counts()["count"] >= MIN_RELATIVE_COUNT * mean).all())
    return common and not (odd.str.contains(DIGIT) & odd.str.contains(LOOKS_LIKE_A_NUMBER)).any()


def check_large_integers(table: Table, name: str, numbers: pl.Series) -> None:
    """Raise a DataError if an integer in the column has more digits than a float64 can represent."""
    cells = table.column(name)
    if not (cells.dtype.is_integer() or cells.dtype == pl.String):
        return
    x = numbers.to_numpy()
    with np.errstate(invalid="ignore"):
        large = np.flatnonzero((np.abs(x) >= MAX_EXACT_INTEGER) & np.isfinite(x))
    for row in large.tolist():
        spelled = str(cells[row]).strip().replace(table.dialect.thousands or " ", "")
        if spelled.lstrip("+-").isdecimal() and int(spelled) != int(x[row]):
            raise DataError(
                f"{quote(spelled)} has more digits than a float64 can represent; is it an id?",
                location=table.location(row=row, column=name),
                hint=f"Leave the column out: `drop: [{yaml_quote(name)}]` under data. Or set its kind in data.columns: "
                "categorical, or numeric if its last digits do not matter.",
            )
