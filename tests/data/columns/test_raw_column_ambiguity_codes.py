from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.columns.raw_column import are_addresses_or_phone_numbers, are_categories, are_codes, looks_like_a_number
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.profile import profile_column
from nncli.data.table import Table
from tests.data.columns.code_columns import CODES, DOUBTED, cells_of


def table_of(cells: list[str | None]) -> Table:
    return Table(pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)}), "t.csv")


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("n", [60, 400])
@pytest.mark.parametrize("name", CODES)
def test_a_column_of_codes_is_categorical_without_doubt(name: str, n: int, missing: float) -> None:
    for seed in range(3):
        table = table_of(cells_of(CODES[name], n, missing, seed))
        assert infer_kind(table, "x") is ColumnType.CATEGORICAL
        profile = profile_column(table, "x")
        assert (profile.error, profile.thousands, profile.na_spellings) == (None, "", ())


@pytest.mark.parametrize("name", DOUBTED)
def test_a_column_of_numbers_with_few_misfits_or_another_spelling_is_doubted(name: str) -> None:
    table = table_of(cells_of(DOUBTED[name], 400, 0.1))
    with pytest.raises(DataError):
        infer_kind(table, "x")
    assert profile_column(table, "x").error is not None


@pytest.mark.slow
@given(st.lists(st.from_regex(r"[A-Za-z]{1,2}[0-9]{1,3}", fullmatch=True), min_size=1, max_size=30))
def test_letters_before_digits_are_never_numbers(cells: list[str]) -> None:
    assert not looks_like_a_number(pl.Series(cells)).any()
    assert infer_kind(table_of([*cells]), "x") is ColumnType.CATEGORICAL


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *(("1,5", True), ("1.234,5", True), ("12,34,567", True), ("1 234", True), ("(1,000)", True), ("$5", True)),
        *(("12%", True), ("−5", True), (".5e3", True), ("٥", True), ("5 EUR", True)),
        *(("e1", False), ("1)", False), ("799.880.9360", False), ("1.2.3", False), ("5+", False), ("", False)),
        ("-", False),
    ],
)
def test_only_a_cell_with_a_mantissa_looks_like_a_number(cell: str, expected: bool) -> None:
    assert looks_like_a_number(pl.Series([cell])).to_list() == [expected]


def test_few_distinct_cells_are_categories_in_a_small_table_too() -> None:
    def are(*cells: str) -> bool:
        column = pl.Series(cells)
        return are_categories(column, column.str.to_integer(strict=False).is_null())

    assert are(*["1", "2", "3", "4+"] * 3)
    assert not are("1", "2", "3", "x")  # no cell repeats
    assert are(*["1", "2", "3"] * 40, "4+")  # an open range is written on purpose
    assert are(*["1", "2", "3"] * 40, ">3")
    assert not are(*["1", "2", "3"] * 6, "x")  # it is rare
    assert not are(*["1", "2", "3", "?"] * 3)  # a word for a missing value
    assert not are(*["1", "2", "3", "4%"] * 20)  # it looks like a number


def test_codes_among_numbers_are_many_or_of_one_width() -> None:
    def are(*cells: str) -> bool:
        column = pl.Series(cells)
        return are_codes(column, column.str.to_integer(strict=False).is_null())

    assert are("1", "2", "3", "12a", "14b", "7c")
    assert not are("1", "2", "12a", "14b")
    assert not are(*map(str, range(60)), "12a", "14b", "7c")
    assert not are("1", "2", "12 kg", "14 kg", "7 kg")
    assert are("3161484100", "316148410X")
    assert are(*["98115"] * 99, "98115-4820")
    assert not are(*["98115"] * 99, "98115-48")
    assert not are("31614841", "316148O1O")


def test_addresses_and_phone_numbers_have_one_form() -> None:
    assert are_addresses_or_phone_numbers(pl.Series(["10.0.0.1", "192.168.100.200"]))
    assert are_addresses_or_phone_numbers(pl.Series(["612 345 678", "698 765 432"]))
    assert are_addresses_or_phone_numbers(pl.Series(["+34 612 345 678", "+1 612 345 678"]))
    assert not are_addresses_or_phone_numbers(pl.Series(["612 345 678", "98 765 432"]))
    assert not are_addresses_or_phone_numbers(pl.Series([], dtype=pl.String))
