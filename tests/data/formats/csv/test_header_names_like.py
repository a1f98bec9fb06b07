from __future__ import annotations

import polars
import pytest

from nncli.data.formats.csv.reader import CsvHeader

HEADER = CsvHeader("t.csv", ",", ("a", "*"), 4, ("NA",))


def test_cells_behind_the_last_name_are_left_out() -> None:
    cells = polars.DataFrame({"0": ["1", None], "1": ["NA", "x"], "2": [None, None], "3": ["", None]})
    assert HEADER.row_with_surplus(cells) is None
    assert HEADER.finalize(cells).to_dict(as_series=False) == {"a": ["1", ""], "*": [None, "x"]}
    assert HEADER.no_rows().columns == ["a", "*"]


@pytest.mark.parametrize(("column", "row"), [("2", 1), ("3", 0)])
def test_a_cell_behind_the_last_name_is_found(column: str, row: int) -> None:
    cells = polars.DataFrame({name: polars.Series(["", None], dtype=polars.String) for name in "0123"})
    filled = ["x" if i == row else "" for i in range(2)]
    assert HEADER.row_with_surplus(cells.with_columns(polars.Series(column, filled))) == row
