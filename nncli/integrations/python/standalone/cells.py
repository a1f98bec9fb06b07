"""Cells as text, numbers, codes of categories, counts of words, and days, as nncli/data reads them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from nncli.extend import CategoryInput
from nncli.extend.programs import (
    FIRST_DAY,
    ISO,
    LAST_DAY,
    LAST_MOMENT,
    MICROSECONDS_PER_DAY,
    MINUS_BEHIND,
    MISSING_CODE,
    NO_CENTS,
    ORDERS,
    OTHER_CODE,
    PARENTHESES,
    PERCENT,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    orders_of,
    other_forms,
    separator_pattern,
    training_form,
)

SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""The white space of Unicode, as part of a set of characters in a regular expression."""
SPACES = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""The same characters. Python's str.strip would also remove the separators of ASCII, which are none."""
INT64 = 2.0**63


def is_missing(cell: object) -> bool:
    """Whether a cell is None, NaN, or what pandas and NumPy have for a missing date."""
    if cell is None or type(cell).__name__ == "NAType":
        return True
    return isinstance(cell, float | np.floating | np.datetime64 | date) and bool(cell != cell)


def text_of(cell: object) -> str | None:
    """A cell that is not missing as text: 3 for 3.0, and true for True; None if it is neither number nor text."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, int | np.integer):
        return str(int(cell))
    if isinstance(cell, Decimal) and cell.is_finite():
        digits = format(cell, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(cell, float | np.floating):
        whole = np.abs(cell) < INT64 and cell == np.floor(cell)
        return str(int(cell)) if whole else shortest_text(cell)
    return None


def shortest_text(x: float | np.floating[Any]) -> str:
    """The shortest decimal number that is read as x again: 0.1, 2.0, 1e-7, 1e+16."""
    if not np.isfinite(x):
        return "NaN" if np.isnan(x) else "-inf" if np.signbit(x) else "inf"
    text = str(x) if isinstance(x, np.floating) and not isinstance(x, float) else float.__repr__(float(x))
    if x == 0.0:
        return "-0.0" if text.startswith("-") else "0.0"
    exact = Decimal(text).normalize()
    sign, digits, _ = exact.as_tuple()
    exponent = exact.adjusted()
    lowest, highest = (-5, 15) if isinstance(x, float) else (-6, 12)
    if lowest <= exponent <= highest:
        plain = format(exact, "f")
        return plain if "." in plain else f"{plain}.0"
    mantissa = "".join(map(str, digits))
    point = "." if len(mantissa) > 1 else ""
    return f"{'-' * sign}{mantissa[0]}{point}{mantissa[1:]}e{'+' if exponent > 0 else '-'}{abs(exponent)}"


NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE
)
IN_PARENTHESES = re.compile(rf"[{SPACE}]*\(([^()+0-9-]*[0-9][^()+-]*)\)[{SPACE}]*")
BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class NumberFormat:
    """How numbers are written: the marks of the training table, the unit of a column, and whether it reads booleans."""

    decimal: str = "."
    thousands: str | None = None
    unit: str | None = None
    reads_booleans: bool = False

    def read(self, text: str) -> float | None:
        """The number of a cell, NaN for `nan`; None if it has no single meaning."""
        number = self._in_training_spelling(text)
        if number is None:
            number = self._in_another_spelling(text)
        if number is None and self.reads_booleans:
            number = BOOLEANS.get(text.strip(SPACES).lower())
        return number

    def _in_training_spelling(self, text: str) -> float | None:
        bare = text if self.unit is None else without_unit(text, self.unit)
        if bare is None:
            return None
        if self.decimal == "," or self.thousands is not None:
            if not self._training_form.search(bare):
                return None
            between = separator_pattern(self.thousands)
            bare = re.sub(between, "", bare) if between else bare
            bare = bare.replace(self.decimal, ".", 1)
        return parse(bare)

    @cached_property
    def _training_form(self) -> re.Pattern[str]:
        """Matches numbers with the marks of the training table, and texts without a digit, such as nan."""
        number = training_form(self.decimal, self.thousands)
        return re.compile(rf"\A[{SPACE}]*(?![{SPACE}]){number}[{SPACE}]*\Z|\A[^0-9]*\Z")

    @cached_property
    def _other_forms(self) -> list[tuple[str, re.Pattern[str]]]:
        """Regular expressions of thousands separators, and of the numbers with each that have one meaning."""
        return [
            (between, re.compile(rf"[+-]?(?:{form})")) for between, form in other_forms(self.decimal, self.thousands)
        ]

    def _in_another_spelling(self, text: str) -> float | None:
        bare: str | None = re.sub("[−–]", "-", text.strip(SPACES), count=1)
        if self.unit is not None and bare is not None:
            stripped = without_unit(bare, self.unit)
            if stripped is None and self.unit not in PERCENT:
                stripped = without_unit(bare, PARENTHESES)
            bare = stripped
        if bare is None:
            return None
        for between, form in self._other_forms:
            if form.fullmatch(bare):
                plain = re.sub(between, "", bare) if between else bare
                number = parse(plain.replace(self.decimal, ".", 1), strips=False)
                if number is not None:
                    return number
        return None


def parse(text: str, *, strips: bool = True) -> float | None:
    """A number with a decimal point, an infinity or NaN; None for other texts."""
    bare = text.strip(SPACES) if strips else text
    return float(bare) if NUMBER.fullmatch(bare) else None


def without_unit(text: str, unit: str) -> str | None:
    """The text without the unit, None if it lacks it; a text without a digit, such as nan, as it is."""
    if not re.search("[0-9]", text):
        return text
    if unit != PARENTHESES:
        sign = re.escape(unit)
        place = rf"\A[{SPACE}(+-]*{sign}|{sign}[{SPACE})]*\Z"
        if text.count(unit) != 1 or not re.search(place, text):
            return None
        text = text.replace(unit, "", 1)
    text = re.sub(MINUS_BEHIND, r"-\1", re.sub(NO_CENTS, r"\1", text.strip(SPACES)))
    enclosed = IN_PARENTHESES.fullmatch(text)
    text = f"-{enclosed[1]}" if enclosed else text
    return re.sub(rf"\A[{SPACE}]*([+-])[{SPACE}]+", r"\1", text).strip(SPACES)


WHOLE_NUMBER = re.compile(r"([+-]?(?:0|[1-9][0-9]*))\.0+")


def code_reader(column: CategoryInput) -> Callable[[str | None], int]:
    """A function that returns the code of a text, None for a missing one."""
    texts, keys, folded = dict(column.texts), dict(column.keys), dict(column.folded_keys)

    def read(text: str | None) -> int:
        if text is None:
            return MISSING_CODE
        code = texts.get(text)
        if code is None:
            key = key_of(text)
            code = keys.get(key)
            code = folded.get(key.lower(), OTHER_CODE) if code is None else code
        return code

    return read


def key_of(text: str) -> str:
    """The text without white space around it, and without the zeros of a whole number."""
    bare = text.strip(SPACES)
    whole = WHOLE_NUMBER.fullmatch(bare)
    return whole[1] if whole else bare


MAX_CHARACTERS = 100_000
"""Characters of a cell that are read; the rest is ignored."""


def words_of(text: str) -> list[str]:
    """The words in lower case, in order: letters, marks and numbers beside each other."""
    lower = text[:MAX_CHARACTERS].lower()
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in lower).split()


def term_counter(terms: tuple[str, ...]) -> Callable[[str], list[int]]:
    """A function that returns how often each of the terms is in a text."""
    positions = {term: j for j, term in enumerate(terms)}
    words = {word for term in terms for word in term.split(" ")}

    def count(text: str) -> list[int]:
        counts, before = [0] * len(terms), ""
        for word in words_of(text):
            pair = f"{before} {word}" if before in words and word in words else ""
            for term in (word, pair):
                if term in positions:
                    counts[positions[term]] += 1
            before = word
        return counts

    return count


ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]|\Z)")
EIGHT_DIGITS = re.compile(rf"[{SPACE}]*[12]\d{{7}}(?:[T ]|[{SPACE}]*\Z)")
TIME_OF_DAY = re.compile(r"(?<![T ])[T ]+(\d{1,2}:\d{2}.*)")
DIRECTIVE = re.compile(rf"%(?:\.f|.)|[{SPACE}]+|[^%{SPACE}]+")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DIGITS = {"%Y": 4, "%y": 2, "%m": 2, "%d": 2, "%H": 2, "%I": 2, "%M": 2, "%S": 2}
"""The most digits that a directive reads."""
ZONE = re.compile(rf"[{SPACE}]*([+−-])([0-9]{{2}})[:{SPACE}]*([0-5][0-9])")
EPOCH = date(1970, 1, 1).toordinal()


def days_of(moment: date) -> float:
    """Days since 1970 of a date, or of a date and time, in UTC if there is a time zone."""
    days = moment.toordinal() - EPOCH
    if not isinstance(moment, datetime):
        return float(days)
    time_of_day = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000 + moment.microsecond
    offset = (moment.utcoffset() or timedelta()) // timedelta(microseconds=1)
    whole, rest = divmod(days * MICROSECONDS_PER_DAY + time_of_day - offset, MICROSECONDS_PER_DAY)
    return min(whole + rest / MICROSECONDS_PER_DAY, LAST_MOMENT)


def read_date(text: str, formats: tuple[str, ...]) -> float | None:
    """Days since 1970, with the time of day as a fraction; None if it is no date, or has two meanings.

    The first of the formats that fits is used, else another one without ambiguity.
    """
    moments = (parse_date(text, form) for form in _unambiguous(formats))
    moment = next((moment for moment in moments if moment is not None), None)
    if moment is None and EIGHT_DIGITS.match(text):
        moment = parse_date(text, "%Y%m%d")
    moment = _parse_year_last(text, formats) if moment is None else moment
    if moment is None:
        return None
    whole, rest = divmod(moment, MICROSECONDS_PER_DAY)
    return min(whole + rest / MICROSECONDS_PER_DAY, LAST_MOMENT)


@lru_cache(maxsize=64)
def _unambiguous(formats: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*formats, *YEAR_FIRST_OR_NAMED)))


def _parse_year_last(text: str, formats: tuple[str, ...]) -> int | None:
    """Parse dates such as 13/05/2024, None if day and month could be in either order."""
    orders = orders_of(formats)
    for mark, forms in ORDERS.items():
        readings = {parse_date(text, form) for form in ([orders[mark]] if mark in orders else forms)} - {None}
        if len(readings) == 1:
            return readings.pop()
    return None


def parse_date(text: str, form: str) -> int | None:
    """Parse a date of the years 1 to 9999 in one format as microseconds since 1970; None if it is none.

    If the format has no time, a time of day may follow the date.
    """
    bare = text.strip(SPACES)
    if "%Y" in form and not re.search(r"\d{4}", bare):
        return None  # 01.02.24 is not of the year 24
    if form == ISO:
        moment = _parse_iso(bare)
    elif "%M" in form:
        moment = scan(bare, form)
    else:
        clock = TIME_OF_DAY.search(bare, bare.rfind("\n") + 1)
        day = scan(bare[: clock.start()] if clock else bare, form)
        if day is None or not FIRST_DAY <= day // MICROSECONDS_PER_DAY <= LAST_DAY:
            return None
        written = date.fromordinal(day // MICROSECONDS_PER_DAY + EPOCH).isoformat()
        moment = _parse_iso(f"{written} {clock[1]}" if clock else written)
    return moment if moment is not None and FIRST_DAY <= moment // MICROSECONDS_PER_DAY <= LAST_DAY else None


def _parse_iso(text: str) -> int | None:
    """2024-03-01, and 2024-03-01 13:45, with T or a space, seconds and their fraction, Z or an offset."""
    if not ISO_DATE.match(text):
        return None
    text = text.replace("T", " ", 1)
    for form in ("%Y-%m-%d", *(f"%Y-%m-%d {clock}" for clock in TIME_FORMATS)):
        moment = scan(text, form)
        if moment is not None:
            return moment
    zoned = f"{text[:-1]}+00:00" if text.endswith("Z") else text
    zoned = re.sub(rf"\A([^{SPACE}]+ \d{{1,2}}:\d{{2}}) ?([+-])", r"\1:00\2", zoned)
    return scan(zoned, f"%Y-%m-%d {TIME_FORMATS[0]}%z")


def scan(text: str, form: str) -> int | None:
    """Microseconds since 1970 of a text in a format; None if it does not fit or is no date."""
    parts: dict[str, int] = {"fraction": 0, "offset": 0}
    for item in DIRECTIVE.findall(form):
        rest = _scan_item(item, text, parts)
        if rest is None:
            return None
        text = rest
    return None if text else _moment(parts)


def _scan_item(item: str, text: str, parts: dict[str, int]) -> str | None:
    """Read one item of a format from the beginning of the text into the parts, and return the rest of the text."""
    if item in DIGITS:
        match = re.match(rf"[{SPACE}]*(\+?[0-9]+)" if item == "%Y" else rf"[{SPACE}]*([0-9]+)", text)
        if not match:
            return None
        end = match.end(1) if "+" in match[1] else min(match.end(1), match.start(1) + DIGITS[item])
        parts[item] = int(text[match.start(1) : end])
        return text[end:]
    if item in ("%b", "%B"):
        short = text[:3].lower()
        month = next((k for k, name in enumerate(MONTHS) if text[:3].isascii() and name[:3] == short), None)
        if month is None:
            return None
        parts["%m"], name = month + 1, MONTHS[month]
        is_long = item == "%B" and text[: len(name)].isascii() and text[: len(name)].lower() == name
        return text[len(name) :] if is_long else text[3:]
    if item == "%p":
        parts["%p"] = {"am": 0, "pm": 1}.get(text[:2].lower() if text[:2].isascii() else "", -1)
        return None if parts["%p"] < 0 else text[2:]
    if item == "%.f":
        fraction = re.match(r"\.([0-9]+)", text)
        if fraction:
            parts["fraction"] = int(f"{fraction[1][:6]:0<6}")
        return text[fraction.end() :] if fraction else (None if text.startswith(".") else text)
    if item == "%z":
        zone = ZONE.match(text)
        if not zone:
            return None
        minutes = int(zone[2]) * 60 + int(zone[3])
        parts["offset"] = minutes if zone[1] == "+" else -minutes
        return text[zone.end() :] if minutes < 24 * 60 else None
    if item.strip(SPACES) == "":
        return text.lstrip(SPACES)
    return text[len(item) :] if text.startswith(item) else None


def _moment(parts: dict[str, int]) -> int | None:
    """Microseconds since 1970 of the parts of a date and time."""
    year = parts["%Y"] if "%Y" in parts else parts["%y"] + (2000 if parts["%y"] < 70 else 1900)
    hour, half = parts.get("%H", 0), parts.get("%p", 0)
    if "%I" in parts:
        if not 1 <= parts["%I"] <= 12:
            return None
        hour = parts["%I"] % 12 + 12 * half
    minute, second = parts.get("%M", 0), parts.get("%S", 0)
    if not (1 <= year <= 9999 and hour < 24 and minute < 60 and second <= 60):
        return None
    try:
        days = date(year, parts["%m"], parts.get("%d", 1)).toordinal() - EPOCH
    except ValueError:
        return None
    seconds = (hour * 60 + minute - parts["offset"]) * 60 + second
    return days * MICROSECONDS_PER_DAY + seconds * 1_000_000 + parts["fraction"]
