from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.sources.workbook.grid import Column, Kind


def test_marks_leave_the_original_column_as_it_is() -> None:
    column = Column(np.full(3, Kind.TEXT, np.uint8), texts=pl.Series(["a", "b", "c"]))
    marked = column.with_marks([1], [Kind.ERROR], ["#REF!"])
    assert marked.texts is not None
    assert marked.texts.to_list() == ["a", "#REF!", "c"]
    assert marked.kinds.tolist() == [Kind.TEXT, Kind.ERROR, Kind.TEXT]
    assert column.texts is not None
    assert column.texts.to_list() == ["a", "b", "c"]
    assert column.kinds.tolist() == [Kind.TEXT] * 3
