"""Writing a table into a scratch file as it is read, from front to back; column_store.py takes it up again."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isnan

import numpy as np
import polars as pl

from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.store.column_store import ColumnSpan, ColumnStore, RowGroup
from nncli.data.store.scratch import Scratch, ScratchFile
from nncli.data.table import Table
from nncli.errors import DataError, Location

WRITE_BYTES = 1 << 20
"""Bytes of a matrix of numbers that is written: of a larger one the memory would be new each time."""


@dataclass
class _StoreWriter:
    """A table on its way into the scratch file. `texts` are columns that stay text; those found to be are added."""

    spool: ScratchFile
    texts: set[str]
    pieces: list[RowGroup] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)
    types: dict[str, pl.DataType] = field(default_factory=dict)

    def add(self, table: Table, names: Collection[str]) -> None:
        """The next block, of which the columns `names` are kept: as numbers, those that are text of which nothing but
        the numbers can matter."""
        frame = table.frame[list(names)]
        open_yet = [cells.name for cells in frame if cells.name not in self.texts and cells.dtype == pl.String]
        if open_yet:
            found = exact_numbers(frame[open_yet], table.dialect)
            self.texts.update(name for name in open_yet if name not in found)
            frame = frame.with_columns(found.values())
        for cells in frame:  # what is text already is none that turns into it
            if cells.dtype == pl.Float64 and cells.name not in self.texts and cells.null_count() < len(cells):
                self.numbers.add(cells.name)
        self.types |= frame.schema
        self.pieces.append(RowGroup(table.first_row, len(table), self.put(frame)))

    def put(self, frame: pl.DataFrame) -> dict[str, ColumnSpan]:
        """Write columns, those of bare numbers one after another, and say where their cells stand."""
        numbers = [column for column in frame if column.dtype == pl.Float64]
        at_once = max(WRITE_BYTES // max(8 * frame.height, 1), 1)
        spans: dict[str, ColumnSpan] = {}
        self.spool.seek(0, io.SEEK_END)
        for start in range(0, len(numbers), at_once):
            spans |= self._put_bare(numbers[start : start + at_once])
        for column in frame:
            if column.name not in spans:
                column.to_frame().write_ipc_stream(content := io.BytesIO(), compression="uncompressed")
                offset = self.spool.tell()
                spans[column.name] = ColumnSpan(offset, self.spool.write(content.getbuffer()), is_raw=False)
        return spans

    def _put_bare(self, numbers: Sequence[pl.Series]) -> dict[str, ColumnSpan]:
        """Write those of some columns of numbers that can be bare, as one matrix, and say where their cells stand."""
        values = pl.DataFrame({column.name: column for column in numbers}).to_numpy(order="fortran").T
        with np.errstate(all="ignore"):
            is_plain = np.isfinite(values.sum(axis=1))  # the quickest to show that one is NaN, or missing, or infinite
        is_bare = [plain or not isnan(column.sum()) for column, plain in zip(numbers, is_plain, strict=True)]
        values = values if all(is_bare) else values[is_bare]
        offset, size, spans = self.spool.tell(), 8 * len(numbers[0]), {}
        self.spool.write(values.reshape(-1).view(np.uint8).data)
        for column, plain, bare in zip(numbers, is_plain.tolist(), is_bare, strict=True):
            if bare:
                spans[column.name] = ColumnSpan(offset, size, bare, not plain and column.has_nulls(), plain)
                offset += size
        return spans

    def mend(self, tables: Iterator[Table], source: str) -> None:
        """Put in the text of columns that turned out to be text after some of it was kept as numbers."""
        turned = self.numbers & self.texts
        for i, piece in enumerate(self.pieces):
            table = next(tables, None)
            if table is None or (table.first_row, len(table)) != (piece.first, piece.rows):
                raise DataError("the table changed while it was read", place=Location(source=source))
            frame = pl.DataFrame({name: table.frame.get_column(name) for name in turned})
            spans = self.put(frame)
            self.types |= frame.schema
            self.pieces[i] = replace(piece, spans={**piece.spans, **spans})


def _may_be_codes(table: Table, name: str) -> bool:
    """Whether a block leaves it open that a column is one of classes: of what is not, its reader has made numbers."""
    if (cells := table.frame.select(name)).dtypes != [pl.String]:
        return False
    found = exact_numbers(cells, table.dialect)
    return not found or may_be_class_ids(found[name])


def write_store(
    read: Callable[[], Iterator[Table]],
    kept: Callable[[Table], Collection[str]],
    scratch: Scratch,
    *,
    texts: Collection[str] | None,
    codes: Collection[str] = (),
) -> ColumnStore:
    """Keep the columns `kept(first block)` of the table that `read()` gives block by block.

    The columns `texts` stay as they are spelled, all of them where it is None, and so do those of `codes` that may be
    codes of classes for all that the first block says. A table that has others may be read twice, the second time as
    it is spelled: where a column kept as numbers is no more than that after some blocks.

    Raises:
        DataError: the table cannot be read.
        NncliError: the scratch file cannot be written.
    """
    spool, names, outline = scratch.spool(), None, None
    notes: list[str] = []
    with scratch.translate_os_errors():
        for table in read():
            if names is None:
                wanted = kept(table)
                names = [name for name in table.names if name in wanted]
                storing = _StoreWriter(spool, set(names if texts is None else texts))
                storing.texts |= {name for name in codes if _may_be_codes(table, name)}
                outline = replace(table, frame=table.frame.clear())
            storing.add(table, names)
            notes += table.notes
        assert outline is not None, "a table of no rows is a table"
        if storing.numbers & storing.texts:
            storing.mend(read(), outline.source)
    outline = replace(outline, notes=tuple(notes))
    return ColumnStore(outline, storing.types, tuple(storing.pieces), spool, scratch)
