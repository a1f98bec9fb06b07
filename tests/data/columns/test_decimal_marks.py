from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from nncli.api.head import head
from nncli.api.init import draft
from nncli.data.columns.decimal_marks import column_decimals
from nncli.data.columns.parsing import parse_numbers, read_numbers
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType
from nncli.data.sources.read_table import read_table
from nncli.data.table import Table
from tests.polluted_columns import polluted_table


def decimals_of(cells: Sequence[str | None], **dialect: object) -> tuple[tuple[str, str], ...]:
    table = Table(pl.DataFrame({"x": cells}), "t", dialect=CsvDialect.model_validate({"decimal": ".", **dialect}))
    return column_decimals(table)


@pytest.mark.parametrize(
    "cells",
    [
        *(["1,5", "2"], ["1.234,5", "12,5"], ["1,234", "1,5"], ["1,5 €", "12,25 €"], ["1,5", "k.A.", "3,25"]),
        *([",5", None], ["8,2 l/100km", "7,5l/100 km"]),
    ],
)
def test_a_column_whose_only_mark_is_a_comma_has_a_decimal_comma(cells: list[str | None]) -> None:
    assert decimals_of(cells) == (("x", ","),)


@pytest.mark.parametrize(
    "cells",
    [
        ["1.5", "2"],
        ["1,234", "5"],
        ["1,5", "2.5"],
        ["1,5", "1.234"],
        ["1,234,567"],
        ["a,1", "b"],
        ["1,5", "x", "y"],
        [],
    ],
)
def test_a_column_with_another_mark_or_an_ambiguous_one_has_that_of_the_table(cells: list[str | None]) -> None:
    assert decimals_of(cells) == ()


def test_thousands_separators_of_other_columns_leave_a_decimal_comma() -> None:
    assert decimals_of(["138,3", "75,9"], thousands=",") == (("x", ","),)


@pytest.mark.parametrize("cells", [["192.1", "35.3"], ["1.5", "12"], ["1,234.5", "3.25"]])
def test_a_column_of_points_has_a_decimal_point_where_points_separate_the_thousands_of_others(cells: list[str]) -> None:
    assert decimals_of(cells, decimal=",", thousands=".") == (("x", "."),)
    assert decimals_of(cells, decimal=",") == ()


@pytest.mark.parametrize("cells", [["157.000", "273.000"], ["1.234,5", "12"], ["1.5", "2,5"]])
def test_thousands_and_commas_are_no_decimal_points(cells: list[str]) -> None:
    assert decimals_of(cells, decimal=",", thousands=".") == ()


def test_the_hint_for_ambiguous_money_works_beside_a_column_of_points(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("size,price\n" + "".join(f"{i}.{i % 9 + 1},€ {100 + i}.000\n" for i in range(1, 60)))
    refused = head(path).columns[1].profile
    assert refused.error is not None
    assert "--set data.thousands=." in str(refused.error.hint)
    size, price = (column.profile for column in head(path, set=["data.thousands=."]).columns)
    assert (size.kind, size.lowest) == (ColumnType.NUMERIC, 1.2)
    assert (price.kind, price.lowest) == (ColumnType.NUMERIC, 101_000.0)


def test_a_configured_mark_is_kept() -> None:
    assert decimals_of(["1,5"], decimals=(("x", "."),)) == (("x", "."),)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.csv", "a;b\n1,5;1.5\n2,25;2.25\n"),
        ("t.csv", 'a,b\n"1,5",1.5\n"2,25",2.25\n'),
        ("t.jsonl", '{"a": "1,5", "b": 1.5}\n{"a": "2,25", "b": 2.25}\n'),
    ],
)
def test_each_column_of_a_file_is_read_with_its_mark(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    table = read_table(str(path))
    assert table.dialect.decimals == (("a", ","),)
    assert read_numbers(table, "a").tolist() == read_numbers(table, "b").tolist() == [1.5, 2.25]
    assert "a" in table.notes[-1]


def test_new_rows_are_read_with_the_marks_of_the_training_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b\n1,234;5\n")
    trained = CsvDialect(separator=";", decimal=".", decimals=(("a", ","),))
    table = read_table(str(path), training_dialect=trained)
    assert read_numbers(table, "a").tolist() == [1.234]


def test_points_separate_the_thousands_of_a_column_with_a_comma_alone(tmp_path: Path) -> None:
    rows = [f"{60 + i % 9}.5;{1 + i % 7}.{100 + i},25;{i}" for i in range(40)]
    rows[::10] = [row.replace(".5;", ",5;") for row in rows[::10]]
    (tmp_path / "t.csv").write_text("\n".join(["a;b;y", *rows]) + "\n")
    table = read_table(tmp_path / "t.csv")
    assert (table.dialect.decimal, table.dialect.decimals, table.dialect.thousands) == (".", (("b", ","),), ".")
    assert read_numbers(table, "b").tolist() == [1000.0 * (1 + i % 7) + 100 + i + 0.25 for i in range(40)]
    assert parse_numbers(table.column("a"), table.dialect_of("a")).null_count() == 4
    assert CsvDialect.model_validate(table.dialect.model_dump()) == table.dialect, "a saved run has it"


@pytest.mark.parametrize("on_error", ["auto", "missing"])
def test_head_and_init_see_the_same_column_of_two_marks(tmp_path: Path, on_error: str) -> None:
    rows = [f"{60 + i % 9}.{i % 10};{1 + i % 7}.{100 + i},25;{i * 37 % 101}" for i in range(200)]
    rows[::10] = [f"{100 + i},2;1.200,25;{i * 37 % 101}" for i in range(0, 200, 10)]
    (tmp_path / "t.csv").write_text("\n".join(["a;b;y", *rows]) + "\n")
    options = [f"data.on_error={on_error}"]
    seen = {column.name: column.profile for column in head(tmp_path / "t.csv", set=options).columns}
    drafted = {column.name: column for column in draft(tmp_path / "t.csv", "y", set=options).summary.columns}
    kind = ColumnType.NUMERIC if on_error == "missing" else ColumnType.CATEGORICAL
    for profiles in (seen, drafted):
        assert (profiles["a"].kind, profiles["b"].kind) == (kind, ColumnType.NUMERIC)
        assert profiles["a"].missing == (20 if on_error == "missing" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_polluted_columns_have_one_kind_to_head_and_to_init(tmp_path: Path, seed: int) -> None:
    """All commands, and the values of all cells: tests/end_to_end/test_one_reader.py."""
    (tmp_path / "t.csv").write_text(polluted_table(seed, columns=8)[0])
    seen = {column.name: column.profile.kind for column in head(tmp_path / "t.csv").columns}
    drafted = draft(tmp_path / "t.csv", "y").summary
    assert {column.name: column.kind for column in (*drafted.columns, *drafted.targets)} == seen
