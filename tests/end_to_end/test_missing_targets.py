"""Rows without a target are left out with a count, wherever the table comes from."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.sources.table_source import TableSource
from nncli.fitting.prepare.load import load_labeled_rows

NUMBERS: list[Any] = [1.5, None, 2.5, float("nan"), 3.5]
TEXTS: list[Any] = ["a", None, "b", "", "NA"]
DUCKDB = pytest.importorskip("duckdb", reason="the extra sql is not installed")
OPENPYXL = pytest.importorskip("openpyxl", reason="openpyxl is not installed")


def write(frame: pl.DataFrame, folder: Path, kind: str) -> TableSource:
    """Write a table in a format, or into a database, and return its source."""
    path = folder / f"t.{kind}"
    if kind == "csv":
        frame.fill_nan(None).write_csv(path)
    elif kind == "jsonl":
        path.write_text(frame.fill_nan(None).write_ndjson())
    elif kind == "parquet":
        frame.write_parquet(path)
    elif kind == "arrow":
        frame.write_ipc(path)
    elif kind == "avro":
        frame.write_avro(path)
    elif kind == "xlsx":
        book = OPENPYXL.Workbook()
        for row in [frame.columns, *frame.fill_nan(None).rows()]:
            book.active.append(row)
        book.save(path)
    elif kind == "sqlite":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t (x, y)")
            database.executemany("INSERT INTO t VALUES (?, ?)", frame.rows())
        database.close()
        return TableSource(path=f"sqlite:///{path}", table="t")
    else:
        with DUCKDB.connect(str(path)) as database:
            database.execute(f"CREATE TABLE t (x BIGINT, y {'DOUBLE' if frame['y'].dtype.is_float() else 'TEXT'})")
            database.executemany("INSERT INTO t VALUES (?, ?)", frame.rows())
        return TableSource(path=f"duckdb:///{path}", table="t")
    return TableSource(path=str(path))


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "arrow", "avro", "xlsx", "sqlite", "duckdb"])
@pytest.mark.parametrize(("cells", "rows"), [(NUMBERS, [1, 3, 5]), (TEXTS, [1, 3])], ids=["numbers", "texts"])
def test_null_nan_empty_text_and_missing_values_are_left_out_and_counted(
    tmp_path: Path, kind: str, cells: list[Any], rows: list[int]
) -> None:
    source = write(pl.DataFrame({"x": range(5), "y": pl.Series(cells, strict=False)}), tmp_path, kind)
    config = Config.model_validate({"data": {**source.model_dump(), "target": "y"}})
    with Scratch(tmp_path) as scratch:
        table = load_labeled_rows(config, source, scratch)
        assert table.row_numbers is not None
        assert table.row_numbers.tolist() == rows
    (note,) = (text for text in table.header.notes if "left out" in text)
    assert f"left out {5 - len(rows)} of 5 rows" in note
