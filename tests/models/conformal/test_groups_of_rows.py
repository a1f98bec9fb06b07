"""Groups of rows by the values of a column."""

from __future__ import annotations

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.table import Table
from nncli.models.conformal.groups import RowGroups
from tests.assertions import raises


def table(**columns: object) -> Table:
    return Table(pl.DataFrame(columns), "t.csv")


def test_a_missing_cell_is_a_group() -> None:
    groups = RowGroups.of(table(g=["b", "a", None, "b"]), "g")
    assert groups.values == ("a", "b")
    assert groups.codes.tolist() == [1, 0, 2, 1]
    assert [groups.title(code) for code in range(groups.count)] == ["a", "b", "(missing)"]


@pytest.mark.parametrize(
    ("cells", "expected"), [(["1", "2", "3", None], [0, 1, -1, -1]), ([2.0, 1.0], [1, 0]), ([2, 7], [1, -1])]
)
def test_values_are_recognized_in_other_types(cells: list[object], expected: list[int]) -> None:
    groups = RowGroups.of(table(g=[1, 2]), "g")
    assert groups.read(table(g=cells)).tolist() == expected


def test_a_column_that_is_missing_is_an_error() -> None:
    with raises(DataError, file="t.csv"):
        RowGroups.of(table(g=[1]), "h")
    with raises(DataError, file="t.csv"):
        RowGroups.of(table(g=[1]), "g").read(table(h=[1]))
