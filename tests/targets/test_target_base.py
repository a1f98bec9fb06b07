from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.data.table import Table
from nncli.targets.target_base import rows_with_target


def one(cells: Sequence[Any] | pl.Series, name: str = "y") -> Table:
    return Table(pl.DataFrame({name: cells}), "t.csv")


def test_rows_without_a_target_are_found_in_every_type() -> None:
    frame = pl.DataFrame({"text": ["a", None, "", "b"], "float": [1.0, 2.0, 3.0, math.nan], "int": [1, 2, 3, 4]})
    table = Table(frame, "t.csv")
    assert rows_with_target(table, ("text",)).tolist() == [0, 2, 3]
    assert rows_with_target(table, ("text", "float", "int")).tolist() == [0, 2]
    assert rows_with_target(one([None, None]), ("y",)).tolist() == []
    with pytest.raises(DataError, match="no column 'flaot'"):
        rows_with_target(table, ("flaot",))
