from __future__ import annotations

import shlex

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.data.columns.parsing import read_numbers
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.profile import profile
from nncli.data.store.column_store import write_store
from nncli.data.table import Table


def table_of(cells: pl.Series, **dialect: str) -> Table:
    return Table(cells.alias("x").to_frame(), "t.csv", dialect=CsvDialect(**dialect).resolved())


def texts(*cells: str | None, **dialect: str) -> Table:
    return table_of(pl.Series(cells, dtype=pl.String), **dialect)


def refused(table: Table) -> DataError:
    with pytest.raises(DataError) as caught:
        infer_kind(table, "x")
    return caught.value


@pytest.mark.parametrize(
    ("cells", "way"),
    [
        (["1,5", "2,25"], "With --set data.decimal=, it is 1.5."),
        (["1,234", "5,678"], "With --set data.decimal=, it is 1.234, with --set data.thousands=, it is 1234."),
        (["1.234,5", "1,5"], "With --set data.decimal=, and --set data.thousands=. it is 1234.5."),
        (["1,234.5", "2,000.5"], "With --set data.thousands=, it is 1234.5."),
        (["1 234", "5 678"], "With --set 'data.thousands=\" \"' it is 1234."),
        (["1\xa0234", "5\u202f678"], "With --set 'data.thousands=\" \"' it is 1234."),
        (["1'234'567", "5'678"], "With --set " + shlex.quote("data.thousands='") + " it is 1234567."),
        (["12%", "$13"], "have the same one"),
        (["$5", "€ 6.50"], "have the same one"),
        (["(1,000)", "(5)"], "With --set data.decimal=, it is 1.000, with --set data.thousands=, it is 1000."),
        (["$1,234.5", "$6"], "With --set data.thousands=, it is 1234.5."),
        (["５", "６．５"], "digits 0 to 9"),
        (["٥", "٦"], "digits 0 to 9"),
        (["−5", "−6"], "digits 0 to 9"),
    ],
)
def test_a_column_of_what_a_person_reads_as_numbers_is_no_column_of_categories(cells: list[str], way: str) -> None:
    error = refused(texts(None, *cells))
    assert "looks like a number but cannot be read as one; so do 2 of 2 cells" in error.message
    assert error.location is not None
    odd = 3 if "same one" in way else 2  # the first that is not like those before it
    assert (error.location.row, error.location.column) == (odd, "x")
    assert way in str(error.hint)
    assert "categorical" in str(error.hint)


@pytest.mark.parametrize("form", ["{h}:{m:02}:03", "{h:02}:{m:02}:00", " {h}:{m:02}:59.25 "])
def test_durations_of_many_values_are_refused_with_what_to_do(form: str) -> None:
    cells = [form.format(h=i % 24, m=i % 60) for i in range(100)]
    error = refused(texts(None, *cells, "?"))
    assert error.location is not None
    assert (error.location.row, error.location.column) == (2, "x")
    assert "100 of 101 cells" in error.message
    assert "--drop x" in str(error.hint)
    assert "data.columns.x=categorical" in str(error.hint)
    few = [form.format(h=i % 8, m=0) for i in range(100)]
    assert infer_kind(texts(*few), "x") is ColumnType.CATEGORICAL
    frame = pl.DataFrame({"x": cells, "few": few, "word": ["a", "b"] * 50})
    with Scratch() as scratch:
        store = write_store(lambda: iter([Table(frame, "t")]), lambda table: table.names, scratch, text_columns=())
        assert [of_column.error is not None for of_column in profile(store)] == [True, False, False]


@pytest.mark.parametrize(
    ("odd", "way"),
    [
        ("n/a", 'data.missing_values=["n/a", "other"]'),
        ("?", "data.missing_values"),
        ("2024-01-05", "a date"),
        ("05.01.2024", "a date"),
        ("12:30", "a time"),
        ("unbekannt", "data.missing_values="),
        ("3+", "categorical"),
        ("true", "categorical"),
        ("1,5", "data.decimal"),
    ],
)
def test_an_odd_cell_among_numbers_is_named_with_the_mends(odd: str, way: str) -> None:
    error = refused(texts("1", "2", odd, "4", "other"))
    assert error.message.startswith(f"'{odd}' is not a number; 3 of 5 cells are numbers")
    assert error.location is not None
    assert error.location.row == 3
    assert way in str(error.hint)


def test_the_words_among_numbers_are_named_with_their_counts() -> None:
    error = refused(texts(*(str(i) for i in range(30)), "soon", "later", "soon"))
    assert "30 of 33 cells are numbers, 'soon' 2, 'later' 1" in error.message
    assert 'data.missing_values=["soon", "later"]' in str(error.hint)


@pytest.mark.parametrize(
    "cells",
    [
        ["1", "2", "a", "b"],
        ["1,5", "2,5", "a", "b"],
        ["2009-10", "2010-11"],
        ["2024-01", "2024-13"],
        ["true", "false", "yes", "1"],
        ["18-25", "26-35"],
        ["3 kg", "4 lb"],
        ["10.0.0.1", "10.0.0.2"],
        ["1.2.3", "1.2.4"],
        ["A1", "007"],
        ["007", "008", "9", "K9"],
        ["x", "$", "-", "%"],
    ],
)
def test_what_is_not_mostly_numbers_is_categories(cells: list[str]) -> None:
    assert infer_kind(texts(*cells), "x") is ColumnType.CATEGORICAL


