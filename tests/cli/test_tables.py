"""Tables that fit the width of the terminal."""

from __future__ import annotations

import pytest

from nncli.cli.tables import bar, fits, one_line_table, prose, shortened, table

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


RUNS = [
    ["run", "status", "training rows", "started"],
    ["runs/a-very-long-name-of-a-run-7", "done", "1,234", "2026-11-26 07:24"],
    ["runs/b", "stopped", "20", "2026-11-25 17:01"],
]


@pytest.mark.parametrize("columns", [100, 80, 60, 50, 40, 30])
def test_each_line_of_a_one_line_table_is_one_line(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = one_line_table(RUNS, (2, 3)).splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0].startswith("runs/") for line in lines[-2:]] == [True, True]
    assert all("done" in lines[-2] or columns < 20 for _ in lines)


def test_columns_are_left_out_in_the_given_order_before_names_are_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert "1,234" not in one_line_table(RUNS, (2, 3))
    assert "2026" not in one_line_table(RUNS, (3, 2))
    assert "a-very-long-name-of-a-run-7" in one_line_table(RUNS, (2, 3))
    monkeypatch.setenv("COLUMNS", "30")
    assert "…" in one_line_table(RUNS, (2, 3))


def test_without_a_terminal_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert one_line_table(RUNS, (2, 3)) == table(RUNS)


def test_whether_a_table_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert fits(LINES)
    monkeypatch.setenv("COLUMNS", "20")
    assert not fits(LINES)


@pytest.mark.parametrize("width", range(1, 20))
def test_a_shortened_text_keeps_its_start_and_its_end(width: int) -> None:
    text = shortened("abcdefghijklmnop", width)
    assert len(text) <= max(width, 1)
    assert text == "abcdefghijklmnop" or width < 3 or (text[0], text[-1]) == ("a", "p")


@pytest.mark.parametrize(
    ("fraction", "length"), [(1.0, 12), (0.5, 6), (0.0, 0), (-1.0, 0), (1e-9, 1), (float("nan"), 0)]
)
def test_a_bar_is_as_long_as_its_fraction(fraction: float, length: int) -> None:
    assert len(bar(fraction)) == length
