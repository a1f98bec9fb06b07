"""Dates are read as by nncli/data/columns/datetimes.py, which uses Polars."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import chain

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncli.data.columns import datetimes
from nncli.data.encoders.date import read_days
from nncli.data.number_and_date_forms import DATE_FORMATS, ISO, MICROSECONDS_PER_DAY, SHORT_NAMED, SHORT_ORDERS
from nncli.data.table import Table
from nncli.integrations.python.standalone.cells import days_of, parse_date, read_date

FORMATS = (
    *(
        ISO,
        *DATE_FORMATS,
        "%Y%m%d",
        *SHORT_NAMED,
        *chain(*SHORT_ORDERS.values()),
        "%d-%b-%y",
        "%b %d %Y",
        "%m/%d/%Y %H:%M",
    ),
    *("%d.%m.%Y %H:%M:%S%.f", "%d/%m/%y %I:%M:%S %p", "%Y-%m-%d %H:%M %z", "%d%m%Y", "%H:%M %d.%m.%Y", "(%d) %Y, %B"),
)
PIECES = (
    *("2024", "1969", "0001", "9999", "24", "70", "5", "05", "31", "29", "13", "12", "02", "0", "1", "00", "60"),
    *("-", "/", ".", ":", ", ", ",", " ", "  ", "T", "Z", "+", "+02:00", "-0930", "−05:00", "PM", "am", "p", ".5"),
    *(".123456789", "May", "sept", "December", "dec", "MARCH", "Mar", "\t", "\u3000", "\n", "٣", "x", "é", "\x1c"),
)


def spelled(moment: datetime) -> st.SearchStrategy[str]:
    """Spellings of a moment, most of which are dates."""
    forms = [form for form in FORMATS if form != ISO]
    written = [f"{moment:%Y-%m-%d}", *(moment.strftime(form.replace("%.f", ".%f")) for form in forms)]
    clocks = ("", f" {moment:%H:%M}", f"T{moment:%H:%M:%S}", f" {moment:%I:%M %p}", f" {moment:%H:%M:%S.%f}")
    zones = ("", "", "", "Z", " Z", "+02:00", " -0930", "+02")
    return st.builds(lambda *parts: "".join(parts), *map(st.sampled_from, (written, clocks, zones)))


@st.composite
def cells(draw: st.DrawFn) -> str:
    """Dates, dates with errors, and pieces of dates."""
    if draw(st.booleans()):
        return "".join(draw(st.lists(st.sampled_from(PIECES), max_size=9)))
    text = draw(spelled(draw(st.datetimes(datetime(1000, 1, 1)))))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(("", *PIECES))) + text[place + draw(st.integers(0, 2)) :]
    return text


@pytest.mark.slow
@given(st.lists(cells(), min_size=1, max_size=40), st.sampled_from(FORMATS))
@example(["01.02.24 12:00:00.1234", "1.2.2024", "2024-03-01 23:59:60.5"], "%d.%m.%Y")
def test_a_date_in_one_format_is_read_as_by_polars(texts: list[str], form: str) -> None:
    wanted = datetimes.parse_dates(pl.Series(texts, dtype=pl.String), form).to_list()
    assert dict(zip(texts, (parse_date(text, form) for text in texts), strict=True)) == dict(
        zip(texts, wanted, strict=True)
    )


@pytest.mark.slow
@given(
    st.lists(cells(), min_size=1, max_size=20), st.lists(st.sampled_from(FORMATS), min_size=1, max_size=3, unique=True)
)
def test_a_date_in_any_format_is_read_as_by_polars(texts: list[str], formats: list[str]) -> None:
    moments = datetimes.parse_any_date(pl.Series(texts, dtype=pl.String), formats).to_list()
    day = MICROSECONDS_PER_DAY
    wanted = [None if moment is None else moment // day + moment % day / day for moment in moments]
    assert [read_date(text, tuple(formats)) for text in texts] == wanted


@given(st.one_of(st.dates(), st.datetimes()))
def test_days_of_dates_and_times_are_those_of_polars(moment: date) -> None:
    table = Table(pl.DataFrame({"x": [moment]}), "t")
    assert [days_of(moment)] == read_days(table, "x", ["iso"]).tolist()


def test_a_time_zone_is_converted_to_utc() -> None:
    moment = datetime(2024, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert days_of(moment) == days_of(moment.astimezone(UTC).replace(tzinfo=None))
