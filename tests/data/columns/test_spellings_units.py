from __future__ import annotations

import shlex
from io import BytesIO

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.config.schema import Config
from nncli.data.columns.parsing import read_numbers, unit_of
from nncli.data.dialect import CsvDialect
from nncli.data.encoders.column_types import ColumnType, infer_kind
from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import ReadOptions
from nncli.data.table import Table
from nncli.fitting.prepare.fit import infer_loss
from nncli.targets.number import RegressionTarget
from nncli.targets.target_base import FitOptions
from tests.data.columns.test_raw_column_ambiguity import refused, texts


@pytest.mark.parametrize(
    ("cells", "unit", "numbers"),
    [
        (["$97465", "$5.5", "-$3"], "$", [97465.0, 5.5, -3.0]),
        (["$ 97465", "$-5.5", "- $ 3", "+$4"], "$", [97465.0, -5.5, -3.0, 4.0]),
        (["12 %", "-7%", " 3.5\xa0% "], "%", [12.0, -7.0, 3.5]),
        (["5 EUR", "7EUR", "-1e3 EUR"], "EUR", [5.0, 7.0, -1000.0]),
        (["USD 5", "USD7"], "USD", [5.0, 7.0]),
        (["US$5", "US$ 7"], "US$", [5.0, 7.0]),
        (["5 €", "€7"], "€", [5.0, 7.0]),
        (["($5)", "(6 $)", "$7"], "$", [-5.0, -6.0, 7.0]),
        (["5", "(6)", "7"], "()", [5.0, -6.0, 7.0]),
        (["4715.-", "-7.\N{EN DASH}", "12.50"], "()", [4715.0, -7.0, 12.5]),
        (["CHF 4715.-", "CHF 12.50", "-5.- CHF"], "CHF", [4715.0, 12.5, -5.0]),
        (["5 €", "12,- €"], "€", [5.0, 12.0]),
        (["6486.00", "7.50-", "12"], "()", [6486.0, -7.5, 12.0]),
        (["6486.00 EUR", "7.50- EUR", "EUR 1.00-"], "EUR", [6486.0, -7.5, -1.0]),
        (["nan", "$5", None], "$", [np.nan, 5.0, np.nan]),
        (["12 kg", "3.5kg", None], "kg", [12.0, 3.5, np.nan]),
        (["120 m²", "-7 m²"], "m²", [120.0, -7.0]),
        (["12 m2", "7.5 m2"], "m2", [12.0, 7.5]),
        (["90 km/h", "7 km/h"], "km/h", [90.0, 7.0]),
        (["12 €/m²", "7 €/m²"], "€/m²", [12.0, 7.0]),
        (["8.2 l/100km", "7l/100km", None], "l/100km", [8.2, 7.0, np.nan]),
        (["8.2 l/100 km", "7 l/100 km"], "l/100 km", [8.2, 7.0]),
        (["18.2 kWh/100km", "7 kWh/100km"], "kWh/100km", [18.2, 7.0]),
        (["90 mg/100ml", "7 mg/100ml"], "mg/100ml", [90.0, 7.0]),
        (["500 sq ft", "7 sq ft"], "sq ft", [500.0, 7.0]),
        (["5 °C", "-7.5 °C"], "°C", [5.0, -7.5]),
        (["5 rooms", "7 rooms"], "rooms", [5.0, 7.0]),
        (['27"', '24"'], '"', [27.0, 24.0]),
    ],
)
def test_one_and_the_same_sign_is_taken_off_of_numbers(
    cells: list[str | None], unit: str, numbers: list[float]
) -> None:
    table = texts(*cells)
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    assert unit_of(table, "x") == unit
    np.testing.assert_array_equal(read_numbers(table, "x", unit), numbers)


def test_whole_amounts_of_money_have_thousands_and_a_minus_behind() -> None:
    swiss = texts("75'606.-", "4'715.-", "950.-", thousands="'")
    assert infer_kind(swiss, "x") is ColumnType.NUMERIC
    np.testing.assert_array_equal(read_numbers(swiss, "x", unit_of(swiss, "x")), [75606.0, 4715.0, 950.0])
    booked = texts("6.486,00", "1.155,00-", "7,50-", thousands=".")
    np.testing.assert_array_equal(read_numbers(booked, "x", unit_of(booked, "x")), [6486.0, -1155.0, -7.5])


