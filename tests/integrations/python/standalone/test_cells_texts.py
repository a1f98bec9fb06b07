"""Cells become the same text as by nncli/data/columns/parsing.py, which uses Polars."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.columns.parsing import read_text
from nncli.data.table import Table
from nncli.integrations.python.standalone.cells import SPACE, SPACES, is_missing, shortest_text, text_of

NO_TEXTS: tuple[object, ...] = (date(2024, 1, 1), b"x", [1], {})


def texts_of_polars(cells: pl.Series) -> list[str | None]:
    return read_text(Table(pl.DataFrame({"x": cells}), "t"), "x").to_list()


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_the_text_of_a_number_is_that_of_polars(x: list[float]) -> None:
    assert [shortest_text(value) for value in x] == pl.Series(x).cast(pl.String).to_list()
    assert [text_of(value) for value in x] == texts_of_polars(pl.Series(x))
    assert [text_of(np.float64(value)) for value in x] == [text_of(value) for value in x]


@given(st.lists(st.floats(allow_nan=False, width=32), min_size=1))
def test_the_text_of_a_float32_is_that_of_polars(x: list[float]) -> None:
    narrow = np.array(x, np.float32)
    assert [shortest_text(value) for value in narrow] == pl.Series(narrow).cast(pl.String).to_list()
    assert [text_of(value) for value in narrow] == texts_of_polars(pl.Series(narrow))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_the_text_of_an_integer_is_that_of_polars(x: list[int]) -> None:
    assert [text_of(value) for value in x] == [text_of(np.int64(value)) for value in x] == texts_of_polars(pl.Series(x))


@given(st.lists(st.decimals(-1000, 1000, places=4), min_size=1))
def test_the_text_of_a_decimal_is_that_of_polars(x: list[Decimal]) -> None:
    assert [text_of(value) for value in x] == texts_of_polars(pl.Series(x, dtype=pl.Decimal(20, 4)))


def test_truth_values_are_written_as_by_polars_and_other_values_are_no_text() -> None:
    assert [text_of(True), text_of(np.bool_(False))] == texts_of_polars(pl.Series([True, False]))
    assert [text_of(cell) for cell in NO_TEXTS] == [None] * 4


@pytest.mark.parametrize("cell", [None, float("nan"), np.float32("nan"), np.datetime64("NaT"), pd.NaT, pd.NA])
def test_what_libraries_have_for_a_missing_cell_is_missing(cell: object) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize("cell", [0, "", False, 0.0, "nan", date(2024, 1, 1), np.int64(0)])
def test_other_cells_are_not_missing(cell: object) -> None:
    assert not is_missing(cell)


@pytest.mark.slow
def test_white_space_is_that_of_polars() -> None:
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    stripped = pl.Series(characters).str.strip_chars()
    assert [c for c, rest in zip(characters, stripped, strict=True) if not rest] == sorted(SPACES)
    assert pl.Series(list(SPACES)).str.contains(r"^\s$").all()
    assert len(SPACE) < len(SPACES)
