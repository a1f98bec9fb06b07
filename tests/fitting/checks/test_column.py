"""Columns of a split table, and the numbers and names in findings about them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal

from nncli.base.errors import CellError, Location
from nncli.base.findings import FindingCode
from nncli.base.scratch import Scratch
from nncli.data.encoders.column_types import ColumnType
from nncli.fitting.checks.column import MAX_NAMES, SplitColumn, SplitTable, column_finding, count, dropping, percentage
from tests.assertions import raises
from tests.data.store.support import stored


@pytest.fixture
def split(tmp_path: Path) -> Iterator[SplitTable]:
    frame = pl.DataFrame({"x": ["1", "2", None, "x", "5"], "y": list("ababa")})
    with Scratch(tmp_path) as scratch:
        store = stored(frame, scratch)
        yield SplitTable(store, np.array([0, 2, 4]), store, np.array([1]))


def test_rows_are_numbered_as_in_the_file(split: SplitTable) -> None:
    assert [split.training_row(i) for i in range(3)] == ["1", "3", "5"]
    assert split.validation_row(0) == "2"
    assert split.row_number(3) == 4


def test_a_column_is_split_into_training_and_validation_cells(split: SplitTable) -> None:
    column = SplitColumn.read(split, "y", ColumnType.CATEGORICAL)
    assert not column.numeric
    assert (column.training.to_list(), column.validation.to_list()) == (["a", "a", "a"], ["b"])


def test_a_cell_that_is_not_a_number_is_located(split: SplitTable) -> None:
    with raises(CellError, file="t.csv", row=4, column="x"):
        SplitColumn.read(split, "x", ColumnType.NUMERIC)


@pytest.mark.slow
@given(
    st.lists(st.lists(st.sampled_from([0.0, -0.0, 1.5, 1e300, None, np.inf]), min_size=6, max_size=6), min_size=1),
    st.booleans(),
)
def test_columns_read_at_once_are_those_read_by_themselves(columns: list[list[float | None]], is_split: bool) -> None:
    frame = pl.DataFrame({f"x{j}": pl.Series(cells, dtype=pl.Float64) for j, cells in enumerate(columns)})
    with Scratch() as scratch:
        store, other = stored(frame, scratch), stored(frame.reverse(), scratch)
        split = SplitTable(store, np.array([0, 2, 5]), store if is_split else other, np.array([1, 3]))
        read = SplitColumn.read_dense(split, frame.columns)
        finite = [name for name in frame.columns if not frame[name].has_nulls() and frame[name].is_finite().all()]
        assert [*read] == finite
        for name, column in read.items():
            single = SplitColumn.read(split, name, ColumnType.NUMERIC)
            assert (column.name, column.kind) == (single.name, single.kind)
            assert_series_equal(column.training, single.training)
            assert_series_equal(column.validation, single.validation)


@pytest.mark.parametrize(("names", "column"), [(["a"], "a"), (["a", "b"], None)])
def test_the_location_of_a_finding_names_its_only_column(names: list[str], column: str | None) -> None:
    place = Location("t.csv", row=3)
    finding = column_finding("note", FindingCode.CONSTANT_COLUMN, place, names, "message", "hint")
    assert finding.location == Location("t.csv", row=3, column=column)


def test_options_that_drop_list_at_most_eight_columns() -> None:
    assert dropping(["a", "b c"]) == "--drop a --drop 'b c'"
    many = dropping(f"c{i}" for i in range(MAX_NAMES + 1))
    assert many.endswith(f"--drop c{MAX_NAMES - 1} …")
    assert f"c{MAX_NAMES}" not in many


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (1, 3, "33 %"),
        (1, 40, "2.5 %"),
        (1, 9999, "less than 0.1 %"),
        (9999, 10_000, "more than 99.9 %"),
        (997, 1000, "99.7 %"),
    ],
)
def test_percentages_are_0_or_100_only_if_exact(part: int, whole: int, text: str) -> None:
    assert percentage(part, whole) == text


def test_a_count_agrees_with_its_noun() -> None:
    assert [count(n, "row", "rows") for n in (0, 1, 1024)] == ["0 rows", "1 row", "1,024 rows"]
