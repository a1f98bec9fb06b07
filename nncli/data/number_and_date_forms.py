"""The spellings of numbers and dates: the table from which readers in Polars, Python and JavaScript get theirs.

The reader in C is written by hand and tested against the same table. Regular expressions are those that all three
engines read alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PARENTHESES = "()"
"""The unit of numbers without a sign of which some are as in accounting: (1,234), 6486,00- or 4'715.-"""
NO_CENTS = r"([0-9])[.,][-–—]$"
"""The end of a whole amount of money, as in Switzerland: 4'715.-"""
MINUS_BEHIND = r"^([0-9].*[.,][0-9]{2})-$"
"""A negative amount of accounting programs, 6486,00-; 12- may be a grade."""
PERCENT = ("%", "‰")
SPACES_BETWEEN = "[ \xa0\u202f]"
"""Spaces that may separate thousands: a plain one, and the two non-breaking ones."""
SEPARATORS = (",", r"\.", "'", "’", "_", SPACES_BETWEEN)
"""Regular expressions of thousands separators."""


def _escaped(mark: str) -> str:
    """A mark in a regular expression; unlike `re.escape`, nothing is escaped that JavaScript refuses to see escaped."""
    return re.sub(r"[\\^$.*+?()\[\]{}|]", r"\\\g<0>", mark)


def separator_pattern(thousands: str | None) -> str:
    """A regular expression of the thousands separator, empty if there is none."""
    if thousands is None:
        return ""
    return SPACES_BETWEEN if thousands == " " else _escaped(thousands)


def training_form(decimal: str, thousands: str | None) -> str:
    """A regular expression of numbers with the marks of the training table."""
    between = separator_pattern(thousands)
    whole = f"(?:[0-9]{{1,3}}(?:{between}[0-9]{{3}})+|[0-9]*)" if between else "[0-9]*"
    return rf"[+-]?{whole}(?:{_escaped(decimal)}[0-9]*)?(?:[eE][+-]?[0-9]+)?"


def other_forms(decimal: str, thousands: str | None) -> list[tuple[str, str]]:
    """Regular expressions of thousands separators, and of the numbers with each that have one meaning, unsigned.

    With the `thousands` separator of the training table 68.000 has one meaning, also without the unit of its column.
    """
    mark = _escaped(decimal)
    forms = [("", rf"[0-9]+(?:{mark}[0-9]*)?(?:[eE][+-]?[0-9]+)?|{mark}[0-9]+(?:[eE][+-]?[0-9]+)?")]
    for between in SEPARATORS:
        if between not in (mark, decimal):
            groups = rf"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})"
            form = rf"{groups}{{2,}}(?:{mark}[0-9]+)?|{groups}{mark}[0-9]+"
            forms.append((between, form if between in (",", r"\.") else rf"{form}|{groups}"))
    if between := separator_pattern(thousands):
        forms.append((between, rf"[0-9]{{1,3}}(?:{between}[0-9]{{3}})+(?:{mark}[0-9]*)?(?:[eE][+-]?[0-9]+)?"))
    return forms


ISO = "iso"
DATE_FORMATS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %B %Y", "%d-%B-%Y", "%B %d %Y", "%B %d, %Y"),
)
"""Formats that are inferred, besides ISO 8601. Of two formats of the same pattern the one that fits more cells is used;
with dots the day comes first; names of months may be abbreviated."""
MONTH_FORMATS = ("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%B %Y", "%B-%Y")
"""Formats of months, which are read as their first day."""
MONTH_FORMATS_OF_NEW_ROWS = (*MONTH_FORMATS, "%m.%Y")
"""Formats in which a model of months reads them, whatever that of its training rows; in these 06.2017 is a number."""
YEAR_FIRST_OR_NAMED = (ISO, "%B %Y", *(form for form in DATE_FORMATS if form.startswith("%Y") or "%B" in form))
"""Formats in which a date has one meaning. By `%B %d %Y` May 2021 would be the 20th of May in the year 21."""
ORDERS = {"/": ("%d/%m/%Y", "%m/%d/%Y"), "-": ("%d-%m-%Y", "%m-%d-%Y"), ".": ("%d.%m.%Y",)}
"""Formats in which the year comes last, by the separator; the first has the day first."""
SHORT_ORDERS = {
    "/": ("%d/%m/%y", "%m/%d/%y", "%y/%m/%d"),
    "-": ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    ".": ("%d.%m.%y", "%y.%m.%d"),
}
"""Formats of years of two digits, by the separator: 00 to 69 are 2000 to 2069, 70 to 99 are 1970 to 1999."""
SHORT_NAMED = ("%d-%B-%y", "%d %B %y", "%B %d, %y")
"""Formats of years of two digits with the month by name."""
DAY_AND_MONTH = re.compile(r"(?<!%y[-./])(?:%d([-./])%m|%m([-./])%d)")
TIME_FORMATS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
MICROSECONDS_PER_DAY = 86_400_000_000
"""Microseconds."""
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""Days since 1970 of the first of January of year 1 and the last of December of year 9999."""
LAST_MOMENT = 2_932_897 - 2.0**-31
"""The last moment of year 9999 in days since 1970; the last 20 µs round to the next day."""


def orders_of(formats: Sequence[str]) -> dict[str, str]:
    """The format with the year last that has the order of day and month of the `formats`, by separator.

    24-05-31 says nothing about 05-06-2024.
    """
    orders = {}
    for form in formats:
        if order := DAY_AND_MONTH.search(form):
            separator = order[1] or order[2]
            orders[separator] = f"%d{separator}%m{separator}%Y" if order[1] else f"%m{separator}%d{separator}%Y"
    return orders
