"""Write a table to a scratch file, block by block; see column_store.py for reading it."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isnan

import numpy as np
import polars as pl

from nncli.base.errors import DataError, Location
from nncli.base.scratch import Scratch, ScratchFile
from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.store.column_store import ColumnSpan, ColumnStore, RowGroup
from nncli.data.table import RowOrigins, Table, unnamed

WRITE_BYTES = 1 << 20
"""Bytes of numbers that are written at a time; larger matrices would be newly allocated each time."""


@dataclass
class _StoreWriter:
    """Writes a table to the scratch file. Columns that turn out to be text are added to `text_columns`."""

    file: ScratchFile
    text_columns: set[str]
    row_groups: list[RowGroup] = field(default_factory=list)
    numeric_columns: set[str] = field(default_factory=set)
    types: dict[str, pl.DataType] = field(default_factory=dict)

    def add(self, table: Table, names: Collection[str]) -> None:
        """Write the columns `names` of the next block; text whose spelling cannot matter is written as numbers."""
        frame = table.frame[list(names)]
        types = frame.schema.items()
        undecided = [name for name, dtype in types if dtype == pl.String and name not in self.text_columns]
        if undecided:
            numbers = exact_numbers(frame[undecided], table.dialect)
            self.text_columns.update(name for name in undecided if name not in numbers)
            frame = frame.with_columns(numbers.values())
        missing = frame.null_count().row(0) if frame.width else ()
        for (name, dtype), nulls in zip(frame.schema.items(), missing, strict=True):
            if dtype == pl.Float64 and name not in self.text_columns and nulls < len(frame):
                self.numeric_columns.add(name)
        self.types |= {name: self._common_type(name, dtype) for name, dtype in frame.schema.items()}
        self.row_groups.append(RowGroup(table.first_row, len(table), self.write(frame)))

    def _common_type(self, name: str, dtype: pl.DataType) -> pl.DataType:
        """The type of a column with a block of this type: that of the block, but floats stay floats."""
        before = self.types.get(name, dtype)
        return before if before.is_float() and dtype.is_integer() else dtype

    def write(self, frame: pl.DataFrame) -> dict[str, ColumnSpan]:
        """Write columns, raw ones next to each other, and return the position of each."""
        numbers = [column for column in frame if column.dtype == pl.Float64]
        n_columns = max(WRITE_BYTES // max(8 * frame.height, 1), 1)
        spans: dict[str, ColumnSpan] = {}
        self.file.seek(0, io.SEEK_END)
        for start in range(0, len(numbers), n_columns):
            spans |= self._write_raw(numbers[start : start + n_columns])
        for column in frame:
            if column.name not in spans:
                column.to_frame().write_ipc_stream(content := io.BytesIO(), compression="uncompressed")
                offset = self.file.tell()
                spans[column.name] = ColumnSpan(offset, self.file.write(content.getbuffer()), is_raw=False)
        return spans

    def _write_raw(self, numbers: Sequence[pl.Series]) -> dict[str, ColumnSpan]:
        """Write the columns without NaN cells as one matrix of raw values, and return the position of each."""
        values = pl.DataFrame({column.name: column for column in numbers}).to_numpy(order="fortran").T
        with np.errstate(all="ignore"):
            is_dense = np.isfinite(values.sum(axis=1))  # the fastest test for NaN, missing and infinite values
        is_raw = [dense or not isnan(column.sum()) for column, dense in zip(numbers, is_dense, strict=True)]
        values = values if all(is_raw) else values[is_raw]
        offset, size, spans = self.file.tell(), 8 * len(numbers[0]), {}
        self.file.write(values.reshape(-1).view(np.uint8).data)
        for column, dense, raw in zip(numbers, is_dense.tolist(), is_raw, strict=True):
            if raw:
                spans[column.name] = ColumnSpan(offset, size, raw, not dense and column.has_nulls(), dense)
                offset += size
        return spans

    def rewrite_text_columns(self, tables: Iterator[Table], source: str) -> None:
        """Rewrite columns that turned out to be text after some of their blocks were stored as numbers."""
        changed = self.numeric_columns & self.text_columns
        for i, group in enumerate(self.row_groups):
            table = next(tables, None)
            if table is None or (table.first_row, len(table)) != (group.first, group.rows):
                raise DataError("the table was changed while it was read", location=Location(source=source))
            frame = pl.DataFrame({name: table.frame.get_column(name) for name in changed})
            spans = self.write(frame)
            self.types |= frame.schema
            self.row_groups[i] = replace(group, spans={**group.spans, **spans})


def _may_be_class_ids(table: Table, name: str) -> bool:
    """Whether a column of the first block may hold class ids; the reader has parsed it as text if so."""
    if (cells := table.frame[[name]]).dtypes != [pl.String]:
        return False
    numbers = exact_numbers(cells, table.dialect)
    return not numbers or may_be_class_ids(unnamed(numbers[name]))


def write_store(
    read_blocks: Callable[[], Iterator[Table]],
    select_columns: Callable[[Table], Collection[str]],
    scratch: Scratch,
    *,
    text_columns: Collection[str] | None,
    class_ids: Collection[str] = (),
) -> ColumnStore:
    """Store the columns `select_columns(first block)` of the table that `read_blocks()` yields block by block.

    `text_columns` (None: all columns) stay text, and so do `class_ids` that may hold class ids according to the first
    block. If a later block shows that a column stored as numbers is text, the table is read again.

    Raises:
        DataError: the table cannot be read.
        NncliError: the scratch file cannot be written.
    """
    file, names, header = scratch.spool(), None, None
    notes: list[str] = []
    origins: list[RowOrigins | None] = []
    with scratch.translate_os_errors():
        for table in read_blocks():
            if names is None:
                selected = frozenset(select_columns(table))
                names = [name for name in table.names if name in selected]
                writer = _StoreWriter(file, set(names if text_columns is None else text_columns))
                writer.text_columns |= {name for name in class_ids if _may_be_class_ids(table, name)}
                header = replace(table, frame=table.frame.clear())
            writer.add(table, names)
            notes += table.notes
            if table.origins not in origins[-1:]:
                origins.append(table.origins)
        assert header is not None, "a table without rows is yielded too"
        if writer.numeric_columns & writer.text_columns:
            writer.rewrite_text_columns(read_blocks(), header.source)
    header = replace(header, notes=tuple(notes), origins=RowOrigins.joined(origins))
    return ColumnStore(header, writer.types, tuple(writer.row_groups), file, scratch)
