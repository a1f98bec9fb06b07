"""Syntax errors are reworded and located at the character to change."""

from __future__ import annotations

import pytest

from nncli.config.yaml.parser import parse, reworded
from tests.config.support import at, issues, only


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a:\n\tb: 1\n", (2, 1), "tab"),
        ("a: [1,\nb: 2\n", (1, 4), "list is never closed"),
        ("a: {b: 1\n", (1, 4), "'{' is never closed"),
        ("a: 'x\nb: 1\n", (1, 4), "never closed"),
        ("a: b: c\n", (1, 5), "unexpected ':'"),
        ("data:\n  a: b\n   c: d\n", (3, 4), "this line is indented further than the line above it, which has a value"),
        ("a: b\n\n  c: d\n", (3, 3), "this line is indented further than the line above it, which has a value"),
        ("a: 1\nb\nc: 1\n", (2, 1), "key: value"),
        ("x:\n  a: 1\n y: 2\n", (3, 2), "does not match"),
        ('p: "C:\\data"\n', (1, 8), "escape"),
        ("p: *.csv\n", (1, 4), "cannot start with '*'"),
        ("p: @x\n", (1, 4), "cannot start with"),
        ("p: - 1\n", (1, 4), "list item"),
        ("p: ]\n", (1, 4), "misplaced"),
    ],
)
def test_a_syntax_error_is_located_at_the_character_to_change(text: str, place: tuple[int, int], word: str) -> None:
    issue = only(text)
    assert at(issue) == place
    assert word in issue.message
    assert "token" not in str(issue)
    assert "scalar" not in str(issue)


def test_an_escape_beyond_unicode_is_located_at_the_escape() -> None:
    assert at(only('a: 1\nx: "ab\\UFFFFFFFF"')) == (2, 7)
    assert at(only('a: 1\nx: "ab\\U00110000"')) == (2, 7)
    assert parse('x: "\\U0010FFFF"', "c").value == {"x": "\U0010ffff"}


def test_a_yaml_version_of_five_thousand_digits_is_an_error() -> None:
    assert issues("%YAML 1." + "9" * 5000 + "\n---\na: 1\n")


def test_issues_before_a_syntax_error_are_raised_with_it() -> None:
    assert [m.location.line for m in issues("a: 1\na: 2\nb: ]\n")] == [2, 3]


def test_an_unknown_syntax_error_has_a_message_too() -> None:
    assert reworded("while doing", "something new") == (
        "this is not valid YAML",
        "Put text with special characters in quotes.",
        False,
    )
