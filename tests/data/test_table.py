from __future__ import annotations

import time

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.base.text import quote
from nncli.data import table as table_module
from nncli.data.table import Table, replace_na_values
from tests.assertions import raises

ROWS = st.lists(st.integers(0, 9), max_size=12)


def ten(first_row: int = 1) -> Table:
    return Table(pl.DataFrame({"x": range(10)}), "ten.csv", first_row)


def positions(rows: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(rows, np.int64)


@given(ROWS, st.integers(1, 10**12))
def test_taken_rows_keep_their_numbers(rows: list[int], first_row: int) -> None:
    taken = ten(first_row).take(positions(rows))
    assert taken.frame["x"].to_list() == rows
    assert [taken.location(row=i).row for i in range(len(rows))] == [first_row + row for row in rows]


@given(ROWS, st.integers(0, 12), st.integers(0, 12))
def test_a_part_of_taken_rows_keeps_their_numbers(rows: list[int], start: int, length: int) -> None:
    part = ten(5).take(positions(rows)).part(start, start + length)
    expected = rows[start : start + length]
    assert part.frame["x"].to_list() == expected
    assert [part.location(row=i).row for i in range(len(part))] == [5 + row for row in expected]


def test_rows_taken_twice_keep_the_first_numbers() -> None:
    twice = ten().take(positions([9, 4, 2])).take(positions([2, 0]))
    assert twice.frame["x"].to_list() == [2, 9]
    assert [twice.location(row=i).row for i in range(2)] == [3, 10]


def test_a_part_of_a_whole_table_counts_from_its_first_row() -> None:
    part = ten(101).part(3, 5)
    assert part.frame["x"].to_list() == [3, 4]
    assert part.location(row=1, column="x").row == 105


def test_a_place_without_a_row_names_source_and_column() -> None:
    assert str(ten().location(column="x")) == "ten.csv, column 'x'"


def test_a_missing_column_is_told_with_the_nearest_name() -> None:
    table = Table(pl.DataFrame({"height": [1], "weight": [2]}), "t.csv")
    with pytest.raises(DataError, match="no column 'wieght'") as caught:
        table.column("wieght")
    assert caught.value.hint == "Did you mean 'weight'?"


def test_every_missing_column_is_named_and_the_known_ones_are_listed() -> None:
    with pytest.raises(DataError, match="are no columns 'first' and 'second'") as caught:
        ten().require(["first", "x", "second"])
    assert caught.value.hint == "The columns are 'x'."


def test_control_characters_in_names_are_spelled_out() -> None:
    with pytest.raises(DataError) as caught:
        Table(pl.DataFrame({"a\x1b[31m": [1]}), "t.csv").column("b\x07\n")
    assert "\x1b" not in str(caught.value)
    assert "\x07" not in str(caught.value)


@pytest.mark.slow
def test_thousands_of_columns_are_looked_up_in_no_time() -> None:
    names = [f"column {i}" for i in range(20_000)]
    table = Table(pl.DataFrame({name: [i] for i, name in enumerate(names)}), "wide.csv")
    start = time.process_time()
    table.require(names)
    assert [table.column(name)[0] for name in names] == list(range(20_000))
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("many", [2, 3])
@pytest.mark.parametrize("name", ["*", "^.*$"])
def test_a_column_whose_name_is_a_pattern_is_that_column_alone(
    name: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "MANY_COLUMNS", many)
    frame = pl.DataFrame({"a": ["NA", "x"], name: ["y", "NA"], "empty": [None, None]})
    assert replace_na_values(frame, ["NA"]).to_dict(as_series=False) == {
        "a": [None, "x"],
        name: ["y", None],
        "empty": [None, None],
    }


@pytest.mark.parametrize(
    ("needed", "present", "how"),
    [
        ("region", "Region", "case"),
        ("region", " region ", "spaces"),
        ("monthly charges", "monthly_charges", "spaces"),
        ("region", "\ufeffregion", "byte-order"),
        ("caf\u00e9", "cafe\u0301", "NFC"),
        ("re-gion", "region", "punctuation"),
    ],
)
def test_a_column_of_a_near_name_is_named_with_the_difference_and_the_way_to_mend_it(
    needed: str, present: str, how: str
) -> None:
    table = Table(pl.DataFrame({"x": [1], present: [2]}), "t.csv")
    with raises(DataError, file="t.csv", mentions=how) as caught:
        table.require_features(["x", needed])
    assert caught.value.message == f"the model needs {quote(needed)}; this table has {quote(present)}"
    assert quote(needed) in str(caught.value.hint)
    Table(table.frame.rename({present: needed}), "t.csv").require_features(["x", needed])


def test_a_missing_column_has_no_near_name_if_several_or_none_are_near() -> None:
    for columns in (["Region", "REGION"], ["age"], []):
        table = Table(pl.DataFrame({name: [1] for name in columns}), "t.csv")
        with raises(DataError, file="t.csv", mentions="no such column"):
            table.require_features(["region"])


def test_a_column_that_the_model_uses_is_not_another_one() -> None:
    table = Table(pl.DataFrame({"Region": [1]}), "t.csv")
    with raises(DataError, mentions="no such column"):
        table.require_features(["Region", "region"])


def test_each_missing_column_needs_a_near_name_of_its_own() -> None:
    table = Table(pl.DataFrame({"A B": [1], "c": [1]}), "t.csv")
    with raises(DataError, mentions="no such column"):
        table.require_features(["a b", "a_b"])
    with raises(DataError, mentions="'A B' and 'c'"):
        table.require_features(["a b", "C"])


def test_near_names_are_found_in_a_wide_table_in_a_moment() -> None:
    table = Table(pl.DataFrame({f"Column {i}": [1.0] for i in range(5_000)}), "t.csv")
    started = time.process_time()
    with raises(DataError, mentions="4,999 more"):
        table.require_features([f"column_{i}" for i in range(5_000)])
    assert time.process_time() - started < 2.0


def test_a_table_that_keeps_results_reads_once_and_its_parts_read_for_themselves() -> None:
    reads: list[int] = []

    def read() -> int:
        reads.append(1)
        return len(reads)

    plain = Table(pl.DataFrame({"x": [1, 2, 3]}), "t.csv")
    assert (plain.once("a", read), plain.once("a", read)) == (1, 2)
    cached = plain.with_cache()
    assert (cached.once("a", read), cached.once("a", read), cached.once("b", read)) == (3, 3, 4)
    assert cached.part(0, 5).once("a", read) == 3
    assert cached.part(1, 3).once("a", read) == 5
    assert cached.take(np.array([0, 1])).once("a", read) == 6
    assert plain.once("a", read) == 7
    assert cached.frame is plain.frame


@pytest.mark.parametrize("words", [("",), ("NA", ""), ()])
def test_missing_values_are_replaced_in_few_rows_as_in_many(words: tuple[str, ...]) -> None:
    few = pl.DataFrame(
        {
            "a": ["NA", "x", None],
            "*": ["y", "", "NA "],
            "^c.*$": pl.Series(["NA", "b", None], dtype=pl.Categorical),
            "n": [1.0, None, 2.0],
            "empty": pl.Series([None] * 3, dtype=pl.Null),
        }
    )
    many = pl.concat([few] * table_module.FEW_ROWS)
    assert replace_na_values(few, words).equals(replace_na_values(many, words)[:3], null_equal=True)
