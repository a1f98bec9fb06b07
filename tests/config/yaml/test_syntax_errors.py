"""What the YAML parser complains about reaches a person in plain words, at the place to mend."""

from __future__ import annotations

import pytest

from nncli.config.yaml.parser import parse
from nncli.config.yaml.syntax_errors import reworded
from tests.config.support import at, mistakes, only


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a:\n\tb: 1\n", (2, 1), "tab"),
        ("a: [1,\nb: 2\n", (1, 4), "list that opens here"),
        ("a: {b: 1\n", (1, 4), "'{' that opens here"),
        ("a: 'x\nb: 1\n", (1, 4), "never closed"),
        ("a: b: c\n", (1, 5), "':' is out of place"),
        ("a: 1\nb\nc: 1\n", (2, 1), "key: value"),
        ("x:\n  a: 1\n y: 2\n", (3, 2), "does not fit"),
        ('p: "C:\\data"\n', (1, 8), "escape"),
        ("p: *.csv\n", (1, 4), "cannot start with '*'"),
        ("p: @x\n", (1, 4), "cannot start with"),
        ("p: - 1\n", (1, 4), "list item"),
        ("p: ]\n", (1, 4), "missing or out of place"),
    ],
)
def test_a_complaint_of_the_parser_is_put_in_plain_words(text: str, place: tuple[int, int], word: str) -> None:
    mistake = only(text)
    assert at(mistake) == place
    assert word in mistake.message
    assert "token" not in str(mistake)
    assert "scalar" not in str(mistake)


def test_an_escape_beyond_unicode_points_at_itself() -> None:
    assert at(only('a: 1\nx: "ab\\UFFFFFFFF"')) == (2, 7)
    assert at(only('a: 1\nx: "ab\\U00110000"')) == (2, 7)
    assert parse('x: "\\U0010FFFF"', "c").value == {"x": "\U0010ffff"}


def test_a_yaml_version_of_five_thousand_digits_is_a_mistake() -> None:
    assert mistakes("%YAML 1." + "9" * 5000 + "\n---\na: 1\n")


def test_mistakes_before_a_syntax_error_are_not_forgotten() -> None:
    assert [m.place.line for m in mistakes("a: 1\na: 2\nb: ]\n")] == [2, 3]


def test_a_complaint_not_seen_before_is_still_a_sentence() -> None:
    assert reworded("while doing", "something new") == (
        "this is not valid YAML",
        "Put text that holds special characters in quotes.",
        False,
    )