def test_whole_amounts_with_other_thousands_are_refused_with_the_setting() -> None:
    error = refused(texts("CHF 75'606.-", "CHF 4'715.-", "CHF 31'260.-", thousands="."))
    assert "looks like a number but cannot be read as one" in error.message
    assert shlex.quote("data.thousands='") in str(error.hint)


@pytest.mark.parametrize("cells", [["1", "2-", "3"], ["1-2", "3-4"], ["A5.-", "A6.-"], ["1.00--", "2.00--"]])
def test_grades_and_ranges_have_no_minus_behind(cells: list[str]) -> None:
    assert unit_of(texts(*cells), "x") is None


@pytest.mark.parametrize(
    "cells",
    [
        ["$5", "€6"],
        ["12%", "13"],
        ["13", "12%"],
        ["5 EUR", "6 USD"],
        ["$5", "$1,234"],
    ],
)
def test_a_mixture_of_signs_or_what_is_no_number_without_them_stays_in_doubt(cells: list[str]) -> None:
    assert unit_of(texts(*cells), "x") is None
    assert "categorical" in str(refused(texts(*cells)).hint)


@pytest.mark.parametrize("cells", [["$5", "$-(6)"], ["$$5", "$6"], ["-(5)", "(6)"]])
def test_a_cell_with_two_signs_is_no_number(cells: list[str]) -> None:
    assert unit_of(texts(*cells), "x") is None


@pytest.mark.parametrize("cells", [["$red", "$blue"], ["A5", "A6"], ["5 kg", "6 lb"], ["EUR", "USD"], ["$", "%"]])
def test_words_with_a_sign_are_categories(cells: list[str]) -> None:
    assert infer_kind(texts(*cells), "x") is ColumnType.CATEGORICAL


def test_thousands_and_a_decimal_comma_are_read_beneath_the_sign() -> None:
    american = texts("$97,465", "$5.50", "($1,000)", thousands=",")
    assert infer_kind(american, "x") is ColumnType.NUMERIC
    np.testing.assert_array_equal(read_numbers(american, "x", "$"), [97465.0, 5.5, -1000.0])
    german = texts("1.234,50 €", "7 €", thousands=".")
    np.testing.assert_array_equal(read_numbers(german, "x", "€"), [1234.5, 7.0])
    spaced = texts("1 234 kr", "7 kr", thousands=" ")
    np.testing.assert_array_equal(read_numbers(spaced, "x", "kr"), [1234.0, 7.0])
    np.testing.assert_array_equal(read_numbers(texts("1 234 SEK", "7 SEK", thousands=" "), "x", "SEK"), [1234.0, 7.0])


def test_money_with_three_digits_behind_the_mark_can_be_read_in_two_ways() -> None:
    error = refused(texts("€950", "€1.200", "€12.000"))
    assert "the number '€1.200' is ambiguous" in error.message
    assert "For 1200 use --set data.thousands=.;" in str(error.hint)
    assert "for 1.200 use --set data.columns.x=numeric." in str(error.hint)
    assert error.location is not None
    assert error.location.row == 2
    for clear in (("€950", "€1.20"), ("€0.200", "€0.5"), ("12.345%", "1.200 %")):
        assert infer_kind(texts(*clear), "x") is ColumnType.NUMERIC


def test_a_fitted_column_keeps_its_sign_and_refuses_another() -> None:
    column = NumericColumn.fit(texts("$1", "$2", "$3"), "x", EncodingOptions(numeric="none"))
    assert (column.unit, column.lowest, column.highest) == ("$", 1.0, 3.0)
    assert NumericColumn.model_validate_json(column.model_dump_json()) == column
    X = np.empty((2, 1))
    column.encode(texts("$2", "3 $"), X)
    assert X[:, 0].tolist() == [2.0, 3.0]
    column.encode(Table(pl.DataFrame({"x": [7, 8]}), "t.parquet"), X)
    assert X[:, 0].tolist() == [7.0, 8.0]
    with pytest.raises(DataError, match=r"'€3' is not a number with '\$'") as caught:
        column.encode(texts("$2", "€3"), X)
    assert "Write the cell like these" in str(caught.value.hint)


