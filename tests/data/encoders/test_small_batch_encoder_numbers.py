"""Numeric columns of few rows: read once, and encoded with the bits of one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.data.encoders.encoding_options import EncodingOptions
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.small_batch_encoder import SmallBatchNumbers, numbers_of_columns
from nncli.data.table import Table
from tests.data.encoders.support import CLIPS, SCALINGS

TRAINING = Table(pl.DataFrame({"a": [1.0, 2.0, 4.0, 9.0], "b": [0.5, None, 0.5, 0.25], "c": [7.0] * 4}), "t.csv")
NEW = Table(pl.DataFrame({"a": [None, -3.0, 2.5], "b": [0.3, None, 0.25], "c": [7.0, 8.0, None]}), "new.csv")


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("clip", CLIPS)
def test_the_bits_and_anomalies_are_those_of_each_column(scaling: str, clip: str) -> None:
    options = EncodingOptions.model_validate({"numeric": scaling, "clip": clip})
    columns = [NumericColumn.fit(TRAINING, name, options) for name in "abc"]
    columns[2] = columns[2].model_copy(update={"clip": "none" if clip == "smooth" else "smooth", "clip_range": True})
    columns[0] = columns[0].model_copy(update={"clip": "ordered" if clip == "smooth" else "none"})
    starts = [0, 1, 1 + columns[1].width]
    expected, X = np.zeros((3, 5), np.float32), np.zeros((3, 5), np.float32)
    counts = [
        column.encode(NEW, expected[:, start : start + column.width])
        for start, column in zip(starts, columns, strict=True)
    ]
    result = SmallBatchNumbers(list(zip(starts, columns, strict=True)), "float32").encode(NEW, X)
    assert result == list(zip("abc", counts, strict=True))
    assert X.tobytes() == expected.tobytes()


def test_a_cell_that_is_refused_gives_none() -> None:
    column = NumericColumn.fit(TRAINING, "a")
    few = SmallBatchNumbers([(0, column)], "float32")
    for cells in (["x"], [float("inf")], [1e300]):
        assert few.encode(Table(pl.DataFrame({"a": cells}), "new.csv"), np.zeros((1, 1), np.float32)) is None


def test_a_table_with_a_cache_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    column, table = NumericColumn.fit(TRAINING, "a"), NEW.with_cache()
    reads: list[int] = []

    def read(*args: Any) -> Any:
        reads.append(1)
        return numbers_of_columns(*args)

    monkeypatch.setattr("nncli.data.encoders.small_batch_encoder.numbers_of_columns", read)
    for _ in range(3):
        assert SmallBatchNumbers([(0, column)], "float32").encode(table, np.zeros((3, 1), np.float32)) is not None
    assert len(reads) == 1
