from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.parsing import parse_numbers
from nncli.data.columns.spellings import alternative_categories, alternative_numbers, boolean_numbers
from nncli.data.dialect import CsvDialect

COMMA = {"decimal": ","}
POINT = {"decimal": "."}


@pytest.mark.parametrize(
    ("cell", "unit", "dialect", "number"),
    [
        ("1,234.5", None, POINT, 1234.5),
        ("68.000", "km", {"decimal": ",", "thousands": "."}, 68000.0),
        ("-1.068.000,5", "km", {"decimal": ",", "thousands": "."}, -1068000.5),
        ("68,000", "$", {"decimal": ".", "thousands": ","}, 68000.0),
        ("68.000", "%", {"decimal": ",", "thousands": "."}, None),
        ("68.00", "km", {"decimal": ",", "thousands": "."}, None),
        ("1068.000", "km", {"decimal": ",", "thousands": "."}, None),
        ("68.000", "km", COMMA, None),
        ("1,234,567", None, POINT, 1234567.0),
        ("1 234", None, POINT, 1234.0),
        ("1\u202f234", None, POINT, 1234.0),
        ("1'234.5", None, POINT, 1234.5),
        ("\u22125", None, POINT, -5.0),
        ("1.234.567", None, COMMA, 1234567.0),
        ("1.234,5", None, COMMA, 1234.5),
        ("1200.5", "$", POINT, 1200.5),
        ("-1200.5", "$", POINT, -1200.5),
        ("(12)", "$", POINT, -12.0),
        ("1,200.50", "$", POINT, 1200.5),
        ("$1,200.50", "$", POINT, 1200.5),
        ("1,200.5 %", "%", POINT, 1200.5),
        # more than one meaning, or a sign that the table has another decimal mark
        ("1,234", None, POINT, None),
        ("3,5", None, POINT, None),
        ("1.234,5", None, POINT, None),
        ("1.234", None, COMMA, None),
        ("3.5", None, COMMA, None),
        ("0.12", "%", POINT, None),
        ("12", "\u2030", POINT, None),
        ("\u20ac5", "$", POINT, None),
        ("12%", "$", POINT, None),
        ("$5", None, POINT, None),
        ("0,123,456", None, POINT, None),
        ("1,23,456.5", None, POINT, None),
        ("$$5", "$", POINT, None),
        ("e1", None, POINT, None),
        ("", None, POINT, None),
    ],
)
def test_a_number_in_another_spelling_is_read_if_it_has_one_meaning(
    cell: str, unit: str | None, dialect: dict[str, str], number: float | None
) -> None:
    assert alternative_numbers(pl.Series([cell]), CsvDialect(**dialect), unit).to_list() == [number]


@given(st.floats(-1e9, 1e9), st.sampled_from([",", " ", "'", "_"]))
def test_a_number_with_separators_and_a_fraction_is_itself(x: float, separator: str) -> None:
    cell = f"{x:,.2f}".replace(",", separator)
    dialect = CsvDialect(decimal=".")
    plain = parse_numbers(pl.Series([cell]), dialect)
    result = plain.fill_null(alternative_numbers(pl.Series([cell]), dialect, None)[0])
    assert result.to_list() == [float(f"{x:.2f}")]


@pytest.mark.slow
@given(st.lists(st.text(max_size=8)))
def test_no_text_breaks_the_search(cells: list[str]) -> None:
    words = pl.Series(cells, dtype=pl.String)
    assert len(alternative_numbers(words, CsvDialect(decimal="."), "$")) == len(cells)
    assert len(alternative_categories(words, ["a", "b"])) == len(cells)


@pytest.mark.parametrize(
    ("cell", "categories", "category"),
    [
        (" red", ("red", "blue"), "red"),
        ("red", (" red", "blue"), " red"),
        ("Red", ("red", "blue"), None),
        ("red ", ("red", " red"), None),
        ("TRUE", ("false", "true"), "true"),
        ("true", ("False", "True"), "True"),
        (" YES", ("no", "yes"), "yes"),
        ("yes", ("false", "true"), None),
        ("True", ("true", "false", "unknown"), None),
        ("3.0", ("3", "4"), "3"),
        ("3", ("3.0", "4.0"), "3.0"),
        ("3.00", ("3.0", "4.0"), "3.0"),
        ("03", ("3", "4"), None),
        ("3.5", ("3", "4"), None),
        ("1.0", ("0", "1"), "1"),
        ("1.0.0", ("1", "2"), None),
    ],
)
def test_a_category_in_another_spelling_is_read_if_it_has_one_meaning(
    cell: str, categories: tuple[str, ...], category: str | None
) -> None:
    assert alternative_categories(pl.Series([cell]), categories).to_list() == [category]


def test_true_and_false_are_one_and_zero() -> None:
    assert boolean_numbers(pl.Series(["True", " FALSE ", "yes", "1"])).to_list() == [1.0, 0.0, None, None]
