"""Scalars without quotes are converted as in YAML 1.2, and values are described for messages."""

from __future__ import annotations

import math

import pytest

from nncli.config.yaml.parser import describe, parse, parse_scalar
from tests.config.support import at, only


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("1e-3", 0.001),
        ("1e5", 1e5),
        ("1E+5", 1e5),
        (".5", 0.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("-1.5e3", -1500.0),
        ("1.5e-3", 0.0015),
        (".inf", math.inf),
        ("+.inf", math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_a_float_may_be_written_as_in_yaml_1_2(written: str, number: float) -> None:
    value = parse(f"x: {written}", "c").value["x"]
    assert isinstance(value, float)
    assert value == number


def test_nan_is_a_float() -> None:
    value = parse("x: .nan", "c").value["x"]
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(("written", "number"), [("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), ("1000000", 10**6)])
def test_an_integer_is_decimal(written: str, number: int) -> None:
    value = parse(f"x: {written}", "c").value["x"]
    assert type(value) is int
    assert value == number


@pytest.mark.parametrize(
    "word",
    [
        *["yes", "no", "on", "off", "y", "n", "Yes", "NO", "On", "tRUE", "nULL", "nan", "inf", "Infinity", ".Nan"],
        *["1:30", "190:20:30", "2024-01-01", "2001-12-14t21:59:43.10-05:00"],
        *["007", "-007", "0x1F", "0o17", "0b1", "1_000", "1.2.3", "1,5", "1%", "١٢", "e5", "1e", "1e+", "=", ".", "+"],
    ],
)
def test_a_word_that_looks_like_another_type_is_text(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": word}


@pytest.mark.parametrize("word", ["true", "True", "TRUE", "false", "False", "FALSE"])
def test_true_and_false_are_the_only_booleans(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": word.lower() == "true"}


@pytest.mark.parametrize("word", ["", "~", "null", "Null", "NULL"])
def test_null_is_none(word: str) -> None:
    assert parse(f"x: {word}", "c").value == {"x": None}


def test_a_value_in_quotes_is_text() -> None:
    text = "a: '1'\nb: \"true\"\nc: ''\nd: |\n  1\n"
    assert parse(text, "c").value == {"a": "1", "b": "true", "c": "", "d": "1\n"}


def test_a_number_with_too_many_digits_is_an_error() -> None:
    issue = only("a: 1\nx: " + "9" * 5000)
    assert at(issue) == (2, 4)
    assert "too large" in issue.message
    assert len(str(issue)) < 400


def test_a_float_that_would_round_to_infinity_is_an_error() -> None:
    assert "'1e999' is too large" in only("x: 1e999").message


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 5000])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"1e999|digits"):
        parse_scalar(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (-0.5, "-0.5"),
        (2.0, "2"),
        (1e300, "1e+300"),
        (math.nan, ".nan"),
        (math.inf, ".inf"),
        (-math.inf, "-.inf"),
        ("a b", "'a b'"),
        ([1, 2], "a list of 2"),
        ((), "a list of 0"),
        ({"a": 1}, "key: value pairs"),
    ],
)
def test_a_value_is_described_as_in_yaml(value: object, words: str) -> None:
    assert describe(value) == words
