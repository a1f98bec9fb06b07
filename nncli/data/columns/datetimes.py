"""Infer the format of dates in text, and parse them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from math import floor
from typing import Literal, NamedTuple

import polars as pl

from nncli.data.dialect import AUTO
from nncli.data.number_and_date_forms import (
    DATE_FORMATS,
    FIRST_DAY,
    ISO,
    LAST_DAY,
    MICROSECONDS_PER_DAY,
    MONTH_FORMATS,
    ORDERS,
    TIME_FORMATS,
    YEAR_FIRST_OR_NAMED,
    orders_of,
)

DATE_LIKE = r"^\s*(?:\d{1,4}[-./ ]|[A-Za-z]{3,9} )\w{1,9}(?:[-./ ]|, )\d{1,4}"
MONTH_LIKE = r"^\s*(?:\d{4}[-/]\d{1,2}|\d{1,2}[-/]\d{4}|[A-Za-z]{3,9}[- ]\d{4})\s*$"
FIRST_CELLS = 1000
ISO_DATE = r"^\d{4}-\d{2}-\d{2}(?:[T ]|$)"
EIGHT_DIGITS = r"^\s*[12]\d{7}(?:[T ]|\s*$)"
TIME_OF_DAY = r"[T ]+(\d{1,2}:\d{2}.*)$"
EPOCH, UNITS_OF_A_DAY = datetime(1970, 1, 1), {"minutes": 1_440, "seconds": 86_400}


def date_text(days: float, precision: Literal["days", "minutes", "seconds"] = "days") -> str:
    """Days since 1970 as a date in ISO 8601, with the time of day to the minute or the second."""
    if precision == "days":
        return (EPOCH + timedelta(min(max(floor(days), FIRST_DAY), LAST_DAY))).date().isoformat()
    units = UNITS_OF_A_DAY[precision]
    whole = min(max(round(days * units), FIRST_DAY * units), (LAST_DAY + 1) * units - 1)
    return (EPOCH + timedelta(**{precision: whole})).isoformat(" ", precision)


def parse_dates(cells: pl.Series, date_format: str = ISO) -> pl.Series:
    """Parse text as microseconds since 1970 (Int64), null where it is not a date of the years 1 to 9999 in that format.

    The format is ISO, or one that dialect.py allows. If it has no day, this is the first of the month; if it has no
    time, a time of day may follow the date. A time with a time zone is converted to UTC.
    """
    text = cells.str.strip_chars()
    if "%Y" in date_format:
        text = text.set(~text.str.contains(r"\d{4}"), None)  # 01.02.24 is not of the year 24
    if date_format == ISO:
        moments = _parse_iso(text)
    elif "%M" in date_format:
        moments = _parse_as(date_format)(text)
    else:
        clock = text.str.extract(TIME_OF_DAY)
        days = text.str.replace(TIME_OF_DAY, "")
        if "%d" not in date_format:
            days, date_format = "1 " + days, f"%d {date_format}"
        days = days.str.to_date(date_format, strict=False)
        moments = _parse_iso(days.dt.to_string("%Y-%m-%d") + (" " + clock).fill_null(""))
    return moments.set(
        ~moments.is_between(FIRST_DAY * MICROSECONDS_PER_DAY, (LAST_DAY + 1) * MICROSECONDS_PER_DAY - 1), None
    )


def _parse_iso(text: pl.Series) -> pl.Series:
    """2024-03-01, and 2024-03-01 13:45, with T or a space, seconds and their fraction, Z or an offset."""
    text = text.set(~text.str.contains(ISO_DATE), None).str.replace("T", " ", literal=True)
    moments = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).to_physical()
    for clock in TIME_FORMATS:
        moments = _fill_from(moments, text, _parse_as(f"%Y-%m-%d {clock}"))
    if moments.null_count() == text.null_count():
        return moments
    zoned = text.str.replace("Z$", "+00:00").str.replace(r"^(\S+ \d{1,2}:\d{2}) ?([+-])", "$1:00$2")
    return _fill_from(moments, zoned, _parse_as(f"%Y-%m-%d {TIME_FORMATS[0]}%z"))


def _parse_as(date_format: str) -> Callable[[pl.Series], pl.Series]:
    return lambda text: text.str.to_datetime(date_format, strict=False, time_unit="us").to_physical()


def parse_any_date(cells: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Parse text as `parse_dates` does, in the first of the formats that fits, or in another one without ambiguity.

    Unambiguous are dates with the year first (also 20240531) or the month by name, and others if only one order of day
    and month is possible. If one of the `formats` has the separator of a cell, its order applies.
    """
    moments = parse_dates(cells, formats[0])
    for form in dict.fromkeys((*formats[1:], *YEAR_FIRST_OR_NAMED)):
        moments = _fill_from(moments, cells, lambda rest, form=form: parse_dates(rest, form))  # type: ignore[misc]
    moments = _fill_from(moments, cells, _parse_compact)
    orders = orders_of(formats)
    return _fill_from(moments, cells, lambda rest: _parse_year_last(rest, orders))


