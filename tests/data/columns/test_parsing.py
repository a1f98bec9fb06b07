from __future__ import annotations

import datetime as dt
import math
import re
import shlex
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.base.text import yaml_quote
from nncli.data.columns import parsing
from nncli.data.columns.parsing import exact_numbers, may_be_class_ids, parse_numbers, read_numbers, read_text
from nncli.data.dialect import PLAIN_NUMBERS
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.table import Table
from tests.config.test_overrides import values

NUMBERS = {
    "5": 5.0,
    "+5": 5.0,
    "-5": -5.0,
    " 5 ": 5.0,
    "\t5": 5.0,
    "\xa05": 5.0,
    ".5": 0.5,
    "5.": 5.0,
    "1e5": 1e5,
    "1E-5": 1e-5,
    "-0": -0.0,
    "1e-400": 0.0,
    "9007199254740992": 9007199254740992.0,
}
INFINITE = ["inf", "-inf", "Infinity", "+INF", "1e400", "-1e400", "9" * 400]
NOT_NUMBERS = [
    "1_000",
    "1,000",
    "1,5",
    "1 000",
    "1'000",
    "0x10",
    "５",
    "٥",
    "−5",
    "--5",
    "+ 5",
    "1d5",
    "1e",
    "e5",
    ".",
    "-",
    "5%",
    "$5",
    "5\x00",
    "\ufeff5",
    "true",
    "1/2",
    "2020-01-01",
    "",
    " ",
    "🐧",
]
WITH_LEADING_ZERO = ["007", "+007", "-007", "00", " 007", "\t01", "01.5"]
TYPED = [
    pl.Series("when", [dt.date(2020, 1, 1), None]),
    pl.Series("when", [dt.datetime(2020, 1, 1), None]),
    pl.Series("when", [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]),
    pl.Series("when", [dt.time(12), None]),
    pl.Series("when", [dt.timedelta(days=1), None]),
    pl.Series("when", [[1], None]),
    pl.Series("when", [[1, 2]], dtype=pl.Array(pl.Int64, 2)),
    pl.Series("when", [{"a": 1}]),
    pl.Series("when", [b"\xff"]),
    pl.Series("when", [object()], dtype=pl.Object),
]


def table_of(cells: pl.Series) -> Table:
    return Table(cells.to_frame(), "t.csv")


def texts(*cells: str | None) -> Table:
    return table_of(pl.Series("x", cells, dtype=pl.String))


def pasted(hint: str | None) -> Any:
    """What the last options of a hint set under data."""
    result = re.search(r"(?s).*(--(?:set|drop) .*)\.", hint or "")
    assert result
    option, value = shlex.split(result[1])
    return {"drop": [value]} if option == "--drop" else values("data: {}", value)["data"]


@pytest.mark.parametrize("cell", NUMBERS)
def test_a_cell_that_people_read_as_a_number_is_one(cell: str) -> None:
    table = texts("1", cell, None)
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    x = read_numbers(table, "x")
    assert (x[1], math.copysign(1.0, x[1])) == (NUMBERS[cell], math.copysign(1.0, NUMBERS[cell]))
    assert np.isnan(x[2])


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_a_cell_that_is_no_number_among_numbers_is_refused(cell: str) -> None:
    table = texts("1", None, cell, "2")
    for read in (infer_kind, read_numbers):
        with pytest.raises(DataError, match="is not a number") as caught:
            read(table, "x")
        assert caught.value.location == table.location(row=2, column="x")
        assert pasted(caught.value.hint) == {"columns": {"x": "categorical"}}


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_words_make_categories_even_with_some_numbers_among_them(cell: str) -> None:
    assert infer_kind(texts("red", None, "1", "green", cell, "blue"), "x") is ColumnType.CATEGORICAL


