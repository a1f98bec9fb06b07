"""Size and characters of a text are limited, and an excerpt shows any line safely."""

from __future__ import annotations

import pytest

from nncli.config.yaml import document as source_text
from nncli.config.yaml.document import excerpt, position
from nncli.config.yaml.parser import parse
from tests.config.support import ONE_MIB, at, only


def test_text_over_the_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "MAX_TEXT_BYTES", ONE_MIB)
    assert parse("a: 1\n#" + "x" * (ONE_MIB - 6), "c").value == {"a": 1}
    assert "1 MiB" in only("a: 1\n#" + "x" * (ONE_MIB - 5)).message
    assert "1 MiB" in only("é" * (ONE_MIB // 2 + 1)).message


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ufffe", "\ud800", "\x0b"])
def test_an_unprintable_character_is_an_issue_on_its_line(character: str) -> None:
    issue = only(f"a: 1\r\nb: x{character}y\n")
    assert at(issue) == (2, 5)
    assert f"U+{ord(character):04X}" in issue.message
    assert character not in str(issue)


def test_lines_are_counted_as_in_editors() -> None:
    for line_break in ("\n", "\r\n", "\r"):
        assert at(only(f"a: 1{line_break}{line_break}b: !t 1{line_break}")) == (3, 4)


def test_an_excerpt_is_cut_around_its_caret() -> None:
    issue = only("a: {" + "x" * 200 + ": 1, b: !t 1, " + "y" * 200 + ": 1}")
    assert issue.excerpt is not None
    line, caret = issue.excerpt.split("\n")
    assert len(line) <= 100
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[len(caret) - 1 :].startswith("!t 1")


def test_the_excerpt_is_between_the_message_and_the_hint() -> None:
    lines = str(only("model:\n    a: !t 1\n")).split("\n")
    assert lines[0].startswith("c.yaml:2:8: tags")
    assert lines[1:3] == ["    a: !t 1", "       ^"]
    assert lines[3].startswith("  Remove")


def test_the_caret_is_below_its_character_after_wide_characters() -> None:
    assert only("漢字: !t 1").excerpt == "漢字: !t 1\n" + " " * 6 + "^"


def test_an_excerpt_escapes_direction_marks() -> None:
    excerpt = only("a\u202eb: !t 1").excerpt
    assert excerpt is not None
    assert r"a\u202eb" in excerpt


@pytest.mark.parametrize("blank", ["\xa0", "\u3000", "\u200d"])
def test_an_excerpt_escapes_blanks_other_than_spaces(blank: str) -> None:
    shown = blank.encode("unicode_escape").decode()
    assert excerpt([f"a{blank}: 1"], 1, 1) == f"a{shown}: 1\n^"


@pytest.mark.parametrize(("line", "character"), [(None, None), (1, None), (0, 1), (3, 1), (2, 1)])
def test_there_is_no_excerpt_of_a_missing_or_blank_line(line: int | None, character: int | None) -> None:
    assert excerpt(["a: 1", " \t"], line, character) is None


def test_a_position_counts_from_one() -> None:
    assert position("", 0) == (1, 1)
    assert position("a\r\nbc", 4) == (2, 2)
