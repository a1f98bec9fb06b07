"""What is shown to people."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from nncli.cli.console import print_path
from nncli.cli.tables import table
from tests.cli.support import DATA, Cli, on_terminal

SCORES = [
    ["", "a long name of a run", "b"],
    ["accuracy", "0.8209 (0.7313 to 0.9104)  ", "0.8955 *"],
    ["r2", "–  ", "–  "],
]


def test_a_table_has_names_on_the_left_and_numbers_on_the_right() -> None:
    lines = table([["", "training", "trivial"], ["rmse", "0.35", "1"], ["median", "-0.021", "12.5"]]).splitlines()
    assert lines == [
        "          training    trivial",
        "rmse          0.35          1",
        "median      -0.021       12.5",
    ]


def test_wide_characters_count_as_what_they_take_on_a_terminal() -> None:
    assert table([["氷", "x"], ["ice", "y"]]).splitlines() == ["氷     x", "ice    y"]


def test_a_table_that_is_not_for_a_terminal_is_never_narrowed() -> None:
    assert max(map(len, table(SCORES, io.StringIO()).splitlines())) > 45


def test_columns_draw_together_and_titles_fold_before_anything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [["shuffled", "log loss grows by", "x"], ["bill", "0.22", "1"], ["year", "-0.02179", "2"]]
    monkeypatch.setenv("COLUMNS", "31")
    assert table(lines).splitlines() == [
        "shuffled  log loss grows by  x",
        "bill                   0.22  1",
        "year               -0.02179  2",
    ]
    monkeypatch.setenv("COLUMNS", "25")
    assert table(lines).splitlines() == [
        "          log loss   ",
        "shuffled  grows by  x",
        "bill          0.22  1",
        "year      -0.02179  2",
    ]


def test_a_table_too_wide_for_all_that_says_each_cell_by_its_title(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "36")
    assert table(SCORES).splitlines() == [
        "accuracy",
        "  a long name of a run  0.8209",
        "                        (0.7313 to",
        "                        0.9104)",
        "  b                     0.8955 *",
        "r2",
        "  a long name of a run  –",
        "  b                     –",
    ]


@pytest.mark.parametrize("told", ["", "wide", "0", "-5", "²"])
def test_a_width_that_is_none_is_ignored(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", told)
    assert table(SCORES, io.StringIO()).count("\n") == 2


@pytest.mark.parametrize("columns", [40, 50, 80])
@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_no_table_is_wider_than_asked(
    nncli: Cli, penguins: Path, monkeypatch: pytest.MonkeyPatch, columns: int, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = ("--top", "1", "--permutations", "1") if command == "explain" else ()
    done = nncli(command, penguins, DATA / "penguins.csv", "-q", *words).check()
    assert max(map(len, done.out.splitlines())) <= columns


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_narrow_terminal_is_asked_how_wide_it_is(penguins: Path, tmp_path: Path) -> None:
    code, seen = on_terminal("evaluate", penguins, DATA / "penguins.csv", "-q", cwd=tmp_path, columns=40)
    assert code == 0
    assert max(len(line) for line in seen.splitlines() if not line.startswith("warning: ")) <= 40


@pytest.mark.parametrize("terminal", [True, False])
def test_a_printed_path_cannot_control_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: terminal)
    print_path(Path("a\x1b[31mb"))
    assert capfd.readouterr().out == ("a\\x1b[31mb\n" if terminal else "a\x1b[31mb\n")
