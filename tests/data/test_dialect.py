from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from nncli.data.dialect import PLAIN, CsvDialect


@pytest.mark.parametrize("encoding", ["auto", "utf-8", "UTF8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "cp037"])
def test_any_text_encoding_may_be_named(encoding: str) -> None:
    assert CsvDialect(encoding=encoding).encoding == encoding


@pytest.mark.parametrize(
    "encoding", ["", "latin-17", "rot13", "base64", "idna", "unicode_escape", "a\0b", "../x", "zip"]
)
def test_what_is_no_text_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(ValidationError, match="no text encoding"):
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
    assert dialect.mark == mark
    assert dialect.settled().decimal == ("." if mark == "auto" else mark)


def test_plain_is_how_computers_spell_numbers() -> None:
    assert PLAIN.plain
    assert CsvDialect().settled() == PLAIN
    assert not CsvDialect(decimal=",").plain
    assert not CsvDialect(decimal=".", thousands="'").plain
