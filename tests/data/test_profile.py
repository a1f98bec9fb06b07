from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType
from nncli.data.profile import ColumnProfile, Label, is_named_like_a_key, profile, profile_column
from nncli.data.store.column_store import write_store
from nncli.data.table import Table

N = 40


def of(cells: Sequence[object], name: str = "x", dtype: pl.DataType | type[pl.DataType] | None = None) -> ColumnProfile:
    return profile_column(Table(pl.DataFrame({name: pl.Series(list(cells), dtype=dtype)}), "t.csv"), name)


def words(count: int) -> list[str]:
    return [f"a{number}" for number in range(count)]


def test_numbers_come_with_their_range_and_their_mean() -> None:
    result = of(["3", "1.5", None, "3"])
    assert (result.kind, result.label, result.recommended) == (ColumnType.NUMERIC, ColumnType.NUMERIC, True)
    assert (result.rows, result.present, result.missing, result.distinct) == (4, 3, 1, 2)
    assert result.top_values == (("3", 2), ("1.5", 1))
    assert (result.lowest, result.highest, result.mean, result.median) == (1.5, 3.0, 2.5, 3.0)


def test_ambiguous_numbers_beside_a_decimal_comma_have_no_thousands_separator() -> None:
    dialect = CsvDialect(decimal=".", decimals=(("price", ","),))
    table = Table(pl.DataFrame({"x": ["1,234", "5,678"] * 20}), "t.csv")
    assert profile_column(table, "x").thousands == ","
    found = profile_column(replace(table, dialect=dialect), "x")
    assert found.thousands == ""
    assert found.error is not None
    assert 'data.decimals={"x": ","}' in str(found.error.hint)


def test_nan_among_numbers_is_missing() -> None:
    found = of(["1.5", "nan", "NaN", "NAN", None, "3"])
    assert (found.kind, found.missing, found.distinct) == (ColumnType.NUMERIC, 4, 2)


@pytest.mark.parametrize("cells", [["yes", "no"], ["Y", "n"], ["0", "1"], [True, False], ["True", "FALSE", None]])
def test_two_opposite_values_are_boolean(cells: list[object]) -> None:
    assert of(cells * 3).label is Label.BOOLEAN


