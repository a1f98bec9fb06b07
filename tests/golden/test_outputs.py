"""What commands, exports and requests answer for every kind of target is what is recorded."""

from __future__ import annotations

import pytest

from tests.golden.outputs import KINDS, RUNS, Text, answers_of, recorded

SAMPLE = (("two-classes", "network"), ("survival", "ensemble"))
"""Runs that `make test` tries, too."""
CASES = [
    pytest.param(name, form, marks=() if (name, form) in SAMPLE else pytest.mark.slow)
    for name in KINDS
    for form in RUNS
]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_every_command_answers_as_recorded(name: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = recorded(name, form)
    found = dict(answers_of(name, form, monkeypatch))
    assert found.keys() == expected.keys()
    different = {
        f"{command}: {key}": (expected[command].get(key), found[command].get(key))
        for command in expected
        for key in expected[command].keys() | found[command].keys()
        if not (key in expected[command] and key in found[command])
        or found[command][key].differs(expected[command][key])
    }
    assert different == {}


def test_words_and_numbers_of_a_text_are_compared() -> None:
    text = Text.of("12 rows, mean 0.5\n")
    assert not text.differs(Text.of("12 rows, mean 0.500001\n"))
    assert text.differs(Text.of("12 rows, mean 0.51\n"))
    assert text.differs(Text.of("12 cells, mean 0.5\n"))
    long = "x = 1.5, " * 1_000
    assert Text.of(long).differs(Text.of(long.replace("1.5", "1.6", 5)))
    assert Text.of(long).differs(Text.of(long.replace("x", "y", 1)))
    assert not Text.of(long).differs(Text.of(long))
    shares = "0.25, 0.75\n" * 1_000
    assert Text.of(shares).differs(Text.of(shares.replace("0.25, 0.75", "0.75, 0.25", 1)))
