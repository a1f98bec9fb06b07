from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.parsing import read_text
from nncli.data.table import FEW_ROWS, Table
from nncli.serving.columns.row_reader import RowReader
from nncli.serving.models.served_model import ServedModel
from nncli.serving.problems import ProblemError
from tests.serving.bodies.test_table_body import ROW


@pytest.fixture(scope="session")
def reader(models: Mapping[str, ServedModel]) -> RowReader:
    return models["number"].rows


def column(reader: RowReader, name: str, cells: list[Any]) -> pl.Series:
    return reader.table([{**ROW, name: cell} for cell in cells]).column(name)


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, FEW_ROWS, FEW_ROWS + 1])
@pytest.mark.parametrize(
    ("name", "cell", "read"),
    [
        ("x", 1, 1.0),
        ("x", True, 1.0),
        ("x", None, None),
        ("x", "2.5", 2.5),
        ("x", "NA", None),
        ("x", 2**63, 2.0**63),
        ("x", "1,234.5", 1234.5),
        ("price", 5, 5.0),
        ("price", "$5", 5.0),
        ("color", 3, "3"),
        ("color", 3.0, "3"),
        ("color", 3.5, "3.5"),
        ("color", True, "true"),
        ("color", "NA", None),
        ("color", None, None),
        ("color", 10**30, "1" + "0" * 30),
        ("note", "", None),
    ],
)
def test_cells_are_read_alike_in_few_and_many_rows(reader: RowReader, n: int, name: str, cell: Any, read: Any) -> None:
    cells = column(reader, name, [cell] * n)
    assert cells.to_list() == [read] * n
    assert cells.dtype == (pl.Float64 if name in reader.numbers else pl.String)


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x", "price", "color", "note", "day"])
@given(cells=st.lists(values, min_size=1, max_size=5))
def test_a_cell_is_read_by_itself(reader: RowReader, name: str, cells: list[Any]) -> None:
    alone = [column(reader, name, [cell]) for cell in cells]
    together = column(reader, name, cells)
    if all(item.dtype == together.dtype for item in alone):
        assert together.to_list() == [item[0] for item in alone]
        return
    assert together.dtype == pl.String  # a text is not a number: the texts are left, to be refused
    assert all(cell == item[0] for cell, item in zip(together, alone, strict=True) if item.dtype == pl.String)


@given(st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans()))
def test_numbers_are_spelled_as_in_a_column_of_their_type(reader: RowReader, cell: float) -> None:
    typed = Table(pl.DataFrame({"color": [cell]}), "typed")
    assert column(reader, "color", [cell]).to_list() == read_text(typed, "color").to_list()


@pytest.mark.parametrize("number", [2**1024 - 2**970, -(2**1024), 10**400, float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["x", "color"])
@pytest.mark.parametrize("n", [1, 100])
def test_numbers_beyond_float64_are_refused(reader: RowReader, name: str, number: float, n: int) -> None:
    with pytest.raises(ProblemError) as caught:
        column(reader, name, [1] * (n - 1) + [number])
    assert (caught.value.problem.row, caught.value.problem.column) == (n, name)


def test_the_largest_integer_is_read(reader: RowReader) -> None:
    assert column(reader, "x", [2**1024 - 2**970 - 1])[0] == 1.7976931348623157e308
