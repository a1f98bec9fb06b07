from __future__ import annotations

import polars as pl
import pytest

from nncli.data.table import RowOrigins, Table

ORIGINS = RowOrigins(("a.csv", "b.csv"), (1, 4))


@pytest.mark.parametrize(
    ("number", "expected"), [(1, ("a.csv", 1)), (3, ("a.csv", 3)), (4, ("b.csv", 1)), (9, ("b.csv", 6))]
)
def test_a_row_is_found_in_its_file(number: int, expected: tuple[str, int]) -> None:
    assert ORIGINS.find(number) == expected


def test_the_files_of_parts_are_joined_once_each() -> None:
    parts = [RowOrigins(("a.csv",), (1,)), None, RowOrigins(("a.csv",), (1,)), RowOrigins(("b.csv",), (4,))]
    assert RowOrigins.joined(parts) == ORIGINS
    assert RowOrigins.joined([None]) is None


def test_a_file_without_rows_is_passed_over() -> None:
    assert RowOrigins(("a.csv", "empty.csv", "b.csv"), (1, 4, 4)).find(4) == ("b.csv", 1)


def test_a_table_of_several_files_has_its_locations_in_them() -> None:
    table = Table(pl.DataFrame({"x": range(6)}), "*.csv", origins=ORIGINS)
    assert str(table.location(row=4, column="x")) == str(Table(table.frame, "b.csv").location(row=1, column="x"))
    assert table.part(3, 6).location(row=1).row == 2
    assert table.location(column="x").source == "*.csv"
    assert [table.row_name(5), Table(table.frame, "a").row_name(5)] == ["2 of b.csv", "5"]