@pytest.mark.parametrize("cell", INFINITE)
def test_an_infinite_cell_is_refused_and_does_not_turn_numbers_into_categories(cell: str) -> None:
    table = texts("1", None, cell)
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    what = "too large to be a number" if any(map(str.isdigit, cell)) else "not a finite number"
    with pytest.raises(DataError, match=f"is {what}") as caught:
        read_numbers(table, "x")
    assert caught.value.location == table.location(row=2, column="x")


@pytest.mark.parametrize("cell", ["nan", "NaN", "-nan", " NAN "])
def test_nan_is_a_missing_number(cell: str) -> None:
    table = texts("1", cell)
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    assert np.isnan(read_numbers(table, "x")).tolist() == [False, True]
    assert infer_kind(texts(cell, None), "x") is ColumnType.EMPTY


@pytest.mark.parametrize("cell", WITH_LEADING_ZERO)
def test_a_leading_zero_makes_an_id(cell: str) -> None:
    assert infer_kind(texts("1", cell), "x") is ColumnType.CATEGORICAL
    assert read_text(texts("1", cell), "x").to_list() == ["1", cell]


@pytest.mark.parametrize("cell", ["0", "0.5", "-0.5", "+0", " 0", "0e1", "10"])
def test_a_zero_before_the_point_makes_no_id(cell: str) -> None:
    assert infer_kind(texts("1", cell), "x") is ColumnType.NUMERIC


def test_one_word_after_thousands_of_numbers_is_refused_by_its_row() -> None:
    with pytest.raises(DataError, match="row 5,000, column 'x': 'unknown' is not a number; 4,999 of 5,000 cells are"):
        infer_kind(texts(*map(str, range(1, 5000)), "unknown"), "x")


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_from_their_spelling_bit_for_bit(numbers: list[float | None]) -> None:
    cells = pl.Series("x", [None if x is None else repr(x) for x in numbers], dtype=pl.String)
    expected = [None if x is None else x.hex() for x in numbers]
    assert [None if x is None else x.hex() for x in parse_numbers(cells, PLAIN_NUMBERS)] == expected


def read_fails(table: Table) -> bool:
    with pytest.raises(DataError, match="is not a number"):
        read_numbers(table, "x")
    return True


