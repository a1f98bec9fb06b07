from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import CellError
from nncli.data.table import Table
from nncli.exporters.read_inputs import read_input
from nncli.integrations.python.standalone.predictions import cell_reader, read_column
from nncli.nn.program.inputs import DateInput, NumberInput, ProgramInput, TextInput
from tests.runtimes.hostile import category_input, frames, program_of, programs, unreadable

NUMBER, DATE = NumberInput("x", reads_booleans=True), DateInput("x", ("%d.%m.%Y",))
PROGRAM = program_of([NUMBER])


def read(column: ProgramInput, *cells: object) -> list[object]:
    values = read_column(cell_reader(column, PROGRAM), column.name, column.width, cells, 1)
    return [*values.tolist()] if column.width > 1 else [*values[:, 0].tolist()]


@pytest.mark.slow
@given(st.data())
def test_columns_have_the_values_that_polars_reads(data: st.DataObject) -> None:
    program = data.draw(programs())
    table = data.draw(frames(program))
    for column in program.inputs:
        cells = table[column.name].to_list()
        values = read_column(cell_reader(column, program), column.name, column.width, cells, 1)
        np.testing.assert_array_equal(values, read_input(column, Table(table, "t")))


@pytest.mark.parametrize("column", [NUMBER, DATE])
def test_a_cell_that_predict_refuses_is_refused_with_its_row_its_column_and_what_was_expected(
    column: ProgramInput,
) -> None:
    for cell in unreadable(column):
        with pytest.raises(CellError):
            read_input(column, Table(pl.DataFrame({"x": [cell]}), "t"))
        with pytest.raises(ValueError, match=r"^row 2, column 'x': .* is not .*; expected a (number|date) ") as caught:
            read(column, None, cell)
        assert repr(cell) in str(caught.value)


def test_numbers_of_every_type_are_read() -> None:
    cells = (1, 2.5, np.float32(0.5), np.int64(7), Decimal("1.25"), True, np.bool_(False), " 3 ", "TRUE")
    assert read(NUMBER, *cells) == [1.0, 2.5, 0.5, 7.0, 1.25, 1.0, 0.0, 3.0, 1.0]


def test_missing_cells_are_nan_or_have_a_code_or_a_column_of_their_own() -> None:
    missing = (None, float("nan"), "NA", "", pd.NaT, pd.NA, np.datetime64("NaT"))
    assert np.isnan(np.array(read(NUMBER, *missing))).all()
    assert np.isnan(np.array(read(DATE, *missing))).all()
    assert read(category_input("x", ["NA", "a"]), *missing) == [0.0] * 7
    assert read(TextInput("x", ("good",)), "good", *missing) == [[1.0, 0.0], *[[0.0, 1.0]] * 7]


def test_dates_of_every_type_are_read() -> None:
    moment = datetime(1970, 1, 2, 12)
    cells = (date(1970, 1, 2), moment, moment.replace(tzinfo=UTC), np.datetime64("1970-01-02T12"), pd.Timestamp(moment))
    assert read(DATE, *cells, "02.01.1970", "1970-01-02 12:00", 19700102) == [1.0, 1.5, 1.5, 1.5, 1.5, 1.0, 1.5, 1.0]


def test_categories_and_words_of_numbers_are_their_texts() -> None:
    assert read(category_input("x", ["3", "0.5", "true"]), 3, 3.0, 0.5, np.float32(0.5), True, "x") == [
        2,
        2,
        3,
        3,
        4,
        1,
    ]
    assert read(TextInput("x", ("3",)), 3.0) == [[1.0, 0.0]]


@pytest.mark.parametrize("column", [NUMBER, category_input("x", ["a"]), TextInput("x", ("a",))])
@pytest.mark.parametrize("cell", [b"1", [1], date(2024, 1, 1), {}, object()])
def test_what_is_neither_number_nor_text_is_refused(column: ProgramInput, cell: object) -> None:
    with pytest.raises(ValueError, match=r"row 1, column 'x': .* is neither a number nor text; expected a "):
        read(column, cell)


@pytest.mark.parametrize("cell", [10**400, float("-inf"), np.float32("inf"), Decimal("1e400"), "1e999"])
def test_a_number_that_is_too_large_is_refused(cell: object) -> None:
    with pytest.raises(ValueError, match=r"row 1, column 'x': .* is not a finite number"):
        read(NUMBER, cell)


def test_a_long_cell_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match="…") as caught:
        read(NUMBER, "x" * 10_000)
    assert len(str(caught.value)) < 300
