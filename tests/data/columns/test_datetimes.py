from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import chain

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.datetimes import (
    date_doubt,
    infer_date_format,
    infer_date_formats,
    infer_month_format,
    parse_any_date,
    parse_dates,
)
from nncli.data.number_and_date_forms import DATE_FORMATS, ISO, MONTH_FORMATS, SHORT_NAMED, SHORT_ORDERS
from nncli.data.number_and_date_forms import MICROSECONDS_PER_DAY as DAY


def is_ambiguous_date(cells: pl.Series) -> bool:
    return infer_date_formats(cells).is_ambiguous


DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
EPOCH = datetime(1970, 1, 1)


def texts(*cells: str | None) -> pl.Series:
    return pl.Series("when", cells, dtype=pl.String)


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@pytest.mark.slow
@given(st.lists(st.datetimes(), min_size=1, max_size=20), st.sampled_from([" ", "T"]))
def test_a_moment_comes_back_from_iso_8601(moments: list[datetime], between: str) -> None:
    cells = texts(*(moment.isoformat(between) for moment in moments))
    assert parse_dates(cells).to_list() == [micros(moment) for moment in moments]
    assert infer_date_format(cells) == ISO


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-14 * 60, 14 * 60))
def test_an_offset_is_taken_off_whatever_it_is(moment: datetime, minutes: int) -> None:
    there = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    here = there.astimezone(UTC).replace(tzinfo=None)
    assert parse_dates(texts(there.isoformat(), f"{here.isoformat()}Z")).to_list() == [micros(here)] * 2


@pytest.mark.slow
@given(st.lists(DAYS, min_size=1, max_size=20), st.sampled_from(DATE_FORMATS))
def test_a_day_comes_back_from_every_form_that_is_found_out(days: list[date], form: str) -> None:
    cells = texts(
        *(
            form.replace("%Y", f"{d.year:04}")
            .replace("%m", f"{d.month}")
            .replace("%d", f"{d.day}")
            .replace("%B", f"{d:%b}")
            for d in days
        )
    )
    assert parse_dates(cells, form).to_list() == [(d - EPOCH.date()).days * DAY for d in days]
    assert infer_date_format(cells, form) == form
    assert infer_date_format(cells) in (form, None)
    # 1/1/2000 is the same day in either order: no format is inferred, and nothing is ambiguous
    same_either_way = all(day.day == day.month for day in days)
    assert is_ambiguous_date(cells) == (infer_date_format(cells) is None and not same_either_way)


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (("2024-02-29", None, "1999-01-01 00:00"), ISO),
        (("31.12.2024", "1.2.2024 7:05", None), "%d.%m.%Y"),
        (("01.02.2024",), "%d.%m.%Y"),
        (("1/2/2024", "31/12/2024"), "%d/%m/%Y"),
        (("1/2/2024", "12/31/2024 1:05 PM"), "%m/%d/%Y"),
        (("13-01-2024",), "%d-%m-%Y"),
        (("2024/1/2",), "%Y/%m/%d"),
        (("Jan 1 2000", "december 31 1999 10:00"), "%B %d %Y"),
        (("Jan 1, 2000",), "%B %d, %Y"),
        (("1-JAN-2000",), "%d-%B-%Y"),
        (("May the 4th 2000",), None),
        (("2024-02-29", "2024-03-01", "soon"), ISO),
        (("2024-02-29", "soon", "later", None), None),
        (("1.2.3", "1.2.4"), None),
        (("10.0.0.1",), None),
        (("14.08.2",), None),
        (("2024-13-01",), None),
        (("20240301",), None),
        ((None,), None),
        ((), None),
    ],
)
def test_the_form_is_the_one_in_which_most_cells_are_dates(cells: tuple[str | None, ...], form: str | None) -> None:
    assert infer_date_format(texts(*cells)) == form
    assert not is_ambiguous_date(texts(*cells))


