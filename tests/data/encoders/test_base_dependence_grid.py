from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.encoders.base import MAX_LABELS, QUANTILES, Grid


def test_quantiles_are_distinct_values_of_rows_that_have_them() -> None:
    x = np.array([3.0, np.nan, 1.0, 1.0, 2.0])
    grid = Grid.of_quantiles(x)
    assert grid.values is not None
    assert grid.values.tolist() == [1.0, 2.0, 3.0] == x[grid.rows].tolist()
    assert grid.labels is None


def test_there_are_at_most_so_many_quantiles_and_labels() -> None:
    assert len(Grid.of_quantiles(np.arange(1000.0)).rows) == QUANTILES
    assert len(Grid.of_labels(pl.Series(map(str, range(100)))).rows) == MAX_LABELS


def test_labels_come_by_frequency_and_none_is_a_missing_cell() -> None:
    grid = Grid.of_labels(pl.Series(["a", None, "b", None, None, "b"]))
    assert (grid.labels, grid.rows.tolist()) == ((None, "b", "a"), [1, 2, 0])
