from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nncli.data.encoders.column_encoder import BINS, MAX_LABELS, QUANTILES, DependenceGrid


def test_quantiles_are_distinct_values_of_rows_that_have_them() -> None:
    x = np.array([3.0, np.nan, 1.0, 1.0, 2.0])
    grid = DependenceGrid.of_quantiles(x)
    assert grid.values is not None
    assert grid.values.tolist() == [1.0, 2.0, 3.0] == x[grid.rows].tolist()
    assert grid.labels is None


def test_there_are_at_most_so_many_quantiles_and_labels() -> None:
    assert len(DependenceGrid.of_quantiles(np.arange(1000.0)).rows) == QUANTILES
    assert len(DependenceGrid.of_labels(pl.Series(map(str, range(100)))).rows) == MAX_LABELS


def test_labels_come_by_frequency_and_none_is_a_missing_cell() -> None:
    grid = DependenceGrid.of_labels(pl.Series(["a", None, "b", None, None, "b"]))
    assert (grid.labels, grid.rows.tolist()) == ((None, "b", "a"), [1, 2, 0])


def test_counts_are_the_rows_in_equal_intervals_or_of_each_label() -> None:
    counts = DependenceGrid.of_quantiles(np.array([0.0, np.nan, 0.1, 10.0])).counts
    assert (counts.tolist()[0], counts.tolist()[-1], counts.sum()) == (2, 1, 3)
    assert DependenceGrid.of_labels(pl.Series(["a", None, None])).counts.tolist() == [2, 1]


@pytest.mark.parametrize("x", [[], [np.nan], [3.0, 3.0], [-np.inf, 1.0], [5e-324, 0.0], [-1e308, 1e308]])
def test_columns_of_any_numbers_have_counts(x: list[float]) -> None:
    assert len(DependenceGrid.of_quantiles(np.array(x)).counts) == BINS