def test_few_cells_of_which_the_odd_are_as_common_as_the_numbers_are_categories() -> None:
    doors = ["2", "3", "4", "5more"]
    assert infer_kind(texts(*doors * 10), "x") is ColumnType.CATEGORICAL
    assert infer_kind(texts(*doors * 2), "x") is ColumnType.CATEGORICAL
    refused(texts(*doors))  # no cell repeats
    refused(texts(*doors * 2, *["2", "3", "4"] * 40))  # the odd one is a rare slip
    refused(texts(*["2", "3", "12%"] * 20))  # it looks like a number
    refused(texts(*[str(n) for n in range(20)] * 10, *["odd"] * 10))  # too many


@pytest.mark.parametrize(
    ("cells", "settings", "numbers"),
    [
        (["1,5", "-2,25e1", "3", " ,5 ", "nan"], {"decimal": ","}, [1.5, -22.5, 3.0, 0.5, None]),
        (["1.234,5", "1.234.567", "12"], {"decimal": ",", "thousands": "."}, [1234.5, 1234567.0, 12.0]),
        (["1.234,5", "12"], {"thousands": "."}, [1234.5, 12.0]),
        (["1,234.5", "1234"], {"thousands": ","}, [1234.5, 1234.0]),
        (["1 234", "1\xa0234", "1\u202f234,5"], {"decimal": ",", "thousands": " "}, [1234.0, 1234.0, 1234.5]),
        (["1'234.5"], {"thousands": "'"}, [1234.5]),
    ],
)
def test_numbers_are_read_as_the_dialect_says(
    cells: list[str], settings: dict[str, str], numbers: list[float | None]
) -> None:
    table = texts(*cells, **settings)
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    assert [None if x != x else x for x in read_numbers(table, "x")] == numbers


@pytest.mark.parametrize(
    ("cell", "settings"),
    [
        ("1.5", {"decimal": ","}),
        ("1.234", {"decimal": ","}),
        ("1,2,3", {"decimal": ","}),
        ("1,23", {"thousands": ","}),
        ("12,34,567", {"thousands": ","}),
        ("1234,567", {"thousands": ","}),
        ("1.5,000", {"thousands": ","}),
        ("1  234", {"thousands": " "}),
        ("1.23", {"decimal": ",", "thousands": "."}),
    ],
)
def test_what_the_dialect_does_not_read_is_refused(cell: str, settings: dict[str, str]) -> None:
    with pytest.raises(DataError, match="is not a number"):
        read_numbers(texts(cell, **settings), "x")
    with pytest.raises(DataError, match="not a number"):
        infer_kind(texts("1", "2", cell, **settings), "x")


@pytest.mark.parametrize(
    "cells",
    [
        pl.Series(["1", "9007199254740993"]),
        pl.Series(["1", " -9007199254740993 "]),
        pl.Series([1, None, 2**53 + 1]),
        pl.Series([2**64 - 1], dtype=pl.UInt64),
        pl.Series([2**100 + 1], dtype=pl.Int128),
    ],
    ids=str,
)
def test_whole_numbers_that_would_lose_digits_are_ids(cells: pl.Series) -> None:
    error = refused(table_of(cells))
    assert "has more digits than a float64 can represent" in error.message
    assert error.location is not None
    assert error.location.row == len(cells)
    assert "--drop x" in str(error.hint)


@pytest.mark.parametrize("cell", ["9007199254740992", "1e300", "9007199254740993.0", "1" + "0" * 22])
def test_large_numbers_that_lose_nothing_are_numbers(cell: str) -> None:
    assert infer_kind(texts("1", cell), "x") is ColumnType.NUMERIC


def test_grouped_whole_numbers_that_would_lose_digits_are_ids() -> None:
    assert "9007199254740993" in refused(texts("9,007,199,254,740,993", thousands=",")).message


numbers = st.from_regex(r"[+-]?([1-9][0-9]{0,8}|0)([.][0-9]{1,4})?(e-?[0-9])?", fullmatch=True)


@pytest.mark.slow
@given(
    st.lists(numbers, min_size=1),
    st.sampled_from([(".", None), (",", None), (".", ","), (",", "."), (".", "'"), (",", " "), (".", " ")]),
    st.booleans(),
)
def test_numbers_in_any_spelling_are_read_as_the_same_or_refused(
    numbers: list[str], marks: tuple[str, str | None], told: bool
) -> None:
    mark, group = marks
    cells = []
    for number in numbers:
        whole, point, rest = number.partition(".")
        digits = whole.lstrip("+-")
        if group and digits.isdigit():
            whole = whole[: len(whole) - len(digits)] + f"{int(digits):,}".replace(",", group)
        cells.append(whole + point.replace(".", mark) + rest)
    settings = {"decimal": mark} | ({"thousands": group} if group else {}) if told else {}
    try:
        x = read_numbers(texts(*cells, **settings), "x")
    except DataError:
        assert not told
        return
    # Untold, 1.234 is a fraction: nothing in a single column could say otherwise. The file's beginning can.
    if told or not any("." in cell for cell in cells):
        assert x.tolist() == [float(number) for number in numbers]
