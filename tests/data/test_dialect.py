from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nncli.data.columns.datetimes import parse_dates
from nncli.data.dialect import PLAIN_NUMBERS, CsvDialect


@pytest.mark.parametrize("encoding", ["auto", "utf-8", "UTF8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "cp037"])
def test_any_text_encoding_may_be_named(encoding: str) -> None:
    assert CsvDialect(encoding=encoding).encoding == encoding


@pytest.mark.parametrize(
    "encoding", ["", "latin-17", "rot13", "base64", "idna", "unicode_escape", "a\0b", "../x", "zip"]
)
def test_what_is_no_text_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match="unknown encoding"):
        CsvDialect(encoding=encoding)


@pytest.mark.parametrize(
    "settings",
    [
        {"separator": ""},
        {"separator": ";;"},
        {"separator": '"'},
        {"separator": "\n"},
        {"separator": "a"},
        {"separator": "7"},
        {"separator": "§"},
        {"decimal": ";"},
        {"thousands": ""},
        {"thousands": "0"},
        {"thousands": "-"},
        {"thousands": ",", "decimal": ","},
    ],
)
def test_marks_that_would_make_nonsense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CsvDialect(**settings)


@pytest.mark.parametrize(
    ("settings", "mark"),
    [
        ({}, "auto"),
        ({"decimal": ","}, ","),
        ({"thousands": "."}, ","),
        ({"thousands": ","}, "."),
        ({"thousands": " "}, "auto"),
        ({"thousands": " ", "decimal": ","}, ","),
    ],
)
def test_thousands_leave_only_the_other_mark(settings: dict[str, Any], mark: str) -> None:
    dialect = CsvDialect(**settings)
    assert dialect.decimal_mark == mark
    assert dialect.resolved().decimal == ("." if mark == "auto" else mark)


def test_plain_is_how_computers_spell_numbers() -> None:
    assert PLAIN_NUMBERS.has_plain_numbers
    assert CsvDialect().resolved() == PLAIN_NUMBERS
    assert not CsvDialect(decimal=",").has_plain_numbers
    assert not CsvDialect(decimal=".", thousands="'").has_plain_numbers


@pytest.mark.parametrize(
    "form",
    ["auto", "%d.%m.%Y", "%m/%d/%y %I:%M %p", "%d %B %Y %H:%M:%S%.f %z", "%Y%m%d", "%b %d, %Y", "%Y-%m", "%B %Y"],
)
def test_a_form_of_dates_has_year_and_month(form: str) -> None:
    assert CsvDialect(date_format=form).date_format == form
    assert form == "auto" or parse_dates(pl.Series(["x", None]), form).to_list() == [None, None]


@pytest.mark.parametrize(
    "form",
    [
        "",
        "iso",
        "%",
        "%d.%m",
        "%Y",
        "%Y-%m %H:%M",
        "%d.%m.%Y %H",
        "%I:%M %d.%m.%Y",
        "%Y-%m-%d %Y",
        "%F",
        "%Y-%m-%d %Q",
        "%Y-%m-%d %",
    ],
)
def test_any_other_form_of_dates_is_refused(form: str) -> None:
    with pytest.raises(ValidationError, match="a date format has"):
        CsvDialect(date_format=form)


@given(st.text(st.sampled_from("%YymdbBHIMSpz.f -/x"), max_size=20))
def test_no_form_that_is_allowed_breaks_the_reader(form: str) -> None:
    try:
        CsvDialect(date_format=form)
    except ValidationError:
        return
    parse_dates(pl.Series(["2024-01-02", "1.2.24 3:04"]), form)