@pytest.mark.slow
@given(st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from([*NUMBERS, *INFINITE])))
def test_the_kind_and_the_reader_agree_on_any_text(cells: list[str | None]) -> None:
    table = texts(*cells)
    try:
        kind = infer_kind(table, "x")
    except DataError as error:
        assert "is it an id" in error.message or read_fails(table)  # noqa: PT017
        return
    try:
        x = read_numbers(table, "x")
    except DataError as error:
        infinite = "finite" in error.message or "too large" in error.message
        assert kind is ColumnType.CATEGORICAL or (infinite and kind is ColumnType.NUMERIC)
        return
    zeros = any(re.match(r"\s*[+-]?0[0-9]", cell) for cell in cells if cell is not None)
    empty = bool(np.isnan(x).all())
    assert kind is (ColumnType.CATEGORICAL if zeros else ColumnType.EMPTY if empty else ColumnType.NUMERIC)


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (pl.Series("x", [1, None, 2**53]), ColumnType.NUMERIC, [1.0, None, 2.0**53]),
        (pl.Series("x", [2**63], dtype=pl.UInt64), ColumnType.NUMERIC, [2.0**63]),
        (pl.Series("x", [2**100, None], dtype=pl.Int128), ColumnType.NUMERIC, [2.0**100, None]),
        (pl.Series("x", [Decimal("1.10"), None]), ColumnType.NUMERIC, [1.1, None]),
        (pl.Series("x", [1.5, math.nan, None]), ColumnType.NUMERIC, [1.5, None, None]),
        (pl.Series("x", [0.5, math.nan], dtype=pl.Float32), ColumnType.NUMERIC, [0.5, None]),
        (pl.Series("x", [math.nan, None], dtype=pl.Float64), ColumnType.EMPTY, [None, None]),
        (pl.Series("x", [None, None]), ColumnType.EMPTY, [None, None]),
        (pl.Series("x", [], dtype=pl.String), ColumnType.EMPTY, []),
        (pl.Series("x", [True, None, False]), ColumnType.CATEGORICAL, [1.0, None, 0.0]),
        (pl.Series("x", ["1", " 2", None], dtype=pl.Categorical), ColumnType.CATEGORICAL, [1.0, 2.0, None]),
        (pl.Series("x", ["1", None], dtype=pl.Enum(["1", "2"])), ColumnType.CATEGORICAL, [1.0, None]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_typed_columns_are_told_apart_and_read(
    cells: pl.Series, kind: ColumnType, expected: list[float | None]
) -> None:
    assert infer_kind(table_of(cells), "x") is kind
    x = read_numbers(table_of(cells), "x")
    assert [None if np.isnan(value) else value for value in x] == expected


def test_an_infinite_cell_of_a_typed_column_is_refused() -> None:
    table = table_of(pl.Series("x", [1.0, math.nan, math.inf]))
    with pytest.raises(DataError, match="'inf' is not a finite number") as caught:
        read_numbers(table, "x")
    assert caught.value.location == table.location(row=2, column="x")


def test_a_cell_in_a_typed_column_of_categories_is_refused_as_text_is() -> None:
    with pytest.raises(DataError, match="'two' is not a number"):
        read_numbers(table_of(pl.Series("x", ["1", "two"], dtype=pl.Categorical)), "x")


@pytest.mark.parametrize("cells", TYPED, ids=lambda cells: str(cells.dtype))
def test_what_is_neither_number_nor_category_is_refused_with_a_way_out(cells: pl.Series) -> None:
    is_date = cells.dtype in (pl.Date, pl.Datetime)
    assert infer_kind(table_of(cells), "when") is (ColumnType.DATE if is_date else ColumnType.CATEGORICAL)
    for read in (read_numbers, read_text):
        with pytest.raises(DataError, match="dates or times" if cells.dtype.is_temporal() else "neither") as caught:
            read(table_of(cells), "when")
        assert pasted(caught.value.hint) == {"drop": ["when"]}
        assert caught.value.location == table_of(cells).location(column="when")


def test_dates_in_text_are_dates_that_can_be_read_as_text_too() -> None:
    table = texts("2020-01-01", "2020-01-02", None)
    assert infer_kind(table, "x") is ColumnType.DATE
    assert read_text(table, "x").to_list() == ["2020-01-01", "2020-01-02", None]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pl.Series("x", [1, None, 9007199254740993]), ["1", None, "9007199254740993"]),
        (pl.Series("x", [2**64 - 1], dtype=pl.UInt64), ["18446744073709551615"]),
        (pl.Series("x", [2**100], dtype=pl.Int128), [str(2**100)]),
        (pl.Series("x", [True, False, None]), ["true", "false", None]),
        (pl.Series("x", ["b", None, "a"], dtype=pl.Categorical), ["b", None, "a"]),
        (pl.Series("x", ["b", None], dtype=pl.Enum(["b", "a"])), ["b", None]),
        (pl.Series("x", [None, None]), [None, None]),
        (pl.Series("x", [Decimal("1.10"), None, Decimal("20.00")]), ["1.1", None, "20"]),
        (pl.Series("x", [1.0, 1.5, math.nan, None, -0.0, -3.0]), ["1", "1.5", None, None, "0", "-3"]),
        (pl.Series("x", [1.0, 0.1, math.nan], dtype=pl.Float32), ["1", "0.1", None]),
    ],
    ids=lambda value: str(value.dtype) if isinstance(value, pl.Series) else "",
)
def test_typed_columns_are_spelled_out(cells: pl.Series, expected: list[str | None]) -> None:
    assert read_text(table_of(cells), "x").to_list() == expected


@given(st.lists(st.none() | st.integers(-(2**53), 2**53)))
def test_whole_numbers_are_spelled_alike_in_integers_and_floats(numbers: list[int | None]) -> None:
    integers = read_text(table_of(pl.Series("x", numbers, dtype=pl.Int64)), "x")
    floats = read_text(table_of(pl.Series("x", numbers, dtype=pl.Float64, strict=False)), "x")
    assert integers.to_list() == floats.to_list()


