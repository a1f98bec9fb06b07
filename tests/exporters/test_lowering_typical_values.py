from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.exporters.lowering import with_typical_values
from nncli.nn.program.inputs import DateInput, NumberInput, TextInput
from nncli.run_directory.monitoring.reference import Bins, CategoryBins, NumberBins, Reference
from tests.runtimes.hostile import category_input, program_of

COLUMNS = (
    NumberInput("x", typical=0.25),
    category_input("color", ["blue", "red"]),
    category_input("size", ["L"]),
    DateInput("day", ("iso",), typical=0.5),
    TextInput("note", ("good",)),
)


def typical_of(*bins: Bins) -> list[float | str | None]:
    inputs = with_typical_values(program_of(COLUMNS), Reference(7, 7, bins, ())).inputs
    return [None if isinstance(column, TextInput) else column.typical for column in inputs]


def test_the_most_frequent_category_that_the_model_knows_is_typical() -> None:
    cells = pl.Series(["rare", "rare", "rare", "red", "red", "blue", None])
    assert typical_of(CategoryBins.fit("color", cells, 10, 100)) == [0.25, "red", None, 0.5, None]


def test_the_median_of_numbers_and_dates_is_typical() -> None:
    x = NumberBins.fit("x", "number", np.array([1.0, 9.0, np.nan, 2.0, 2.0, np.nan, 7.0]), 201)
    day = NumberBins.fit("day", "date", np.array([10.0, 11.0, 15.0]), 11)
    assert typical_of(x, day) == [2.0, None, None, 11.0, None]


def test_a_column_that_is_mostly_missing_has_no_typical_value() -> None:
    x = NumberBins.fit("x", "number", np.array([1.0, np.nan, np.nan]), 201)
    day = NumberBins.fit("day", "date", np.full(3, np.nan), 201)
    color = CategoryBins.fit("color", pl.Series(["red", "red", "blue", None, None, None]), 10, 100)
    assert typical_of(x, color, day) == [None] * 5
    assert typical_of(CategoryBins.fit("color", pl.Series(["red", "red", None, None]), 10, 100))[1] == "red"


def test_a_column_of_another_kind_in_the_profile_keeps_its_typical_value() -> None:
    length = NumberBins.fit("note", "length", np.arange(7.0), 11)
    color = NumberBins.fit("color", "number", np.arange(7.0), 11)
    assert typical_of(length, color) == [0.25, None, None, 0.5, None]


def test_without_a_profile_typical_values_are_those_of_the_encoders() -> None:
    program = program_of(COLUMNS)
    assert with_typical_values(program, None) == program


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300))
def test_the_typical_number_is_a_training_value_near_the_median(values: list[float]) -> None:
    result = typical_of(NumberBins.fit("x", "number", np.array(values), 201))[0]
    assert result in values
    assert isinstance(result, float)
    below, above = sum(x < result for x in values), sum(x > result for x in values)
    assert max(below, above) <= len(values) / 2.0 + 0.005 * len(values)


@pytest.mark.parametrize("n_quantiles", [11, 12, 201])
def test_the_middle_of_many_values_is_found_with_any_number_of_quantiles(n_quantiles: int) -> None:
    result = typical_of(NumberBins.fit("x", "number", np.arange(1001.0), n_quantiles))[0]
    assert result == pytest.approx(500.0, abs=500.0 / (n_quantiles - 1) + 1.0)
