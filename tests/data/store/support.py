"""Frames as stored tables, to test with."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from nncli.base.scratch import Scratch
from nncli.data.store.column_store import ColumnStore, write_store
from nncli.data.table import Table


def blocks(frame: pl.DataFrame, rows: int) -> Iterator[Table]:
    for start in range(0, max(len(frame), 1), rows):
        yield Table(frame[start : start + rows], "t.csv", start + 1, notes=(f"block {start}",))


def stored(frame: pl.DataFrame, scratch: Scratch, rows: int = 3, texts: tuple[str, ...] | None = ()) -> ColumnStore:
    return write_store(lambda: blocks(frame, rows), lambda table: table.names, scratch, text_columns=texts)
