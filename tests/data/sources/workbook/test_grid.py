from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.sources.workbook.grid import CellColumn, CellType


def test_marks_leave_the_original_column_as_it_is() -> None:
    column = CellColumn(np.full(3, CellType.TEXT, np.uint8), texts=pl.Series(["a", "b", "c"]))
    marked = column.with_marks([1], [CellType.ERROR], ["#REF!"])
    assert marked.texts is not None
    assert marked.texts.to_list() == ["a", "#REF!", "c"]
    assert marked.kinds.tolist() == [CellType.TEXT, CellType.ERROR, CellType.TEXT]
    assert column.texts is not None
    assert column.texts.to_list() == ["a", "b", "c"]
    assert column.kinds.tolist() == [CellType.TEXT] * 3