def test_the_commonest_values_come_first_and_equals_by_their_spelling() -> None:
    assert of(["b", "a", "c", "c", "f", "e", "d"]).top_values == (("c", 2), ("a", 1), ("b", 1), ("d", 1), ("e", 1))


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        (words(N), "anything"),
        (words(3), "id"),
        ([str(i) for i in range(N)], "anything"),
        ([str(i) for i in range(1, N + 1)][::-1], ""),
        ([str(i) for i in range(1, 2 * N) if i % 7], "resp"),  # rows without a target were left out
        ([str(7 * i) for i in range(N)], "PassengerId"),
        ([7.0 * i for i in range(3)], "order_no"),
        ([f"{10**17 + i}" for i in range(N)], "number"),
        ([10**17 + i for i in range(N)], "number"),
        ([f"{i:05}" for i in range(N)], "number"),
    ],
)
def test_a_key_is_left_out(cells: list[object], name: str) -> None:
    result = of(cells, name)
    assert (result.label, result.recommended, result.reason) == (Label.ID, False, "a different value in every row")


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([str(i + 0.5) for i in range(N)], "id"),  # a measurement
        ([str(7 * i) for i in range(N)], "paid"),
        ([str(3 * i // 2) for i in range(N)], "paid"),
        ([str(i) for i in range(1950, 1950 + N)], "year"),
        ([str(i) for i in range(N)], "day"),
        ([str(i) for i in range(5, 5 + N)], "celsius"),  # none absent, yet they do not begin with 0 or 1
        ([str(i) for i in range(12, 100) if i % 30], "area"),
        ([str(i) for i in range(5)], "dose"),  # too few rows to tell
        (words(5), "name"),
        ([*words(N), None], "cabin"),
        ([*words(N), "a0"], "name"),
        ([str(i) for i in range(N)] + ["0"], "row"),
    ],
)
def test_what_only_happens_to_differ_is_kept(cells: list[object], name: str) -> None:
    result = of(cells, name)
    assert (result.recommended, result.reason, result.label is Label.ID) == (True, "", False)


@pytest.mark.parametrize(
    "name",
    ["id", "ID", "rowid", "row_id", "customerID", "PassengerId", "Order No", "uuid", "Unnamed: 0", "", "column_1"],
)
def test_names_of_keys(name: str) -> None:
    assert is_named_like_a_key(name)


@pytest.mark.parametrize(
    "name", ["paid", "acid", "humid", "grid", "idea", "identity", "keyboard", "x", "🎉", "no_show"]
)
def test_names_of_no_keys(name: str) -> None:
    assert not is_named_like_a_key(name)


def test_constants_and_empty_columns_are_left_out() -> None:
    assert (of(["x"] * 3).label, of(["x"] * 3).recommended) == (Label.CONSTANT, False)
    for cells in ([None, None], [float("nan")] * 2, ["nan", "nan"]):
        assert (of(cells).label, of(cells).recommended) == (Label.EMPTY, False)


def test_one_value_that_is_missing_in_places_is_kept() -> None:
    assert of(["x", None, "x"]).recommended


def test_one_row_is_too_few_to_call_anything_constant() -> None:
    assert of(["x"]).recommended
    assert of(["1"]).recommended


def test_no_rows_are_no_fault() -> None:
    assert of([], dtype=pl.String).label is Label.EMPTY


def test_spellings_of_a_missing_value_are_found_among_numbers() -> None:
    result = of([*map(str, range(N)), "?", "?"])
    assert result.na_spellings == ("?",)
    assert result.error
    assert of([*map(str, range(N)), *["?"] * 2 * N]).na_spellings == ("?",)  # more of them than of numbers


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1,234", "950", "9,611,428"], ","),
        (["1.234.567", "950.123.000"], ""),  # the point is the decimal mark of this table
        (["1 234", "950"], " "),
        (["0,123", "1,234"], ""),  # a decimal comma, more likely
        (["1,5", "1,234"], ""),
        (["12%", "1,234"], ""),
    ],
)
def test_what_groups_digits_is_found(cells: list[str], mark: str) -> None:
    result = of(cells * N)
    assert result.error
    assert result.thousands == mark


@pytest.mark.parametrize("as_cell", [int, float, str, lambda i: f"T{i}"])
def test_a_key_with_a_few_duplicate_rows_is_an_id(as_cell: Callable[[int], object]) -> None:
    cells = [as_cell(i) for i in [*range(1, N + 1), 1, 2, 3]]
    result = of(cells, "ticket_id")
    assert (result.label, result.recommended) == (Label.ID, False)
    assert "40 different values in 43 rows" in result.reason
    frame = pl.DataFrame({"ticket_id": cells, "other": range(len(cells))})
    with Scratch() as scratch:
        table = write_store(lambda: iter([Table(frame, "t")]), lambda table: table.names, scratch, text_columns=())
        assert profile(table)[0].label is Label.ID
    assert of(cells, "weight").recommended
    assert of([as_cell(i % 30) for i in range(N)], "ticket_id").recommended  # it groups rows
    assert of([i + 0.5 for i in [*range(N), 1]], "ticket_id").recommended


@pytest.mark.parametrize("word", ["n/a", "withheld"])
@pytest.mark.parametrize("cells", [["2,074.91", "986.39"], ["$5,786", "$1,257"]])
def test_a_few_words_do_not_hide_the_thousands_separator(cells: list[str], word: str) -> None:
    result = of([*cells * N, word])
    assert (result.thousands, result.na_spellings) == (",", ())
    assert of([*cells, *[word] * 3]).thousands == ""


