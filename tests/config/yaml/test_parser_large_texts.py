"""A large text is parsed by libyaml to the same values, places and errors as by PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.base.errors import ConfigError
from nncli.config.yaml import parser
from tests.cli.support import ROOT
from tests.config.support import at, only

PIECES = st.sampled_from(
    [
        *("a: 1", "b:", "- x", "  - y: [1, {z: ~}]", "c: 'it''s'", 'd: "é\\n\\u263a"', "e: |", "  text", "f: >-"),
        *("g: &h 日本", "i: *h", "# note", "---", "j: !!str 1", "k: [a, b: c]", "l: {m: }", "n: 1.5e3", "? o", ": p"),
        *("q: :r", "s: [t:u]", "v: - w", "\tx", "y: @z", "'open", "[", "}", "", "  aa: 2", "    bb: -3", "cc : 'x' y"),
    ]
)


def outcome(text: str) -> object:
    """The document of a text, with the place of every value that is not empty, or all errors."""
    try:
        document = parser.parse(text, "c.yaml")
    except ConfigError as error:
        return [(issue.message, issue.location, issue.hint) for issue in error.issues]
    return document.value, {
        path: (span.key, span.value if value_at(document.value, path) is not None else None)
        for path, span in document.spans.items()
    }


def value_at(value: Any, path: tuple[str | int, ...]) -> object:
    for step in path:
        value = value[step]
    return value


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(PIECES, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_what_pyyaml_reads_and_refuses_is_the_same_in_a_large_text(lines: list[str], end: str) -> None:
    text = end.join(lines)
    with pytest.MonkeyPatch.context() as patch:
        expected = outcome(text)
        patch.setattr(parser, "FAST_TEXT", -1)
        fast = outcome(text)
    if isinstance(expected, tuple) or not isinstance(fast, tuple):  # libyaml reads some texts that PyYAML refuses
        assert fast == expected


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_configuration_is_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = file.read_text("utf-8")
    expected = outcome(text)

    monkeypatch.setattr(parser, "FAST_TEXT", -1)

    assert outcome(text) == expected


def test_an_error_far_into_a_large_text_is_located(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "FAST_TEXT", -1)
    monkeypatch.setattr(parser, "MAX_SLOW_TEXT", 100)
    text = "".join(f"k{i}: {i}\n" for i in range(100)) + "x: ]\n"

    assert at(only(text)) == (101, 4)


def test_a_top_level_has_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser, "MAX_KEYS", 3)

    assert at(only("a: 1\nb: {c: 1, d: 2, e: 3, f: 4, g: 5}\nc: 1\nd: 1\n")) == (4, 1)
    assert parser.parse("a: 1\nb: {c: 1, d: 2, e: 3, f: 4, g: 5}\n", "c.yaml").value["a"] == 1
