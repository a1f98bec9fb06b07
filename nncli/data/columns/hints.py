"""Hints for cells that cannot be read as a number or a date."""

from __future__ import annotations

import re
import unicodedata

from nncli.base.text import quote, yaml_quote
from nncli.data.columns.spellings import CURRENCY_CODES, PARENTHESES, PERCENT
from nncli.data.dialect import CsvDialect

MISSING_WORDS = frozenset(
    (
        *("-", "--", "?", ".", "*", "n/a", "na", "n.a.", "#n/a", "#na", "nan", "nil", "none", "null"),
        *("missing", "unknown", "undefined", "tbd", "#value!", "#div/0!", "#null!"),
    )
)
DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
UNIT_SIGNS = re.compile(rf"^\(|[%‰$€£¥₹₩₽₺₴₫₱₪]|\b(?:{CURRENCY_CODES})\b|\)$")
SAME_SIGN = "A currency or percent sign is removed only if all cells of the column have the same one."
NUMBER_WITH_SEPARATORS = re.compile(
    r"[+-]?(?:\d{1,3}(?:(?P<group>[,.'’_ \xa0\u202f])\d{3}(?:(?P=group)\d{3})*)|\d*)"
    r"(?:(?P<mark>[,.])\d+)?(?:[eE][+-]?\d+)?"
)
EMPTY_CELL_HINT = "Correct the cell, or leave it empty."


def number_hint(cell: str, name: str, dialect: CsvDialect) -> str:
    """The hint for `cell` of the column `name`, which is not a number."""
    sentences = [
        guess_meaning(cell.strip(), dialect),
        f"Correct the cell, or empty it. If it means a missing value, add {yaml_quote(cell)} to data.missing_values. "
        f"To treat the column as categories, set `columns: {{{yaml_quote(name)}: categorical}}` under data.",
    ]
    return " ".join(filter(None, sentences))


def unit_hint(unit: str) -> str:
    """The hint for a cell that is not a number with the `unit` of the training rows."""
    if unit == PARENTHESES:
        return (
            "In the training rows negative numbers were in parentheses. Write a number in this form, or empty the cell."
        )
    if unit in PERCENT:
        return (
            f"In the training rows all cells were numbers with {quote(unit)}. A number without it could be a fraction "
            "(0.12 for 12 %). Write the cell with the sign, or empty it."
        )
    return f"The model reads numbers with {quote(unit)}, or without a unit. Write the cell like these, or empty it."


def plain_number_hint(dialect: CsvDialect) -> str:
    """The hint of a trained model for a cell that is not a number without a unit."""
    return f"The model reads numbers such as 1234{dialect.decimal}5. {EMPTY_CELL_HINT}"


def date_hint(name: str) -> str:
    """The hint for a cell of the column `name` that is not a date."""
    return (
        "Correct the cell. If it means a missing value, add it to data.missing_values. If dates have another "
        'format, set it under data, such as `date_format: "%d/%m/%Y"`. '
        f"To treat the column as categories, set `columns: {{{yaml_quote(name)}: categorical}}` under data."
    )


def guess_meaning(text: str, dialect: CsvDialect) -> str:
    """A sentence about what `text` seems to be, and the setting that would read it so."""
    if not any(c.isdigit() for c in text):
        return ""
    if (bare := UNIT_SIGNS.sub("", text).strip()) != text:
        return guess_meaning(bare, dialect) or SAME_SIGN
    if DATE.fullmatch(text):
        return "It looks like a date or a time; to use it as a number, convert it to a year or a count of days."
    if any(is_non_ascii_number_char(c) for c in text):
        return "Numbers must be written with the digits 0 to 9 and the ASCII signs + and -."
    if not (found := NUMBER_WITH_SEPARATORS.fullmatch(text)):
        return ""
    group, mark = found["group"], found["mark"]
    readings = []
    if group is None or (group in ",." and mark is None and text.count(group) == 1):
        readings.append(alternative_reading(text, None, mark or group, dialect))
    if group is not None and group != mark:
        readings.append(alternative_reading(text, group, mark, dialect))
    sentence = ", ".join(filter(None, readings))
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else ""


def alternative_reading(text: str, group: str | None, mark: str | None, dialect: CsvDialect) -> str:
    """`with data.decimal: "," it is 1.5`; empty if the dialect has these settings already."""
    settings, number = [], text.replace(group or "", "") if group else text
    if mark is not None and mark != dialect.decimal:
        settings.append(f'data.decimal: "{mark}"')
    if group is not None and group != dialect.thousands:
        settings.append(f"data.thousands: {yaml_quote(' ' if group.isspace() else group)}")
    if not settings:
        return ""
    return f"with {' and '.join(settings)} it is {quote(number.replace(mark, '.') if mark else number)[1:-1]}"


def is_non_ascii_number_char(c: str) -> bool:
    """Whether a character is a digit, sign or separator of numbers that is not ASCII, such as − or １."""
    return not c.isascii() and (c.isdigit() or unicodedata.category(c) == "Pd" or c in "−，．٫٬")
