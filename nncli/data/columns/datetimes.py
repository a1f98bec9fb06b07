"""Infer the format of dates in text, and parse them."""

from __future__ import annotations

import re

import polars as pl

from nncli.data.dialect import AUTO

ISO = "iso"
DATE_FORMATS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %B %Y", "%d-%B-%Y", "%B %d %Y", "%B %d, %Y"),
)
"""Formats that are inferred, besides ISO 8601. Of two formats of the same pattern the one that fits more cells is used;
with dots the day comes first; names of months may be abbreviated."""
DATE_LIKE = r"^\s*(?:\d{1,4}[-./ ]|[A-Za-z]{3,9} )\w{1,9}(?:[-./ ]|, )\d{1,4}"
ISO_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
TIME_OF_DAY = r"[T ]+(\d{1,2}:\d{2}.*)$"
TIME_FORMATS = ("%H:%M:%S%.f", "%H:%M", "%I:%M:%S %p", "%I:%M %p")
MICROSECONDS_PER_DAY = 86_400_000_000
"""Microseconds."""
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""Days since 1970 of the first of January of year 1 and the last of December of year 9999."""


def parse_dates(cells: pl.Series, date_format: str = ISO) -> pl.Series:
    """Parse text as microseconds since 1970 (Int64), null where it is not a date of the years 1 to 9999 in that format.

    The format is ISO, or one that dialect.py allows. If it has no time, a time of day may follow the date. A time with
    a time zone is converted to UTC.
    """
    text = cells.str.strip_chars()
    if "%Y" in date_format:
        text = text.set(~text.str.contains(r"\d{4}"), None)  # 01.02.24 is not of the year 24
    if date_format == ISO:
        moments = _parse_iso(text)
    elif "%M" in date_format:
        moments = text.str.to_datetime(date_format, strict=False, time_unit="us").to_physical()
    else:
        clock = text.str.extract(TIME_OF_DAY)
        days = text.str.replace(TIME_OF_DAY, "").str.to_date(date_format, strict=False)
        moments = _parse_iso(days.dt.to_string("%Y-%m-%d") + (" " + clock).fill_null(""))
    return moments.set(
        ~moments.is_between(FIRST_DAY * MICROSECONDS_PER_DAY, (LAST_DAY + 1) * MICROSECONDS_PER_DAY - 1), None
    )


def _parse_iso(text: pl.Series) -> pl.Series:
    """2024-03-01, and 2024-03-01 13:45, with T or a space, seconds and their fraction, Z or an offset."""
    text = text.set(~text.str.contains(ISO_DATE), None).str.replace("T", " ", literal=True)
    moments = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).to_physical()
    for clock in TIME_FORMATS:
        moments = _fill_missing(moments, text, f"%Y-%m-%d {clock}")
    if moments.null_count() == text.null_count():
        return moments
    zoned = text.str.replace("Z$", "+00:00").str.replace(r"^(\S+ \d{1,2}:\d{2}) ?([+-])", "$1:00$2")
    return _fill_missing(moments, zoned, f"%Y-%m-%d {TIME_FORMATS[0]}%z")


def _fill_missing(moments: pl.Series, text: pl.Series, date_format: str) -> pl.Series:
    """Fill null moments by parsing the text in another format."""
    if moments.null_count() == text.null_count():
        return moments
    return moments.zip_with(
        moments.is_not_null(), text.str.to_datetime(date_format, strict=False, time_unit="us").to_physical()
    )


def infer_date_format(cells: pl.Series, configured: str = AUTO) -> str | None:
    """The format that fits more than half of the present cells; None if there is none, or two that fit equally well.

    The `configured` one takes precedence.
    """
    present = cells.drop_nulls()
    fits = {form: _count_parsed(present, form) for form in _candidate_formats(present, configured)}
    best = [form for form, count in fits.items() if count == max(fits.values())]
    if not best or 2 * fits[best[0]] <= len(present):
        return None
    return best[0] if len(best) == 1 or best[0] == configured else None


def is_ambiguous_date(cells: pl.Series) -> bool:
    """Whether the dates fit two formats equally well, with day and month in either order."""
    present = cells.drop_nulls()
    likely = _candidate_formats(present, AUTO)
    return (
        len(likely) == 2 and infer_date_format(present) is None and 2 * _count_parsed(present, likely[0]) > len(present)
    )


def _count_parsed(present: pl.Series, date_format: str) -> int:
    return len(present) - parse_dates(present, date_format).null_count()


def _candidate_formats(present: pl.Series, configured: str) -> list[str]:
    """Formats whose pattern more than half of the cells match; the `configured` format alone if it fits."""
    if configured != AUTO and 2 * _count_parsed(present, configured) > len(present):
        return [configured]

    def shaped(pattern: str) -> bool:
        return bool(2 * present.str.contains(pattern).sum() > len(present))

    if not shaped(DATE_LIKE):
        return []
    if shaped(rf"^\s*{ISO_DATE[1:]}"):
        return [ISO]
    return [form for form in DATE_FORMATS if shaped(_pattern_of(form))]


def _pattern_of(date_format: str) -> str:
    """A regular expression of cells that may be dates in that format."""
    parts = {"%Y": r"\d{4}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%B": "[A-Za-z]{3,9}"}
    date = re.sub("%[YmdB]", lambda found: parts[found[0]], re.escape(date_format))
    return rf"^\s*{date}(?:[T ]|$)"
