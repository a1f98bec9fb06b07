"""Names and cells of a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nncli.analysis.report.page import Cell, TableBlock, display


@given(st.text())
def test_any_name_is_one_short_line_without_direction_changes(name: str) -> None:
    text = display(name)
    assert "\n" not in text
    assert not set(text) & set("\u202a\u202b\u202d\u202e\u2066\u2067\x1b\x00")
    assert len(text) <= 62
    assert display(text) == text or len(name) > 60


def test_right_to_left_text_is_isolated() -> None:
    assert display("العمر") == "\u2068العمر\u2069"
    assert display("age") == "age"


def test_a_long_name_is_cut() -> None:
    assert display("n" * 100, 10) == "nnnnnnnnn…"


def test_text_in_a_table_is_a_cell() -> None:
    assert TableBlock("t", ("a", "b"), (("x", Cell("1", "1.2")),)).cells == ((Cell("x"), Cell("1", "1.2")),)
