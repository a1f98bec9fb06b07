"""Tell numbers from codes and categories in columns of text that hold both digits and other characters.

A code is text that has digits and no quantity: e1, 12a, 192.168.100.1, +34 683 623 954, 12345-6789.
"""

from __future__ import annotations

import polars as pl

from nncli.data.columns.hints import MISSING_WORDS
from nncli.data.columns.spellings import SIGN

DIGIT = r"\p{Nd}"
GROUPED = (
    r"\p{Nd}{1,3}(?:,\p{Nd}{2,3})*,\p{Nd}{3}(?:\.\p{Nd}+)?|"  # 1,234.5, and 12,34,567 as in India
    r"\p{Nd}{1,3}(?:\.\p{Nd}{3})+(?:,\p{Nd}+)?|"  # 1.234,5
    r"\p{Nd}{1,3}(?:['’_ \x{a0}\x{202f}]\p{Nd}{3})+(?:[.,]\p{Nd}+)?"  # 1 234.5
)
NUMBER = rf"(?:{GROUPED}|\p{{Nd}}+(?:[,.，．٫]\p{{Nd}}+)?|[,.，．٫]\p{{Nd}}+)(?:[eE][+-]?\p{{Nd}}+)?"
AMOUNT = rf"[+\-−–]?\s*(?:{SIGN})?\s*[+\-−–]?(?:{NUMBER})\s*(?:{SIGN})?"
LOOKS_LIKE_A_NUMBER = rf"^\s*(?:{AMOUNT}|\({AMOUNT}\))\s*$"
"""Cells that a person reads as a number, whatever its separators, sign and unit. The exponent alone is none: e1."""
MAX_CATEGORIES, MIN_MEAN_COUNT = 20, 10
"""A column of at most so many distinct cells, each in so many rows on average, may be categories some of which are
numbers."""
MIN_RELATIVE_COUNT = 0.1
"""Relative to the mean count of a category: a cell that is not a number and is rarer than this is a typing error."""
MAX_NUMBERS, MIN_REPEATS = 10, 1.5
"""Distinct numbers, and rows of each distinct cell on average, of categories in a table of few rows."""
FEW = 0.1
"""Fraction of the present cells up to which misfits in a column of numbers are few."""
ADDRESS = r"^\s*\d{1,3}(?:\.\d{1,3}){3}\s*$"
PHONE = r"^\s*(?:\+\d{1,3}|0\d{1,2}|\d{3})(?:[ .\x{a0}]\d{3}){2,}\s*$"
CODE = r"\d.*\p{L}|\p{L}.*\d|\d[-/*:#+]|^\s*[<>~≤≥]\s*\d"
"""12a, A12, 12-14, 5+ and <5."""
OPEN_RANGE = r"^\s*(?:[<>≤≥]=?\s*\d+|\d+\s*\+)\s*$"
"""5+, >3: written on purpose, even in a single row."""
ZIP, ZIP_PLUS_4 = r"^\d{5}$", r"^\d{5}-\d{4}$"
MIN_CODES = 3
"""Fewest cells that are codes and not numbers in a column of both."""
CODE_WIDTH = 8
"""Characters from which cells of the same width are codes, such as an ISBN that ends with X."""


def looks_like_a_number(cells: pl.Series) -> pl.Series:
    """Mask of the cells that a person reads as a number; null where a cell is missing."""
    mask = cells.str.contains(DIGIT)
    candidates = mask.arg_true()  # the long pattern is slow, and most text has no digit
    return mask.scatter(candidates, cells[candidates].str.contains(LOOKS_LIKE_A_NUMBER)) if len(candidates) else mask


def are_categories(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells are categories: few distinct values, and the odd ones as frequent as the others.

    Odd cells are those that are neither missing nor of the kind of most others. If they look like numbers, cells are
    not categories; if they are open ranges such as 5+, they are, however rare.
    """
    counts = cells.drop_nulls().value_counts()["count"]
    mean = cells.count() / len(counts)
    odd = cells.filter(is_odd)
    if len(counts) > MAX_CATEGORIES or looks_like_a_number(odd).any():
        return False
    if odd.str.contains(OPEN_RANGE).all():
        return True
    odd_counts = odd.value_counts()
    if mean >= MIN_MEAN_COUNT:
        return bool((odd_counts["count"] >= MIN_RELATIVE_COUNT * mean).all())
    words = {cell.strip().casefold() for cell in odd_counts[odd.name]}
    few_numbers = len(counts) - len(odd_counts) <= MAX_NUMBERS
    common = len(odd) > FEW * cells.count() or bool((odd_counts["count"] >= max(2.0, mean / 3)).all())
    return few_numbers and mean >= MIN_REPEATS and common and not words <= MISSING_WORDS


def are_codes(cells: pl.Series, is_odd: pl.Series) -> bool:
    """Whether cells, of which most are numbers, are codes: many of the odd ones are digits with something else.

    They are also codes if all have the same width. Odd cells that are all a number and the same word, such as
    `5 kg`, have a unit.
    """
    odd = cells.filter(is_odd)
    if looks_like_a_number(odd).any() or not odd.str.contains(CODE).all():
        return False
    present = cells.drop_nulls()
    if present.str.contains(rf"^[0-9A-Za-z]{{{CODE_WIDTH},}}$").all() and present.str.len_chars().n_unique() == 1:
        return True
    if odd.str.contains(ZIP_PLUS_4).all() and present.str.contains(ZIP).sum() == len(present) - len(odd):
        return True
    words = odd.str.replace_all(r"[\d\s.,]", "").unique()
    has_unit = len(words) == 1 and bool(words.str.contains(r"^\p{L}+[²³]?$").all())
    return not has_unit and len(odd) >= MIN_CODES and len(odd) > FEW * len(present)


def are_addresses_or_phone_numbers(cells: pl.Series) -> bool:
    """Whether all cells are IP addresses, or all are phone numbers of the same width, in groups of three digits.

    Phone numbers begin with 0 or a plus, or have the same width.
    """
    present = cells.drop_nulls()
    if present.is_empty():
        return False
    if present.str.contains(ADDRESS).all():
        return True
    widths = present.str.strip_chars().str.len_chars().n_unique()
    return bool(present.str.contains(PHONE).all()) and (widths == 1 or bool(present.str.contains(r"^\s*[+0]").all()))
