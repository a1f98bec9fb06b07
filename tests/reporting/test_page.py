"""How names and numbers are shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nncli.reporting.page import Cell, Table, number, percent, shown


@given(st.text())
def test_any_name_is_one_short_line_that_turns_nothing(name: str) -> None:
    text = shown(name)
    assert "\n" not in text
    assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\x1b\x00")
    assert len(text) <= 62
    assert shown(text) == text or len(name) > 60


def test_what_reads_from_right_to_left_keeps_to_itself() -> None:
    assert shown("العمر") == "\u2068العمر\u2069"
    assert shown("age") == "age"


def test_a_long_name_is_cut() -> None:
    assert shown("n" * 100, 10) == "nnnnnnnnn…"


def test_numbers_have_four_digits_and_a_word_for_what_is_none() -> None:
    assert [number(value) for value in (None, float("nan"), 0.0, 1e-20)] == ["–", "–", "0", "0"]
    assert [number(value) for value in (0.123456, 1234.5, 123456.7, 1e20)] == ["0.1235", "1234", "123,457", "1e+20"]
    assert [number(value) for value in (-0.5, float("inf"), float("-inf"))] == ["−0.5", "∞", "−∞"]


def test_a_share_is_never_rounded_to_all_or_none() -> None:
    shares = (0.0, 1e-9, 0.125, 0.9999999, 1.0)
    assert [percent(share) for share in shares] == ["0 %", "< 0.1 %", "12.5 %", "> 99.9 %", "100 %"]


def test_text_in_a_table_is_a_cell() -> None:
    assert Table("t", ("a", "b"), (("x", Cell("1", 0.5)),)).cells == ((Cell("x"), Cell("1", 0.5)),)