def _fill_from(moments: pl.Series, cells: pl.Series, parse: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Fill the null moments of cells that are not missing by `parse`."""
    if moments.null_count() == cells.null_count():
        return moments
    missing = moments.is_null() & cells.is_not_null()
    return moments.scatter(missing.arg_true(), parse(cells.filter(missing)))


def _parse_compact(cells: pl.Series) -> pl.Series:
    """Parse eight digits such as 20240531."""
    return parse_dates(cells.set(~cells.str.contains(EIGHT_DIGITS), None), "%Y%m%d")


def _parse_year_last(cells: pl.Series, orders: Mapping[str, str]) -> pl.Series:
    """Parse dates such as 13/05/2024, null where day and month could be in either order."""
    moments = pl.Series(cells.name, [None] * len(cells), dtype=pl.Int64)
    for separator, forms in ORDERS.items():
        order = orders.get(separator)
        readings = [parse_dates(cells, form) for form in ([order] if order else forms)]
        first, last = readings[0], readings[-1]
        either = first.zip_with(first.is_not_null(), last)
        unambiguous = either.set((first != last).fill_null(False), None)
        moments = moments.zip_with(moments.is_not_null(), unambiguous)
    return moments


class InferredFormats(NamedTuple):
    """The date formats of a column, the most common first; none if it does not hold dates.

    `is_ambiguous` columns hold dates whose day and month could be in either order.
    """

    formats: tuple[str, ...] = ()
    is_ambiguous: bool = False


def infer_date_formats(cells: pl.Series, configured: str = AUTO) -> InferredFormats:
    """The formats in which more than half of the present cells are dates, as few as possible.

    The order of day and month is the same for all cells with the same separator. If no cell of a separator decides it,
    cells with another separator do. The `configured` format takes precedence.
    """
    present = cells.drop_nulls()
    form = infer_date_format(present, configured)
    if form is not None and _count_parsed(present, form) == len(present):
        return InferredFormats((form,))
    if not _is_shaped(present, DATE_LIKE):
        form = infer_month_format(present) if form is None else form
        return InferredFormats(() if form is None else (form,))
    chosen = [] if configured == AUTO or not _count_parsed(present, configured) else [configured]
    counts = {f: _count_parsed(present, f) for f in dict.fromkeys((*chosen, ISO, *DATE_FORMATS))}
    orders, is_ambiguous = _infer_orders(present, orders_of(chosen))
    rejected = {f for separator, forms in ORDERS.items() for f in forms if f != orders.get(separator)}
    forms = [f for f, count in counts.items() if count and (f in chosen or f not in rejected)]
    forms.sort(key=lambda f: (f not in chosen, -counts[f]))
    covered = parse_any_date(present, forms).count() if forms else 0
    if form is None and is_ambiguous:
        return InferredFormats(is_ambiguous=2 * max(covered, *counts.values()) > len(present))
    if is_ambiguous or 2 * covered <= len(present) or (form is not None and covered <= counts.get(form, 0)):
        return InferredFormats(() if form is None else (form,))
    return InferredFormats(tuple(forms))


def _infer_orders(present: pl.Series, orders_so_far: Mapping[str, str]) -> tuple[dict[str, str], bool]:
    """The format with the year last of each separator, by evidence in the cells, and whether one is ambiguous.

    It is if no cell decides it, or if cells contradict each other. A point decides nothing about other separators.
    """
    orders, open_separators, is_contradictory = dict(orders_so_far), [], False
    for separator in [separator for separator in ORDERS if separator not in orders_so_far]:
        readings = [parse_dates(present, form) for form in ORDERS[separator]]
        first, last = readings[0], readings[-1]
        if not first.count() and not last.count():
            continue
        only_first = (first.is_not_null() & last.is_null()).any()
        only_last = (last.is_not_null() & first.is_null()).any()
        if only_first and only_last:
            is_contradictory = True
        elif only_first or only_last or (first == last).all():
            orders[separator] = ORDERS[separator][-1 if only_last else 0]
        else:
            open_separators.append(separator)
    days_first = {
        form.startswith("%d") for separator, form in orders.items() if separator in orders_so_far or separator != "."
    }
    if len(days_first) == 1:
        orders |= {separator: ORDERS[separator][0 if True in days_first else -1] for separator in open_separators}
    return orders, is_contradictory or any(separator not in orders for separator in open_separators)


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


def infer_month_format(present: pl.Series) -> str | None:
    """The format in which more than half of the cells are months, and so are all that look like one; None without one.

    So are more than half of the first ones, which tells most columns apart. Cells such as 2009/10 that are all a
    year and the next are seasons.
    """
    if not (_is_shaped(present.head(FIRST_CELLS), MONTH_LIKE) and _is_shaped(present, MONTH_LIKE)):
        return None
    shaped = present.filter(present.str.contains(MONTH_LIKE))
    form = next((f for f in MONTH_FORMATS if _count_parsed(shaped, f) == len(shaped)), None)
    if form is not None and form.startswith("%Y"):
        year, month = shaped.str.extract_groups(r"(\d{4}).(\d+)").struct.unnest().cast(pl.Int64).get_columns()
        return None if (month == (year + 1) % 100).all() else form
    return form


def is_ambiguous_date(cells: pl.Series) -> bool:
    """Whether the cells are dates with day and month in either order."""
    return infer_date_formats(cells).is_ambiguous


def _count_parsed(present: pl.Series, date_format: str) -> int:
    return len(present) - parse_dates(present, date_format).null_count()


def _candidate_formats(present: pl.Series, configured: str) -> list[str]:
    """Formats whose pattern more than half of the cells match; the `configured` format alone if it fits."""
    if configured != AUTO and 2 * _count_parsed(present, configured) > len(present):
        return [configured]

    if not _is_shaped(present, DATE_LIKE):
        return []
    if _is_shaped(present, pattern_of(ISO)):
        return [ISO]
    return [form for form in DATE_FORMATS if _is_shaped(present, pattern_of(form))]


def _is_shaped(present: pl.Series, pattern: str) -> bool:
    """Whether more than half of the cells match a pattern."""
    return bool(2 * present.str.contains(pattern).sum() > len(present))


def pattern_of(date_format: str) -> str:
    """A regular expression of cells that may be dates in that format."""
    if date_format == ISO:
        return rf"^\s*{ISO_DATE[1:]}"
    parts = {"%Y": r"\d{4}", "%m": r"\d{1,2}", "%d": r"\d{1,2}", "%B": "[A-Za-z]{3,9}"}
    date = re.sub("%[YmdB]", lambda match: parts[match[0]], re.escape(date_format))
    return rf"^\s*{date}(?:[T ]|$)"
