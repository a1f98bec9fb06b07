from __future__ import annotations

import polars as pl
import pytest

from nncli.data.encoders.column_encoder import ColumnEncoder
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.text import TextColumn
from nncli.data.table import Table


def test_the_interface_cannot_be_instantiated() -> None:
    with pytest.raises(TypeError):
        ColumnEncoder.model_validate({"type": "x", "name": "x"})


def test_by_default_cells_are_read_as_text() -> None:
    table = Table(pl.DataFrame({"x": ["1", None]}), "t")
    assert TextColumn.read_cells(table, "x").to_list() == ["1", None]
    assert NumericColumn.read_cells(table, "x").to_list() == [1.0, None]
