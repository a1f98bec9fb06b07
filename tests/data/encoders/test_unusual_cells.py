"""Each kind of column says of every cell what it counts."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.table import Table

CELLS: dict[ColumnType, list[Any]] = {
    ColumnType.NUMERIC: [-3.0, 0.0, 1.0, 2.5, 131.0],
    ColumnType.CATEGORICAL: ["a", "b", "c", "A", "1", "01"],
    ColumnType.DATE: ["2020-01-01", "2021-05-06", "1999-12-31", "2031-02-03"],
    ColumnType.TEXT: ["a word", "two words", "none of these"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CELLS)
@given(st.data())
def test_a_cell_is_unusual_if_its_row_alone_has_an_anomaly(kind: ColumnType, data: st.DataObject) -> None:
    cells = st.lists(st.none() | st.sampled_from(CELLS[kind]), min_size=1, max_size=12)
    seen = [*data.draw(cells), CELLS[kind][0], CELLS[kind][1]]
    tables = [Table(pl.DataFrame({"x": column}, strict=False), "t.csv") for column in (seen, data.draw(cells))]
    encoder = Encoder.fit(tables[0], [("x", kind)])
    if not encoder.width:  # such a column is not read
        return
    (column,) = encoder.columns
    new = tables[1].frame["x"]
    if new.null_count() == len(new):
        tables[1] = Table(pl.DataFrame({"x": new.cast(tables[0].frame["x"].dtype)}), "t.csv")
    assert column.unusual_cells(tables[1]).tolist() == ColumnEncoder.unusual_cells(column, tables[1]).tolist()