def test_a_column_with_its_own_decimal_mark_asks_for_no_other_separator_than_that_of_the_table() -> None:
    dialect = CsvDialect(decimal=".", thousands=",", decimals=(("x", ","),))
    table = Table(pl.DataFrame({"x": ["1.234,5", "12,5"] * N}), "t.csv", dialect=dialect)
    assert profile_column(table, "x").thousands == ""


def test_a_category_beside_few_numbers_is_no_missing_value() -> None:
    result = of(["2", "3", "none"] * N)
    assert (result.na_spellings, result.error, result.kind) == ((), None, ColumnType.CATEGORICAL)


def test_doubtful_columns_say_why_and_go_as_categories() -> None:
    result = of(["12%", "$13"] * N)
    assert isinstance(result.error, DataError)
    assert (result.kind, result.recommended, result.na_spellings) == (ColumnType.CATEGORICAL, True, ())


@pytest.mark.parametrize("cells", [[1.0, float("inf"), 2.0], ["1", "inf", "2"]])
def test_a_column_with_an_infinite_cell_is_left_out(cells: list[object]) -> None:
    result = of(cells)
    assert (result.kind, result.recommended, result.highest) == (ColumnType.NUMERIC, False, 2.0)
    assert "not a finite number" in result.reason


def test_ids_too_long_for_numbers_go_as_categories_where_they_repeat() -> None:
    result = of([10**17 + 1, 10**17 + 1, 10**17 + 3] * N)
    assert (result.kind, result.recommended) == (ColumnType.CATEGORICAL, True)
    assert result.error


@pytest.mark.parametrize("cells", [[[1], [2]], [{"a": 1}, {"a": 2}], [b"x", b"y"]])
def test_what_cannot_be_read_is_left_out(cells: list[object]) -> None:
    result = of(cells)
    assert not result.recommended
    assert "neither numbers nor text" in result.reason


def test_typed_dates_are_called_dates() -> None:
    assert of([dt.date(2024, 1, day) for day in (1, 2)]).label is ColumnType.DATE


def test_a_stored_table_is_described_column_by_column() -> None:
    frame = pl.DataFrame({"b": ["1", "2", "3"], "a": ["x", "y", "x"]})
    with Scratch() as scratch:
        read = (Table(frame[row : row + 1], "t.csv", row + 1) for row in range(3))
        table = write_store(lambda: read, lambda table: table.names, scratch, text_columns=())
        assert [(result.name, result.kind, result.rows) for result in profile(table)] == [
            ("b", ColumnType.NUMERIC, 3),
            ("a", ColumnType.CATEGORICAL, 3),
        ]
        assert [result.name for result in profile(table, ["a"])] == ["a"]
        with pytest.raises(DataError, match="there is no column 'c'"):
            profile(table, ["c"])


@pytest.mark.slow
@given(st.lists(st.none() | st.text(max_size=4) | st.integers().map(str) | st.floats().map(str), max_size=30))
def test_any_column_has_a_profile_that_adds_up(cells: list[str | None]) -> None:
    result = of(cells, dtype=pl.String)
    assert result.rows == len(cells)
    assert result.missing + result.present == result.rows
    assert sum(count for _, count in result.top_values) <= result.present
    assert result.distinct <= result.present
    assert result.recommended == (not result.reason)


@pytest.mark.parametrize(
    ("cells", "bars"),
    [
        ([1, 1, 1, 3], (3, 0, 1)),
        ([0.5, 0.5], (2,)),
        ([-1e300, 1e300, -1e308, 1e308], None),
        ([float(i) for i in range(19)], (1,) * 19),
        ([0.5 * i for i in range(40)], None),
    ],
)
def test_a_histogram_counts_every_number_once(cells: list[float], bars: tuple[int, ...] | None) -> None:
    column = of(cells)
    assert sum(column.histogram) == len(cells)
    assert bars is None or column.histogram == bars


def test_the_outermost_bars_hold_the_outliers() -> None:
    x = [*np.random.default_rng(0).normal(size=500).tolist(), 1e9]
    column = of(x)
    assert sum(column.histogram) == 501
    assert max(column.histogram) < 100
