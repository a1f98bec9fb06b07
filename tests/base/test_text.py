"""Numbers, quotes and JSON values as text."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import Location
from nncli.base.text import (
    INVISIBLE_LETTERS,
    MAX_QUOTE_LENGTH,
    closest_file,
    closest_match,
    escape_unprintable,
    format_number,
    format_percent,
    format_range,
    join_quoted,
    json_safe,
    near_names,
    percent_digits,
    quote,
    short_number,
)


def test_numbers_have_four_digits_and_a_dash_for_undefined() -> None:
    assert [format_number(value) for value in (None, float("nan"), 0.0, 1e-20)] == ["–", "–", "0", "0"]
    assert [format_number(value) for value in (0.123456, 1234.5, 9999.7, 123456.7, 1e20)] == [
        "0.1235",
        "1234",
        "10,000",
        "123,457",
        "1e+20",
    ]
    assert [format_number(value) for value in (-0.5, float("inf"), float("-inf"))] == ["−0.5", "∞", "−∞"]


def test_a_fraction_is_never_rounded_to_0_or_100_percent() -> None:
    shares = (0.0, 1e-9, 0.125, 0.9999999, 1.0)
    assert [format_percent(share) for share in shares] == ["0 %", "< 0.1 %", "12.5 %", "> 99.9 %", "100 %"]


def test_a_level_in_percent_has_two_digits_before_the_point() -> None:
    levels = (0.05, 0.07, 0.5, 0.025, 0.975, 0.1, 0.0005, 1e-7, 0.1 - 1e-14)
    assert [percent_digits(level) for level in levels] == [
        "05",
        "07",
        "50",
        "02.5",
        "97.5",
        "10",
        "00.05",
        "00.00001",
        "10",
    ]


def test_json_has_null_for_what_is_not_finite() -> None:
    nan, inf = float("nan"), float("inf")
    assert json_safe({"a": [1.0, nan], "b": (inf, "x", True, None, 2)}) == {
        "a": [1.0, None],
        "b": [None, "x", True, None, 2],
    }


HOSTILE = "a\x1b[31m\x07\r\x85\u200b\u202e\u2066\u2028\ud800b"


def test_plain_text_of_any_language_stays() -> None:
    for text in ("", "a b", "città", "漢字\u3000表", "می\u200cخواهم", "1\u202f000\xa0€", "👩\u200d🔬", r"C:\data"):
        assert escape_unprintable(text) == text


def test_line_ends_and_tabs_stay_by_default() -> None:
    assert escape_unprintable("a\n\tb") == "a\n\tb"
    assert escape_unprintable("a\n\tb\xa0", keep="") == r"a\n\tb\xa0"
    assert escape_unprintable("a\n\tb", keep="\t") == "a\\n\tb"


def test_control_characters_are_escaped() -> None:
    assert escape_unprintable(HOSTILE) == r"a\x1b[31m\x07\r\x85\u200b\u202e\u2066\u2028\ud800b"


@given(st.text(st.characters()))
def test_escaped_text_is_printable_and_escaped_once(text: str) -> None:
    shown = escape_unprintable(text, keep="")
    assert shown.isprintable()
    assert escape_unprintable(shown) == shown
    assert escape_unprintable(escape_unprintable(text)) == escape_unprintable(text)


def test_a_quote_is_short_and_harmless() -> None:
    assert quote("a b") == "'a b'"
    assert quote(3) == "'3'"
    assert quote("x" * MAX_QUOTE_LENGTH) == f"'{'x' * MAX_QUOTE_LENGTH}'"
    assert quote("x" * (MAX_QUOTE_LENGTH + 1)) == f"'{'x' * (MAX_QUOTE_LENGTH - 1)}…'"
    assert quote(HOSTILE).isprintable()


def test_a_misspelled_word_has_a_closest_match() -> None:
    assert closest_match("adm", ["sgd", "adam"]) == "adam"
    assert closest_match("zzz", ["sgd", "adam"]) is None
    assert closest_match("adam", []) is None


def test_a_common_file_ending_makes_no_closest_match() -> None:
    assert closest_file("nope.csv", ["test.csv", "one.csv"]) is None
    assert closest_file("trian.csv", ["test.csv", "train.csv"]) == "train.csv"
    assert closest_file("train.cvs", ["test.csv", "train.csv"]) == "train.csv"
    assert closest_file("train", ["test.csv", "train.csv"]) == "train.csv"


def test_words_are_joined_into_a_list() -> None:
    assert join_quoted([]) == ""
    assert join_quoted(["a"]) == "'a'"
    assert join_quoted(["a", "b"]) == "'a' and 'b'"
    assert join_quoted(["a", "b", "c"]) == "'a', 'b' and 'c'"
    assert join_quoted("abcd", max_words=2) == "'a', 'b' and 2 more"
    assert join_quoted(iter("ab"), max_words=2) == "'a' and 'b'"


@given(st.text(min_size=1))
def test_a_name_is_near_itself_in_any_case_and_with_spaces(name: str) -> None:
    assert near_names(name, [name]) == [name]
    if name.isascii() and name.isalnum():
        assert near_names(name, [name.upper(), f" {name} ", f"\ufeff{name}"]) == [
            name.upper(),
            f" {name} ",
            f"\ufeff{name}",
        ]


def test_names_without_letters_are_near_themselves_only() -> None:
    assert near_names("*", ["*", "#", ""]) == ["*"]
    assert closest_match("REGION", ["region", "other"]) == "region"


@given(st.floats(-1e14, 1e14))
def test_short_numbers_are_within_half_a_percent_and_no_longer_than_six_characters(value: float) -> None:
    text = short_number(value)
    units = {"k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
    number = float(text.rstrip("kMBT").replace("−", "-"))
    assert number * units.get(text[-1], 1.0) == pytest.approx(value, rel=5.1e-3, abs=1e-12)
    if not 0 < abs(value) < 1e-3:
        assert len(text.removeprefix("−")) <= 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"), (float("inf"), "∞"), (0.0, "0"), (0.8164, "0.816"), (0.99981, "0.9998"), (999.4, "999"),
        (999.6, "1000"), (9999.4, "9999"), (9999.6, "10k"), (999_999.0, "1M"), (-1_512_345.0, "−1.51M"),
        (2e15, "2e+15"),
    ],
)  # fmt: skip
def test_short_numbers(value: float | None, text: str) -> None:
    assert short_number(value) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        ("1", "2", "1–2"),
        ("0 %", "1.5 %", "0–1.5 %"),
        ("97.1 %", "> 99.9 %", "97.1 % to > 99.9 %"),
        ("–", "3", "– to 3"),
    ],
)
def test_ranges(low: str, high: str, text: str) -> None:
    assert format_range(low, high) == text


@given(st.binary(min_size=1, max_size=9).filter(lambda name: b"\0" not in name and b"/" not in name))
def test_a_path_that_is_not_utf_8_is_shown_by_its_bytes_everywhere(name: bytes) -> None:
    path = os.fsdecode(name)
    shown = {escape_unprintable(path, keep=""), str(Location(source=path)).replace("\n", r"\n").replace("\t", r"\t")}
    undecoded = {f"\\x{ord(c) - 0xDC00:02x}" for c in path if 0xDC80 <= ord(c) <= 0xDCFF}
    for text in (*shown, quote(path)):
        assert text.isprintable() or any(c in INVISIBLE_LETTERS for c in text)
        assert all(byte in text for byte in undecoded)
        assert r"\udc" not in text.replace(r"\\", "")
