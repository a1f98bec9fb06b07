"""Dates in text as days since 1970, as nncli/data/columns/datetimes.py reads them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache

from nncli.data.grammar import (
    FIRST_DAY,
    ISO,
    LAST_DAY,
    LAST_MOMENT,
    MICROSECONDS_PER_DAY,
    ORDERS,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    orders_of,
)
from nncli.export.python.standalone.texts import SPACE, SPACES

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
        found = re.match(rf"[{SPACE}]*(\+?[0-9]+)" if item == "%Y" else rf"[{SPACE}]*([0-9]+)", text)
        if not found:
            return None
        end = found.end(1) if "+" in found[1] else min(found.end(1), found.start(1) + DIGITS[item])
        parts[item] = int(text[found.start(1) : end])
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
        days = date(year, parts["%m"], parts["%d"]).toordinal() - EPOCH
    except ValueError:
        return None
    seconds = (hour * 60 + minute - parts["offset"]) * 60 + second
    return days * MICROSECONDS_PER_DAY + seconds * 1_000_000 + parts["fraction"]