@given(st.lists(st.floats()))
def test_different_numbers_are_spelled_differently(numbers: list[float]) -> None:
    spelled = read_text(table_of(pl.Series("x", numbers, dtype=pl.Float64)), "x")
    assert [math.nan if s is None else float(s) for s in spelled] == pytest.approx(numbers, rel=0, abs=0, nan_ok=True)


@given(st.text(st.characters(codec="utf-8")))
def test_a_hint_is_yaml_that_can_be_pasted_whatever_the_name(name: str) -> None:
    table = Table(pl.DataFrame({name: ["x"], name + "'s time": [dt.date(2020, 1, 1)]}), "t.csv")
    with pytest.raises(DataError) as caught:
        read_numbers(table, name)
    assert yaml.safe_load(f"columns: {{{yaml_quote(name)}: categorical}}") == {"columns": {name: "categorical"}}
    assert pasted(caught.value.hint) == {"columns": {name: "categorical"}}
    assert all(c.isprintable() or c in "\n\xa0\u202f\u3000\u200c\u200d" for c in str(caught.value))


@pytest.mark.parametrize(
    "name", ["a: b", "yes", "1", "a.b", "#x", '"', "\\n", "a\nb", "🐧\u200d", "\u202e", "n" * 99, ""]
)
def test_a_name_that_yaml_would_misread_is_quoted_in_the_hint(name: str) -> None:
    with pytest.raises(DataError) as caught:
        read_text(table_of(pl.Series(name, [dt.date(2020, 1, 1)])), name)
    assert pasted(caught.value.hint) == {"drop": [name]}


@pytest.mark.parametrize(
    ("numbers", "may_be"),
    [
        ([0.0, 1.0, None, 20.0], True),
        ([0.5, 1.0], False),
        ([-1.0, 1.0], False),
        ([1.0, 21.0], False),
        ([None, None], True),
        ([], True),
    ],
)
def test_numbers_may_be_codes_of_classes_until_one_says_otherwise(numbers: list[float | None], may_be: bool) -> None:
    assert may_be_class_ids(pl.Series(numbers, dtype=pl.Float64)) is may_be


@pytest.mark.parametrize("cell", [*INFINITE, *NOT_NUMBERS, *WITH_LEADING_ZERO, "nan", str(2**53), str(2**53 + 1)])
@pytest.mark.parametrize("many", [3, 1])
def test_cells_of_which_more_than_the_number_may_matter(cell: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "MANY_COLUMNS", many + 1)
    texts = pl.DataFrame({"odd": ["1", cell], "plain": ["2", None], "nothing": [None, None]}).cast(pl.String)
    result = exact_numbers(texts, PLAIN_NUMBERS)
    assert {name: x.to_list() for name, x in result.items()} == {"plain": [2.0, None], "nothing": [None, None]}


@given(
    st.lists(
        st.lists(
            st.none() | st.sampled_from([*NUMBERS, *NOT_NUMBERS, " 5", "-7 ", "007", "nan", "1e999"]),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_many_columns_at_once_have_the_exact_numbers_of_single_ones(columns: list[list[str | None]]) -> None:
    texts = pl.DataFrame({f"x{j}": pl.Series(cells, dtype=pl.String) for j, cells in enumerate(columns)})
    result = []
    for many in (1, 100):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(parsing, "MANY_COLUMNS", many)
            result.append({name: x.to_list() for name, x in exact_numbers(texts, PLAIN_NUMBERS).items()})
    assert result[0] == result[1]


def test_numbers_of_which_nothing_else_can_matter() -> None:
    spelled = [cell for cell in NUMBERS if cell != str(2**53)]
    result = exact_numbers(pl.DataFrame({"n": [*spelled, None]}), PLAIN_NUMBERS)
    assert result["n"].to_list() == [*(NUMBERS[cell] for cell in spelled), None]