def test_day_and_month_are_told_apart_by_one_cell_or_not_at_all() -> None:
    assert is_ambiguous_date(texts("3/4/2024", "5/6/2024", None))
    assert infer_date_format(texts("3/4/2024", "5/6/2024")) is None
    assert infer_date_format(texts("3/4/2024", "5/6/2024"), "%m/%d/%Y") == "%m/%d/%Y"
    assert infer_date_format(texts("3/4/2024", "13/6/2024")) == "%d/%m/%Y"
    assert infer_date_format(texts("3/4/2024", "13/6/2024"), "%m/%d/%Y") == "%d/%m/%Y", "what is wanted fits only half"


def test_a_form_may_have_months_by_name_clocks_and_zones() -> None:
    assert parse_dates(texts("12 Jun 1998", "12 Jun 1998 06:00", "12 June"), "%d %b %Y").to_list() == [
        10_389 * DAY,
        10_389 * DAY + DAY // 4,
        None,
    ]
    assert parse_dates(texts("6/12/98 6.30 pm"), "%m/%d/%y %I.%M %p").to_list() == [10_389 * DAY + 37 * DAY // 48]
    assert parse_dates(texts("1998-06-12 07:00 +0100"), "%Y-%m-%d %H:%M %z").to_list() == [10_389 * DAY + DAY // 4]
    assert parse_dates(texts("19980612"), "%Y%m%d").to_list() == [10_389 * DAY]


@pytest.mark.parametrize(
    "cell",
    [
        *("", " ", "x", "2023-02-29", "2024-02-30", "2024-5-1", "0000-01-01", "10000-01-01", "+2024-01-01"),
        *("2024-01-01 25:00", "2024-01-01 10", "2024-01-01T", "2024-01-01 10:00 Berlin", "2024-01-01x", "٢٠٢٤-٠١-٠١"),
    ],
)
def test_what_is_no_date_is_none(cell: str) -> None:
    assert parse_dates(texts(cell, "2024-01-01")).is_null().to_list() == [True, False]


@pytest.mark.parametrize("cell", ["01.02.24", "31.02.2024", "0.1.2024", "1.13.2024", "1.2.0", "1.2.20240"])
def test_what_is_no_date_of_a_form_is_none(cell: str) -> None:
    assert parse_dates(texts(cell), "%d.%m.%Y").to_list() == [None]


@pytest.mark.slow
@given(st.lists(st.none() | st.text(max_size=12) | st.from_regex(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}.{0,6}")))
def test_no_text_breaks_the_search_for_a_form(cells: list[str | None]) -> None:
    form = infer_date_format(texts(*cells))
    result = parse_dates(texts(*cells), form or ISO)
    assert len(result) == len(cells)
    assert form is None or 2 * result.count() > texts(*cells).count()


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (("2022-05-18", "18.05.2022", "May 18, 2022"), ("iso", "%d.%m.%Y", "%B %d, %Y")),
        (("2022-05-18", "18/05/2022", "05/06/2022"), ("%d/%m/%Y", "iso")),
        (("05/06/2022", "06/05/2022", "13-05-2022"), ("%d/%m/%Y", "%d-%m-%Y")),
        (("05/06/2022", "06/05/2022", "05-13-2022"), ("%m/%d/%Y", "%m-%d-%Y")),
        (("2022-05-18", "2022-05-19", "5/5/2022"), ("iso", "%d/%m/%Y")),
        (("2022-05-18", "2022-05-19", "abc"), ("iso",)),
        (("2022-05-18", "x", "18.05.2022", "y", "z"), ()),
        (("1.2.3", "1.4.5"), ()),
    ],
)
def test_dates_in_several_formats_are_read_if_each_has_one_meaning(
    cells: tuple[str, ...], formats: tuple[str, ...]
) -> None:
    assert infer_date_formats(texts(*cells)) == (formats, False, ())


@pytest.mark.parametrize(
    "cells",
    [
        ("05/06/2022", "06/05/2022"),
        ("2022-05-18", "05/07/2022", "05/06/2022"),
        ("05/06/2022", "13/05/2022", "05/13/2022"),  # they contradict each other
        ("05/06/2022", "13.05.2022", "2022-01-01"),  # a point decides nothing about a slash
    ],
)
def test_dates_are_ambiguous_if_no_cell_decides_or_two_contradict(cells: tuple[str, ...]) -> None:
    assert infer_date_formats(texts(*cells)) == ((), True, ("%d/%m/%Y", "%m/%d/%Y"))


def test_the_configured_format_decides_in_a_column_of_several() -> None:
    cells = texts("2022-05-18", "2022-05-17", "05/07/2022", "05/06/2022")
    assert infer_date_formats(cells, "%m/%d/%Y") == (("%m/%d/%Y", "iso"), False, ())


@pytest.mark.parametrize(
    ("formats", "cell", "day"),
    [
        (("%d.%m.%Y",), "2022-05-18", "2022-05-18"),
        (("%d.%m.%Y",), "18/05/2022", "2022-05-18"),
        (("%d.%m.%Y",), "05/18/2022", "2022-05-18"),
        (("%d.%m.%Y",), "05/05/2022", "2022-05-05"),
        (("%d.%m.%Y",), "05/06/2022", None),
        (("%d.%m.%Y",), "2022/5/18", "2022-05-18"),
        (("%d.%m.%Y",), "18 May 2022", "2022-05-18"),
        (("%d.%m.%Y",), "20220518", "2022-05-18"),
        (("%d.%m.%Y",), "20221318", None),
        (("%d.%m.%Y",), "220518", None),
        (("%d/%m/%Y",), "05/18/2022", None),  # read, it would hide that 05/06/2022 means something else
        (("%d/%m/%Y",), "05-06-2022", None),
        (("iso", "%m/%d/%Y"), "05/06/2022", "2022-05-06"),
        (("%m/%d/%y",), "05/06/2022", "2022-05-06"),
        (("%m/%d/%y",), "18/05/2022", None),
        (("iso",), "18.05.22", None),
        (("iso",), "soon", None),
    ],
)
def test_a_date_in_another_format_is_read_if_it_has_one_meaning(
    formats: tuple[str, ...], cell: str, day: str | None
) -> None:
    expected = None if day is None else micros(datetime.fromisoformat(day))
    assert parse_any_date(texts(cell, None), formats).to_list() == [expected, None]


@pytest.mark.slow
@given(st.lists(DAYS, min_size=1, max_size=20), st.data())
def test_unambiguous_dates_in_any_mixture_come_back(days: list[date], data: st.DataObject) -> None:
    forms = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y")

    def cell(day: date) -> str:
        form = data.draw(st.sampled_from(forms))
        year = form.replace("%Y", f"{day.year:04}")
        return day.replace(year=2000).strftime(year) if (day.month, day.day) != (2, 29) else day.isoformat()

    cells = texts(*map(cell, days))
    inferred = infer_date_formats(cells)
    assert not inferred.is_ambiguous
    assert parse_any_date(cells, inferred.formats).to_list() == [(d - EPOCH.date()).days * DAY for d in days]


@pytest.mark.slow
@given(st.lists(DAYS, min_size=1, max_size=20), st.sampled_from(MONTH_FORMATS))
def test_months_are_read_as_their_first_day(days: list[date], form: str) -> None:
    cells = texts(
        *(form.replace("%Y", f"{d.year:04}").replace("%m", f"{d.month:02}").replace("%B", f"{d:%b}") for d in days)
    )
    assert parse_dates(cells, form).to_list() == [(d.replace(day=1) - EPOCH.date()).days * DAY for d in days]
    are_seasons = form.startswith("%Y") and all(d.month == (d.year + 1) % 100 for d in days)
    assert infer_date_formats(cells).formats == (() if are_seasons else (form,))


@pytest.mark.parametrize(
    "cells",
    [
        ("2009/10", "2010/11"),
        ("2009-10", "2010-11", "2012-13"),
        ("2021-01", "2021-13"),
        ("2021-01", "May 2021"),
        ("1", "2021-01"),
    ],
)
def test_seasons_codes_and_mixtures_are_no_months(cells: tuple[str, ...]) -> None:
    assert infer_month_format(texts(*cells)) is None


def test_a_column_of_months_reads_days_too() -> None:
    assert parse_any_date(texts("2021-03", "2021-03-05", "March 2021"), ("%Y-%m",)).to_list() == [
        micros(datetime(2021, 3, 1)),
        micros(datetime(2021, 3, 5)),
        micros(datetime(2021, 3, 1)),
    ]
    assert parse_any_date(texts("March 2021", "2021-03"), (ISO,)).to_list() == [micros(datetime(2021, 3, 1)), None]


def spelled(day: date, form: str) -> str:
    parts = {"%y": f"{day.year % 100:02}", "%m": f"{day.month}", "%d": f"{day.day}", "%B": f"{day:%b}"}
    return re.sub("%[ymdB]", lambda match: parts[match[0]], form)


@pytest.mark.slow
@pytest.mark.parametrize("form", [*SHORT_NAMED, *chain(*SHORT_ORDERS.values())])
@pytest.mark.parametrize("first", [date(1970, 1, 1), date(1999, 12, 25), date(2024, 2, 29), date(2066, 12, 31)])
def test_dates_with_two_digit_years_of_three_years_come_back(form: str, first: date) -> None:
    days = [first + timedelta(11 * i) for i in range(100)]
    cells = texts(*(spelled(day, form) for day in days))
    inferred = infer_date_formats(cells)
    assert inferred.formats == (form,)
    assert parse_any_date(cells, inferred.formats).to_list() == [(d - EPOCH.date()).days * DAY for d in days]


@pytest.mark.parametrize(
    ("cells", "formats"),
    [
        (("14.08.24", "01.02.24"), ("%d.%m.%y",)),
        (("8/20/24", "1/2/24"), ("%m/%d/%y",)),
        (("27/02/24 14:05", "01/02/24 09:00"), ("%d/%m/%y",)),
        (("72-08-14", "03-04-05"), ("%y-%m-%d",)),
        (("14-08-72", "03-04-05"), ("%d-%m-%y",)),
        (("14-Aug-24",), ("%d-%B-%y",)),
        (("31/12/2024", "03/04/24", "05/06/24"), ("%d/%m/%y", "%d/%m/%Y")),
        (("2024-05-31", "8/20/24", "2024-06-01"), ("iso", "%m/%d/%y")),
        (("27/02/24 10:00:00.123456", "28/02/24 10:00:00.123456"), ("%d/%m/%y",)),
        (("1.4.0", "1.4.12", "1.5.13"), ()),
    ],
)
def test_the_column_decides_where_day_month_and_a_short_year_are(
    cells: tuple[str, ...], formats: tuple[str, ...]
) -> None:
    assert infer_date_formats(texts(*cells)) == (formats, False, ())


@pytest.mark.parametrize(
    ("cells", "readings"),
    [
        (("03/04/24", "05/06/24"), ("%d/%m/%y", "%m/%d/%y")),
        (("24-07-24", "24-07-23"), ("%d-%m-%y", "%y-%m-%d")),
        (("04-05-06", "01-02-03"), ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d")),
        (("2024-05-31", "03/04/2024", "2024-05-30", "04/05/2024"), ("%d/%m/%Y", "%m/%d/%Y")),
    ],
)
def test_each_reading_of_ambiguous_dates_can_be_set(cells: tuple[str, ...], readings: tuple[str, ...]) -> None:
    assert infer_date_formats(texts(*cells)) == ((), True, readings)
    for form in readings:
        assert parse_any_date(texts(*cells), infer_date_formats(texts(*cells), form).formats).null_count() == 0


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        (("03/04/24", "05/06/24"), (("%d/%m/%y", "%m/%d/%y"), "")),
        (("14 août 2024", "15 mai 2024", "x"), ((), "14 août 2024")),
        (("Aug-24", "Sep-24"), ((), "Aug-24")),
        (("31.02.24", "30.02.24", "29.02.24"), ((), "31.02.24")),
        (("2024-05-31", "2024-06-01", "never"), ((), "never")),
        (("red", "blue"), None),
        (("192.168.1.1", "192.168.1.20"), None),
        (("1.4.0", "1.4.12"), None),
        (("20-45-12", "30-90-88"), None),
        (("2009/10", "2010/11"), None),
        ((None,), None),
    ],
)
def test_what_looks_like_dates_and_is_none_is_doubted(
    cells: tuple[str | None, ...], doubt: tuple[tuple[str, ...], str] | None
) -> None:
    assert date_doubt(texts(*cells)) == doubt
