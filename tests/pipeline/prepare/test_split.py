from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.config.schema import Config
from nncli.data.store.column_store import ColumnStore
from nncli.data.store.scratch import Scratch
from nncli.pipeline.prepare.load import load_table
from nncli.pipeline.prepare.split import split_table
from nncli.training.state import RandomStreams

LEAVE_OUT = {"leave_out": {"folds": 3, "fold": 0}}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    frame = pl.DataFrame({"x": range(30), "id": range(30), "y": [0.5 * i for i in range(30)]})
    frame.write_csv(tmp_path / "t.csv")
    frame.head(6).write_csv(tmp_path / "v.csv")
    return tmp_path


def split(folder: Path, scratch: Scratch, data: dict[str, Any], *, all_columns: bool) -> list[ColumnStore | None]:
    config = Config.model_validate(
        {
            "data": {"path": str(folder / "t.csv"), "target": "y", "drop": ["id"], **data},
            "validation": {"path": str(folder / "v.csv")},
        }
    )
    table = load_table(config, config.data.path, scratch, all_columns=all_columns)
    rng = RandomStreams.of(0).split
    return list(split_table(config, table, "regression", rng, scratch, all_columns=all_columns))


@pytest.mark.parametrize("data", [{}, LEAVE_OUT], ids=["all rows", "a fold left out"])
def test_a_validation_file_keeps_the_columns_that_are_asked_for(tables: Path, data: dict[str, Any]) -> None:
    with Scratch() as scratch:
        _, validation = split(tables, scratch, data, all_columns=False)
        assert validation is not None
        assert set(validation.types) == {"x", "y"}
        _, validation = split(tables, scratch, data, all_columns=True)
        assert validation is not None
        assert validation.columns(["id"]).frame["id"].cast(pl.Float64).to_list() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
