"""How to go on from a cell that is not a number, or no date, where these are wanted."""

from __future__ import annotations

import re
import unicodedata

from nncli.data.columns.units import CURRENCY_CODES, PARENTHESES
from nncli.data.dialect import CsvDialect
from nncli.text import quote, yaml_quote

MISSING_WORDS = frozenset(
    (
        *("-", "--", "?", ".", "*", "n/a", "na", "n.a.", "#n/a", "#na", "nan", "nil", "none", "null"),
        *("missing", "unknown", "undefined", "tbd", "#value!", "#div/0!", "#null!"),
    )
)
DATE = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}([T ].*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
UNIT_SIGNS = re.compile(rf"^\(|[%‰$€£¥₹₩₽₺₴₫₱₪]|\b(?:{CURRENCY_CODES})\b|\)$")
SAME_SIGN = "A sign of currency or percent is taken off where all cells of the column have the same one."
NUMBER_WITH_SEPARATORS = re.compile(
    r"[+-]?(?:\d{1,3}(?:(?P<group>[,.'’_ \xa0\u202f])\d{3}(?:(?P=group)\d{3})*)|\d*)"
    r"(?:(?P<mark>[,.])\d+)?(?:[eE][+-]?\d+)?"
)


def number_hint(cell: str, name: str, dialect: CsvDialect) -> str:
    """The hint for `cell`, which is not a number and stands in the column `name`."""
    words = [
        guess_meaning(cell.strip(), dialect),
        "Correct the cell, or empty it. To train on such cells, list its spelling under data.missing_values "
        f"if it stands for a missing value, or put "
        f"`columns: {{{yaml_quote(name)}: categorical}}` under data to train with categories.",
    ]
    return " ".join(filter(None, words))


def unit_hint(unit: str) -> str:
    """The hint for a cell that is no number with the `unit` that all cells of the training rows had."""
    if unit == PARENTHESES:
        return "Negative numbers were in brackets in the training rows: write it as a number, or so, or empty it."
    return f"In the training rows all cells were numbers with {quote(unit)}: write it as these, or empty it."


def date_hint(name: str) -> str:
    """The hint for a cell that is no date and stands in the column `name`."""
    return (
        "Correct the cell, list its spelling under data.missing_values if it stands for a missing value, say "
        'under data how dates are written, as in `date_format: "%d/%m/%Y"`, '
        f"or put `columns: {{{yaml_quote(name)}: categorical}}` there to train with categories."
    )


def guess_meaning(text: str, dialect: CsvDialect) -> str:
    """What `text` seems to be, and the setting that would read it so."""
    if text.casefold() in MISSING_WORDS:
        return f"Add {yaml_quote(text)} to data.missing_values if it means that."
    if not any(c.isdigit() for c in text):
        return ""
    if (bare := UNIT_SIGNS.sub("", text).strip()) != text:
        return guess_meaning(bare, dialect) or SAME_SIGN
    if DATE.fullmatch(text):
        return "It looks like a date or a time; a number would be the year, say, or a count of days."
    if any(is_non_ascii_number_char(c) for c in text):
        return "Numbers are written with the digits 0 to 9 and the signs + and -."
    if not (found := NUMBER_WITH_SEPARATORS.fullmatch(text)):
        return ""
    group, mark = found["group"], found["mark"]
    readings = []
    if group is None or (group in ",." and mark is None and text.count(group) == 1):
        readings.append(alternative_reading(text, None, mark or group, dialect))
    if group is not None and group != mark:
        readings.append(alternative_reading(text, group, mark, dialect))
    said = ", ".join(filter(None, readings))
    return f"{said[0].upper()}{said[1:]}." if said else ""


def alternative_reading(text: str, group: str | None, mark: str | None, dialect: CsvDialect) -> str:
    """`with data.decimal: "," it is 1.5`; nothing when the dialect is that already."""
    settings, number = [], text.replace(group or "", "") if group else text
    if mark is not None and mark != dialect.decimal:
        settings.append(f'data.decimal: "{mark}"')
    if group is not None and group != dialect.thousands:
        settings.append(f"data.thousands: {yaml_quote(' ' if group.isspace() else group)}")
    if not settings:
        return ""
    return f"with {' and '.join(settings)} it is {quote(number.replace(mark, '.') if mark else number)[1:-1]}"


def is_non_ascii_number_char(c: str) -> bool:
    """A digit, a sign or a mark of numbers that is not ASCII: full-width, Arabic, the typographer's minus."""
    return not c.isascii() and (c.isdigit() or unicodedata.category(c) == "Pd" or c in "−，．٫٬")
