"""Numbers, quotes and JSON values as text."""

from __future__ import annotations

from nncli.text import format_number, format_percent, json_safe


def test_numbers_have_four_digits_and_a_dash_for_undefined() -> None:
    assert [format_number(value) for value in (None, float("nan"), 0.0, 1e-20)] == ["–", "–", "0", "0"]
    assert [format_number(value) for value in (0.123456, 1234.5, 123456.7, 1e20)] == [
        "0.1235",
        "1,234",
        "123,457",
        "1e+20",
    ]
    assert [format_number(value) for value in (-0.5, float("inf"), float("-inf"))] == ["−0.5", "∞", "−∞"]


def test_a_share_is_never_rounded_to_all_or_none() -> None:
    shares = (0.0, 1e-9, 0.125, 0.9999999, 1.0)
    assert [format_percent(share) for share in shares] == ["0 %", "< 0.1 %", "12.5 %", "> 99.9 %", "100 %"]


def test_json_has_null_for_what_is_not_finite() -> None:
    nan, inf = float("nan"), float("inf")
    assert json_safe({"a": [1.0, nan], "b": (inf, "x", True, None, 2)}) == {
        "a": [1.0, None],
        "b": [None, "x", True, None, 2],
    }
