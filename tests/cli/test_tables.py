"""Tables that fit the width of the terminal."""

from __future__ import annotations

import pytest

from nncli.cli.tables import prose, table

LINES = [["", "training rows", "validation rows"], ["accuracy", "0.95", "0.9"], ["log_loss", "0.1", "0.2"]]


@pytest.mark.parametrize("columns", [60, 40, 36, 30, 24])
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_lost(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = table(LINES)
    assert max(map(len, text.splitlines())) <= columns
    assert {"accuracy", "0.95", "0.9", "log_loss", "0.1", "0.2"} <= set(text.split())


def test_a_pipe_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert len(table(LINES).splitlines()) == len(LINES)
    assert prose("word " * 100) == "word " * 100


def test_wide_characters_are_aligned() -> None:
    first, second = table([["京都", "1"], ["a", "2"]]).splitlines()
    assert (first, second) == ("京都    1", "a       2")
