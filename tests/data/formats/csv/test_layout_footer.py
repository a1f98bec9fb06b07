from __future__ import annotations

import io
from typing import Any

import pytest

from nncli.base.errors import DataError
from nncli.data.dialect import CsvDialect
from nncli.data.formats.csv.reader import read_delimited
from nncli.data.formats.read_options import NumericColumns, ReadOptions
from tests.assertions import raises

NAMES = "name,city,age\n"
ROWS = "ann,oslo,31\nbob,rome,42\ncid,bonn,53\ndan,paris,64\n"
NUMBERS = "id,city,age\n1,oslo,31\n2,rome,42\n3,bonn,53\n4,paris,64\n"
SIZES = [1, 30, 1 << 20]


def read(
    text: str, size: int = 1 << 20, numbers: bool = True, trained: CsvDialect | None = None, **settings: Any
) -> tuple[int, list[str]]:
    columns = NumericColumns.any_except(()) if numbers else NumericColumns()
    options = ReadOptions(CsvDialect(separator=",", **settings), trained, ("",), columns, block_bytes=size)
    tables = list(read_delimited(io.BytesIO(text.encode()), "t.csv", options))
    return sum(map(len, tables)), [note for table in tables for note in table.notes]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "below",
    [
        "Source: the office\n",
        "Source: the office, on request\n",
        '"Source: the office, on request"\n',
        "Source: the office,,\n",
        "Note: figures are rounded, may not add, and are old\n",
        "\nThe figures are rounded\n",
        "\n\nThe figures are rounded\nand old\n\n",
        ",,\nThe figures are rounded,,\n",
        "* rounded",
        "(1) rounded\n(2) estimated\n",
        "The figures of all towns and villages are rounded to whole years\n",
    ],
)
def test_notes_below_the_table_are_left_out(below: str, size: int) -> None:
    for table in (NAMES + ROWS, NUMBERS):
        rows, notes = read(table + below, size)
        assert rows == 4
        assert len([note for note in notes if "below the table" in note]) == 1


@pytest.mark.parametrize("size", SIZES)
def test_text_below_a_column_of_numbers_is_a_note(size: int) -> None:
    assert read(NUMBERS + "All figures\n", size)[0] == 4
    assert read(NUMBERS + "All figures,,\n", size)[0] == 4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("last", ["eve,,\n", "eve,,", "New York,,\n", ",,\n", "5,,\n", "ann,,\nbob,,\n,,\n"])
def test_a_row_whose_other_cells_are_missing_is_a_row(last: str, size: int) -> None:
    rows, notes = read(NAMES + ROWS + last, size)
    assert (rows, notes) == (4 + last.count(",") // 2, [])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("last", ["eve\n", "eve", "Main street 12", "5\n", "eve,bo\n", "\n5\n"])
def test_a_row_that_is_cut_is_refused(last: str, size: int) -> None:
    with raises(DataError, file="t.csv", row=5):
        read(NAMES + ROWS + last, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_note_with_rows_below_it_is_refused(size: int) -> None:
    with raises(DataError, file="t.csv", row=5):
        read(NAMES + ROWS + "Source: the office\n" + ROWS, size)


@pytest.mark.parametrize("size", SIZES)
def test_the_number_of_records_below_may_be_configured(size: int) -> None:
    assert read(NAMES + ROWS + "x\ny,z\n\n", size, footer_rows=2)[0] == 4
    assert read(NAMES + ROWS, size, footer_rows=1)[0] == 3
    assert read(NAMES + ROWS + "Source: x,,\n", size, footer_rows=0)[0] == 5


def test_a_row_of_totals_is_noted() -> None:
    rows, notes = read(NAMES + ROWS + "Total,,190\n")
    assert rows == 5
    assert "--set data.footer_rows=1" in notes[0]
    assert read(NAMES + ROWS + "Total,,190\n", footer_rows=1)[0] == 4
    assert read(NAMES + ROWS + "Totalis,,190\n")[1] == []


def test_the_note_on_totals_names_no_key_for_the_table_of_a_trained_model() -> None:
    trained = CsvDialect(separator=",", decimal=".")
    rows, (note,) = read(NAMES + ROWS + "Summe,,190\n", trained=trained)
    assert rows == 5
    assert "'Summe'" in note
    assert "data." not in note


def test_a_quoted_cell_with_line_ends_is_no_note() -> None:
    assert read("name,text\n" + 'ann,"a long text,\n\nSource: me"\n' * 3, numbers=False) == (3, [])


def test_a_table_of_one_column_has_no_notes() -> None:
    assert read("text\na\nSource: the office\n")[0] == 2
