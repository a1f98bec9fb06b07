"""Columns that are nearly, or plainly, numbers, or numbers in name only, or nearly dates: refused rather than taken for
something else.

A column of text is in doubt when more than half of the cells that are not missing are numbers, or look like numbers
to a person (1,5 and 12% do), and some are not numbers. It is in no doubt when there are few different cells, and those
that are not numbers are as common as those that are: 2, 3, 4 and 5more are categories.
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
"""Different cells up to which a column may be one of categories, some of which happen to be numbers, and rows that each
has in the mean."""
MIN_RELATIVE_COUNT = 0.1
"""As a share of the mean category: a cell that is no number and rarer than this is a slip."""
DIGIT = r"\p{Nd}"


def check_mixed_numbers(table: Table, name: str, numbers: pl.Series, bare: pl.Series) -> None:
    """Raise a DataError if the column of text `name`, some of which are no `numbers`, is in doubt.

    It names the first cell that is not a number, not even one of `bare`: of those without the sign that others have.
    """
    cells = table.column(name)
    is_odd = numbers.is_null() & cells.is_not_null()
    if _are_categories(cells, is_odd):
        return
    present, plain = len(cells) - cells.null_count(), len(numbers) - numbers.null_count()
    message, rest = "is not a number", f"{plain:,} of the {present:,} cells are"
    if 2 * plain <= present:
        odd = cells.filter(is_odd)
        looks = odd.filter(odd.str.contains(DIGIT)).str.contains(LOOKS_LIKE_A_NUMBER).sum()
        if 2 * (plain + looks) <= present:
            return
        message, rest = "looks like a number but is not spelled as one", f"so do {looks:,} of the {present:,} cells"
        is_odd = is_odd & cells.str.contains(DIGIT) & cells.str.contains(LOOKS_LIKE_A_NUMBER)
        is_odder = is_odd & bare.is_null()
        is_odd = is_odder if is_odder.any() else is_odd
    row = int(is_odd.arg_max() or 0)
    raise DataError(
        f"{quote(cells[row])} {message}; {rest}",
        place=table.place(row=row, column=name),
        hint=number_hint(cells[row], name, table.dialect),
    )


def check_ambiguous_decimal(table: Table, name: str, unit: str) -> None:
    """Raise a DataError if the decimal mark in the column's amounts of money may as well group their digits."""
    cells, mark = table.column(name), table.dialect.decimal
    if not may_be_thousands(cells, unit, table.dialect):
        return
    row = int(cells.str.contains(mark, literal=True).arg_max() or 0)
    number = (strip_unit(cells[row : row + 1], unit)[0] or "").strip()
    raise DataError(
        f"{quote(cells[row])} can be read in two ways",
        place=table.place(row=row, column=name),
        hint=f"If it is {number.replace(mark, '')}, say `thousands: {yaml_quote(mark)}` under data; "
        f"if it is {number.replace(mark, '.')}, `columns: {{{yaml_quote(name)}: numeric}}`.",
    )


def are_dates(table: Table, name: str) -> bool:
    """Whether the column of text `name` is one of dates.

    Raises:
        DataError: more than half of its cells are dates, others are not, and these are not categories.
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
            f"{quote(cells[row])} is not a date; {present - is_odd.sum():,} of the {present:,} cells are",
            place=table.place(row=row, column=name),
            hint=date_hint(name),
        )
    return True


def _are_categories(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells, some of which are odd among numbers, are few different ones, the odd as common as the others.

    What looks like a number is none of them.
    """
    counts = cells.drop_nulls().value_counts()["count"]
    mean = cells.count() / len(counts)
    if len(counts) > MAX_CATEGORIES or mean < MIN_MEAN_COUNT:
        return False
    odd = cells.filter(is_odd)
    common = bool((odd.value_counts()["count"] >= MIN_RELATIVE_COUNT * mean).all())
    return common and not (odd.str.contains(DIGIT) & odd.str.contains(LOOKS_LIKE_A_NUMBER)).any()


def check_large_integers(table: Table, name: str, numbers: pl.Series) -> None:
    """Raise a DataError if a whole number in the column is too long for a float64 to keep its last digits."""
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
                f"{quote(spelled)} has more digits than a number can keep, as ids do",
                place=table.place(row=row, column=name),
                hint=f"Leave it out with `drop: [{yaml_quote(name)}]` under data, or say what it is in data.columns: "
                "categorical, or numeric if its last digits do not matter.",
            )
