"""Units in columns of numbers: a currency or percent sign, or parentheses around negative numbers.

A unit that all cells share is removed, and the rest is a number as in any other column: 12 % is 12. A model keeps the
unit and reads the same form when predicting. If cells have different units, or some have none, nothing is removed.
"""

from __future__ import annotations

import re

import polars as pl

from nncli.data.dialect import CsvDialect

PARENTHESES = "()"
"""The unit of numbers without a sign of which negative ones are in parentheses, as in accounting: (1,234)."""
PERCENT = ("%", "‰")
CURRENCY_CODES = (
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KES|KRW|MAD|MXN|MYR|NGN|NOK|"
    "NZD|PEN|PHP|PKR|PLN|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
SIGN = rf"(?:\b[A-Z]{{1,2}})?\p{{Sc}}|[%‰]|(?:{CURRENCY_CODES})"
"""US$, €, %, EUR."""
NUMBER_WITH_SIGN = rf"^[\s(+-]*({SIGN})[\s+-]*[0-9.,]|[0-9.,]\s*({SIGN})[\s)]*$"
IN_PARENTHESES = r"^\s*\(([^()+-]*[0-9][^()+-]*)\)\s*$"
AMBIGUOUS_THOUSANDS = r"[1-9][0-9]{{0,2}}{mark}[0-9]{{3}}\b"
"""1.234: a fraction of three digits, or one thousand."""


def infer_unit(cells: pl.Series) -> str | None:
    """The unit of the first cell with a number; PARENTHESES if it has none and some cell is in parentheses."""
    if cells.dtype != pl.String:
        return None
    first = cells.filter(cells.str.contains("[0-9]")).head(1)
    if first.is_empty():
        return None
    found = first.str.extract_groups(NUMBER_WITH_SIGN).struct.unnest().row(0)
    sign = next(filter(None, found), None)
    return sign or (PARENTHESES if cells.str.contains(IN_PARENTHESES).any() else None)


def strip_unit(words: pl.Series, unit: str) -> pl.Series:
    """Remove the unit from cells: null where a cell lacks it; cells without a digit, such as nan, stay as they are."""
    bare = words
    if unit != PARENTHESES:
        sign = re.escape(unit)
        before, after = rf"^[\s(+-]*{sign}", rf"{sign}[\s)]*$"
        once = words.str.count_matches(unit, literal=True) == 1
        has = once & words.str.contains(f"{before}|{after}")
        bare = words.str.replace(unit, "", literal=True).zip_with(has, pl.Series([None], dtype=pl.String))
    bare = bare.str.replace(IN_PARENTHESES, "-${1}").str.replace(r"^\s*([+-])\s+", "${1}").str.strip_chars()
    return words.zip_with(~words.str.contains("[0-9]"), bare)


def may_be_thousands(cells: pl.Series, unit: str, dialect: CsvDialect) -> bool:
    """Whether the decimal mark of amounts of money could be a thousands separator: all are like 1.234 €."""
    if unit in (*PERCENT, PARENTHESES) or dialect.thousands is not None:
        return False
    marked = cells.filter(cells.str.contains(dialect.decimal, literal=True))
    open_to_both = marked.str.contains(
        rf"^[^0-9]*{AMBIGUOUS_THOUSANDS.format(mark=re.escape(dialect.decimal))}[^0-9]*$"
    )
    return not marked.is_empty() and bool(open_to_both.all())
