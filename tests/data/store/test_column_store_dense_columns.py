"""Numeric columns without missing cells, taken from a table."""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from nncli.data.store.column_store import DenseColumns
from nncli.data.table import Table

FRAME = pl.DataFrame(
    {
        "a": [1.0, 2.0],
        "missing": [1.0, None],
        "nan": [1.0, math.nan],
        "infinite": [1.0, -math.inf],
        "text": ["1", "2"],
        "integer": [1, 2],
        "b": [3.0, 4.0],
    }
)


def test_columns_of_finite_floats_are_taken_in_the_order_of_their_names() -> None:
    dense = DenseColumns.of(Table(FRAME, "t.csv"), ["no such column", "b", *FRAME.columns[:-1]])
    assert dense.names == ["b", "a"]
    assert dense.x.tolist() == [[3.0, 4.0], [1.0, 2.0]]


def test_a_table_without_such_columns_gives_no_columns_of_its_rows() -> None:
    dense = DenseColumns.of(Table(FRAME, "t.csv"), ["text"])
    assert (list(dense.names), dense.x.shape) == ([], (0, 2))
    dense = DenseColumns.of(Table(FRAME, "t.csv"), ["nan"])
    assert (list(dense.names), dense.x.shape) == ([], (0, 2))


def test_columns_are_added_to_a_table() -> None:
    table = DenseColumns(["x"], np.array([[5.0, 6.0]])).add_to(Table(FRAME, "t.csv"))
    assert table.frame.equals(FRAME.with_columns(x=pl.Series([5.0, 6.0])))
