from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import CellError
from nncli.data.encoders.anomalies import SCHEMA, InvalidCells, InvalidCounts
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.table import Table

KINDS = [("x", ColumnType.NUMERIC), ("when", ColumnType.DATE), ("color", ColumnType.CATEGORICAL)]
TRAINING = Table(
    pl.DataFrame({"x": ["1", "2", "4"], "when": ["2024-01-01", "2024-02-01", None], "color": ["a", "b", "a"]}), "t.csv"
)
ENCODER = Encoder.fit(TRAINING, KINDS)


def invalid_cells(table: Table) -> InvalidCells:
    return InvalidCells.of(table, ((column.name, column.cell_errors(table, "float32")) for column in ENCODER.columns))


def table_of(**cells: object) -> Table:
    return Table(pl.DataFrame({"other": range(4), **cells}), "new.csv", first_row=101)


TABLE = table_of(
    when=["2024-03-01", "05/06/2024", "soon", None],
    color=["a", "new", None, "b"],
    x=["1", "abc", None, "1e300"],
)


def test_every_invalid_cell_is_found_in_the_order_of_the_table() -> None:
    result = invalid_cells(TABLE)
    assert result.frame.drop("reason").rows() == [
        (102, "when", "05/06/2024"),
        (102, "x", "abc"),
        (103, "when", "soon"),
        (104, "x", "1e300"),
    ]
    assert result.frame.schema == SCHEMA
    assert result.frame["reason"].str.len_chars().min() > 0  # type: ignore[operator]
    assert result.positions.tolist() == [1, 1, 2, 3]
    assert result.valid_rows(4).tolist() == [0]
    assert len(invalid_cells(TABLE.part(0, 1))) == 0


def test_the_table_without_them_can_be_encoded() -> None:
    with pytest.raises(CellError):
        ENCODER.encode(TABLE, "float32")
    cleaned = invalid_cells(TABLE).removed_from(TABLE)
    assert cleaned.frame["x"].to_list() == ["1", None, None, None]
    assert cleaned.frame["when"].to_list() == ["2024-03-01", None, None, None]
    assert cleaned.frame["color"].to_list() == TABLE.frame["color"].to_list()
    assert np.isfinite(ENCODER.encode(cleaned, "float32").X).all()
    assert cleaned.location(row=0) == TABLE.location(row=0)


@pytest.mark.slow
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True) | st.none(), min_size=4, max_size=4),
    st.lists(st.none() | st.text(max_size=12), min_size=4, max_size=4),
)
def test_whatever_the_cells_are_the_table_without_the_invalid_ones_can_be_encoded(
    numbers: list[float | None], texts: list[str | None]
) -> None:
    typed = pl.Series(numbers, dtype=pl.Float64)
    table = table_of(x=typed, when=pl.Series(texts, dtype=pl.String), color=pl.Series(texts, dtype=pl.String))
    with np.errstate(all="ignore"):
        ENCODER.encode(invalid_cells(table).removed_from(table), "float32")
        ENCODER.encode(table.take(invalid_cells(table).valid_rows(4)), "float32")


def test_a_column_with_the_name_of_a_pattern_is_one_column() -> None:
    frame = pl.DataFrame({"*": ["1", "2"], "^x.*$": ["3", "4"], "x": ["5", "6"]})
    encoder = Encoder.fit(Table(frame, "t"), [(name, ColumnType.NUMERIC) for name in frame.columns])
    table = Table(pl.DataFrame({"*": ["a", "2"], "^x.*$": ["3", "b"], "x": ["5", "6"]}), "t")
    result = InvalidCells.of(table, ((c.name, c.cell_errors(table, "float32")) for c in encoder.columns))
    assert result.frame.select("row", "column").rows() == [(1, "*"), (2, "^x.*$")]
    assert result.removed_from(table).frame.rows() == [(None, "3", "5"), ("2", None, "6")]


def test_counts_add_up_over_chunks() -> None:
    counts, result = InvalidCounts(), invalid_cells(TABLE)
    assert counts.note(skipped=True) is None
    counts += InvalidCounts.of(InvalidCells.none())
    counts += InvalidCounts.of(result) + InvalidCounts.of(result)
    assert (counts.rows, dict(counts.columns)) == (6, {"when": 4, "x": 4})
    assert counts.note(skipped=True) == "skipped 6 rows: 8 cells could not be read ('when': 4, 'x': 4)"
    assert (
        counts.note(skipped=False)
        == "8 cells in 6 rows could not be read and are treated as missing ('when': 4, 'x': 4)"
    )
