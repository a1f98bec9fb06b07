"""`nncli head` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import nncli.api.head as module
from nncli.data.sources.table_reader import TableChoice
from tests.api.test_head import Choice
from tests.cli.support import DATA, Cli

TABLE = DATA / "penguins.csv"


def test_a_line_says_what_each_column_is(nncli: Cli) -> None:
    done = nncli("head", TABLE).check()
    lines = [line.split() for line in done.out.splitlines()]
    assert ["species", "categorical", "0", *["Adelie"] * 5] in lines
    assert ["bill_length_mm", "numeric", "2", "39.1", "39.5", "40.3", "–", "36.7"] in lines
    assert "344 rows, 8 columns" in done.out
    assert done.err == f"next: nncli train {TABLE} --target COLUMN\n"
    assert nncli("head", TABLE, "-q").check().err == ""


@pytest.mark.parametrize("width", [30, 60, 80, 200])
def test_columns_fit_the_terminal(nncli: Cli, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = nncli("head", TABLE, "-n", 9).check().out
    lines = out.partition("\n\n")[2].splitlines()
    assert len(lines) == 9
    assert max(map(len, lines)) <= max(width, 45)


def test_types_are_shown_where_the_table_has_them(nncli: Cli, here: Path) -> None:
    pl.DataFrame({"x": [1, 2], "t": pl.Series([1, 2], dtype=pl.Datetime("us", "UTC"))}).write_parquet("t.parquet")
    out = nncli("head", "t.parquet").check().out
    assert "Int64" in out
    assert "Datetime('us', 'UTC')" in out


def test_json_is_one_object(nncli: Cli) -> None:
    document = json.loads(nncli("head", TABLE, "--json", "-n", 2).check().out)
    assert document["rows"] == document["seen"] == 344
    assert document["read_as"]["separator"] == ","
    assert document["columns"][0]["kind"] == "categorical"
    assert [row[0] for row in document["first_rows"]] == ["Adelie", "Adelie"]


def test_cells_cannot_control_the_terminal(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("a\x1b[31m,b\n\x1b[2J,1\nx,2\n")
    done = nncli("head", "t.csv").check()
    assert "\x1b" not in done.out + done.err


def test_long_cells_are_shortened_at_once(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("a,b\n" + "x" * 1_000_000 + ",1\n")
    assert max(map(len, nncli("head", "t.csv").check().out.splitlines())) < 200


def test_of_a_workbook_of_several_sheets_the_names_are_listed(nncli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "open_reader", lambda _: Choice())
    done = nncli("head", "w.xlsx").check()
    assert [line.strip() for line in done.out.splitlines()[1:]] == ["One", "Two"]
    assert done.err == "next: nncli head w.xlsx --sheet One\n"


def test_a_database_without_tables_is_said_to_have_none(nncli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty(Choice):
        def choice(self) -> TableChoice:
            return TableChoice("table", ())

    monkeypatch.setattr(module, "open_reader", lambda _: Empty())
    done = nncli("head", "w.db").check()
    assert "0 tables" in done.out
    assert done.err == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [(("none.csv",), 4), (("t.pages",), 2), (("t.csv", "-n", "-1"), 2), (("t.csv", "--set", "data.x=1"), 3), ((), 2)],
)
def test_what_is_refused_has_its_exit_code(nncli: Cli, here: Path, words: tuple[str, ...], code: int) -> None:
    (here / "t.csv").write_text("a\n1\n")
    (here / "t.pages").write_text("")
    assert nncli("head", *words).check(code).out == ""