def test_a_column_of_a_model_that_is_older_than_units_has_none() -> None:
    column = NumericColumn.fit(texts("1", "2"), "x", EncodingOptions(numeric="none"))
    old = column.model_dump(exclude={"unit"})
    assert NumericColumn.model_validate(old) == column


def test_a_target_with_a_sign_is_read_and_predicted_without() -> None:
    table = texts("$10", "$30")
    target = RegressionTarget.fit(table, ("x",), FitOptions("standard"))
    assert target.units == ("$",)
    assert target.read(table).tolist() == [[10.0], [30.0]]
    assert target.decode(target.encode(target.read(table))).tolist() == [[10.0], [30.0]]
    assert RegressionTarget.fit(texts("1", "2"), ("x",), FitOptions("standard")).units is None


def test_a_semicolon_file_of_euros_tells_its_decimal_mark() -> None:
    def read(text: str) -> CsvDialect:
        return next(iter(read_delimited(BytesIO(text.encode()), "t.csv", ReadOptions()))).dialect

    assert read("x;y\n1,5 €;a\n12,25 €;b\n").decimal == ","
    assert read("x;y\n1.5 %;a\n12.25 %;b\n").decimal == "."
    with pytest.raises(DataError, match="ambiguous"):
        read("x;y\n€1.200;a\n")


@pytest.mark.parametrize(
    "cells",
    [["007 kg", "012 kg"], ["A5", "A6"], ["kg 5", "kg 6"], ["12a", "12b", "13c"], ["1st", "2nd"], ["5kg2x", "6kg2x"]],
)
def test_codes_and_ordinals_have_no_unit(cells: list[str]) -> None:
    assert infer_kind(texts(*cells), "x") is ColumnType.CATEGORICAL


def test_an_exponent_is_no_unit() -> None:
    table = texts("5e3", "7e3")
    assert unit_of(table, "x") is None
    assert read_numbers(table, "x").tolist() == [5000.0, 7000.0]


def test_several_units_of_measures_are_refused_by_name() -> None:
    error = refused(texts(*(f"{i} kg" for i in range(30)), *(f"{i}00 g" for i in range(1, 11))))
    assert "kg in 30, g in 10 of 40 cells" in error.message
    assert error.location is not None
    assert error.location.column == "x"
    assert infer_kind(texts(*(f"{i}{'ab'[i % 2]}" for i in range(1, 40))), "x") is ColumnType.CATEGORICAL


@pytest.mark.parametrize("odd", ["500", "500 lbm", "light"])
def test_a_few_cells_without_the_unit_of_the_others_are_refused_by_name(odd: str) -> None:
    error = refused(texts(*(f"{i} kg" for i in range(30)), odd))
    assert f"'{odd}' is not a number with 'kg'; 30 of 31 cells are" in error.message
    assert error.location is not None
    assert error.location.row == 31


def test_three_digits_behind_the_mark_of_a_measure_are_a_fraction() -> None:
    table = texts("1.250 kg", "12.500 kg")
    assert infer_kind(table, "x") is ColumnType.NUMERIC
    assert read_numbers(table, "x", "kg").tolist() == [1.25, 12.5]


def test_few_whole_numbers_with_a_word_may_be_classes() -> None:
    stars = texts(*[f"{i % 5 + 1} stars" for i in range(100)])
    loss, finding = infer_loss(Config.model_validate({"data": {"path": "t.csv", "target": "x"}}), stars)
    assert loss.type == "cross_entropy"
    assert finding is not None


def test_a_semicolon_file_of_kilograms_tells_its_decimal_mark() -> None:
    table = next(iter(read_delimited(BytesIO(b"x;y\n1,5 kg;a\n12,25 kg;b\n"), "t.csv", ReadOptions())))
    assert table.dialect.decimal == ","
