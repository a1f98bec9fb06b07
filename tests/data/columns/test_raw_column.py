from __future__ import annotations

import polars as pl
import pytest

from nncli.data.columns.raw_column import RawColumn
from nncli.data.table import Table


def column(*cells: object) -> RawColumn:
    return RawColumn(Table(pl.DataFrame({"x": list(cells)}), "t"), "x")


@pytest.mark.parametrize(
    ("cells", "expected"), [((None, None), True), ((float("nan"),), True), (("nan",), True), (("a",), False)]
)
def test_a_column_of_missing_cells_is_empty(cells: tuple[object, ...], expected: bool) -> None:
    assert column(*cells).is_empty is expected


def test_leading_zeros_are_found_in_text_only() -> None:
    assert column("007", "8").has_leading_zeros
    assert not column("7", "0.8").has_leading_zeros
    assert not column(7, 8).has_leading_zeros


def test_a_unit_is_removed_from_all_numbers() -> None:
    prices = column("$5", None, "$7")
    assert not prices.are_all_numbers(prices.numbers)
    assert prices.are_all_numbers(prices.numbers_without_unit)
    assert prices.numbers_without_unit.to_list() == [5.0, None, 7.0]
