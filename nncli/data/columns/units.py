"""Numbers that all have the same sign, of a currency or of percent, or of which some stand in brackets, being negative.

The sign is taken off, and what is left is a number as in any other column: 12 % is 12. A model keeps the sign, so that
it reads the same cells as it learnt from; where cells have different signs, or some have none, nothing is taken off.
"""

from __future__ import annotations

import re

import polars as pl

from nncli.data.dialect import CsvDialect

PARENTHESES = "()"
"""The unit of numbers that have no sign, of which some are negative and in brackets, as in bookkeeping: (1,234)."""
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
"""1.234: a fraction of three digits, or thousands."""


def infer_unit(cells: pl.Series) -> str | None:
    """The sign of the first cell that is a number with one, of text; BRACKETS where it has none, and some cell has."""
    if cells.dtype != pl.String:
        return None
    first = cells.filter(cells.str.contains("[0-9]")).head(1)
    if first.is_empty():
        return None
    found = first.str.extract_groups(NUMBER_WITH_SIGN).struct.unnest().row(0)
    sign = next(filter(None, found), None)
    return sign or (PARENTHESES if cells.str.contains(IN_PARENTHESES).any() else None)


def strip_unit(words: pl.Series, unit: str) -> pl.Series:
    """Cells of text without the unit: null where one does not have it; one without a digit, such as nan, as it is."""
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
    """Whether the decimal mark of amounts of money may as well group their digits: 1.234 €, and never 1.5 €."""
    if unit in (*PERCENT, PARENTHESES) or dialect.thousands is not None:
        return False
    marked = cells.filter(cells.str.contains(dialect.decimal, literal=True))
    open_to_both = marked.str.contains(
        rf"^[^0-9]*{AMBIGUOUS_THOUSANDS.format(mark=re.escape(dialect.decimal))}[^0-9]*$"
    )
    return not marked.is_empty() and bool(open_to_both.all())
