"""A table in a temporary file, stored by columns, which is read one column or one block of rows at a time.

Only that column or block is in memory. A CSV column whose cells are numbers, and whose spelling cannot matter, is
stored as Float64; other columns keep the original text.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan
from typing import NamedTuple

import numpy as np
import polars as pl

from nncli.base.errors import DataError, Location
from nncli.base.scratch import Scratch, ScratchFile
from nncli.data.columns.parsing import exact_numbers, may_be_class_ids
from nncli.data.table import RowOrigins, Table, is_without, missing_cells, unnamed
from nncli.nn.arrays import Floats, RowIndices


@dataclass(frozen=True)
class ColumnSpan:
    """The position of a column of a row group in the scratch file.

    `is_raw` columns are float64 values of 8 bytes, other columns are Arrow IPC streams. With `has_nulls`, NaN in a raw
    column is a missing cell. In an `is_dense` column all values are finite; with `has_infinite`, one is not.
    """

    offset: int
    size: int
    is_raw: bool
    has_nulls: bool = False
    is_dense: bool = False
    has_infinite: bool = False


@dataclass(frozen=True)
class RowGroup:
    """Consecutive rows, from number `first` on, and the position of each of their columns."""

    first: int
    rows: int
    spans: Mapping[str, ColumnSpan]


@dataclass(frozen=True)
class ColumnStore:
    """A table in a scratch file, or a selection of its rows by `row_numbers` (from 1; None: all rows).

    Row numbers are in ascending order and may repeat. `header` is the table without rows: its source and the names of
    all its columns, including those that are not stored.
    """

    header: Table
    types: Mapping[str, pl.DataType]
    row_groups: tuple[RowGroup, ...]
    file: ScratchFile
    scratch: Scratch
    row_numbers: RowIndices | None = None

    def __len__(self) -> int:
        return self.height if self.row_numbers is None else len(self.row_numbers)

    @property
    def height(self) -> int:
        """Number of rows of the whole table, selected or not."""
        return sum(group.rows for group in self.row_groups)

    def take(self, rows: RowIndices) -> ColumnStore:
        """Select rows by position (from 0, ascending, may repeat); rows keep their numbers."""
        return replace(self, row_numbers=rows + 1 if self.row_numbers is None else self.row_numbers[rows])

    def copy(self) -> ColumnStore:
        """A table of the selected rows alone, numbered from 1: a few of many rows are read faster from it."""
        frame = self.columns(list(self.types)).frame
        with self.scratch.translate_os_errors(), self.scratch.lock:
            group = RowGroup(1, len(self), _StoreWriter(self.file, set()).write(frame))
        return replace(self, row_groups=(group,), row_numbers=None)

    def with_columns(self, columns: Mapping[str, pl.Series]) -> ColumnStore:
        """The whole table with other cells (rows,) in some columns."""
        writer, groups, start = _StoreWriter(self.file, set()), list[RowGroup](), 0
        with self.scratch.translate_os_errors(), self.scratch.lock:
            for group in self.row_groups:
                frame = pl.DataFrame({name: cells[start : start + group.rows] for name, cells in columns.items()})
                groups.append(replace(group, spans={**group.spans, **writer.write(frame)}))
                start += group.rows
        types = {**self.types, **{name: cells.dtype for name, cells in columns.items()}}
        return replace(self, types=types, row_groups=tuple(groups))

    def split_in_two(self) -> tuple[ColumnStore, ColumnStore]:
        """Split the table into two parts with about the same number of row groups, to be processed in parallel."""
        cut = len(self.row_groups) // 2
        first, second = self.row_groups[:cut], self.row_groups[cut:]
        if self.row_numbers is None:
            return replace(self, row_groups=first), replace(self, row_groups=second)
        row = np.searchsorted(self.row_numbers, second[0].first) if cut else 0
        return (
            replace(self, row_groups=first, row_numbers=self.row_numbers[:row]),
            replace(self, row_groups=second, row_numbers=self.row_numbers[row:]),
        )

    def columns(self, names: Sequence[str]) -> Table:
        """The columns `names`, in memory."""
        self._require(names)
        others = [name for name in dict.fromkeys(names) if not self._is_raw(name)]
        blocks = [block.frame for block in self.blocks(others)] if others else []
        frame = pl.concat(blocks) if blocks else pl.DataFrame(schema={name: self.types[name] for name in others})
        by_name = dict(zip(others, frame.get_columns(), strict=True))
        columns = {name: by_name[name] if name in by_name else self._raw_column(name) for name in names}
        return replace(self.row_ids, frame=pl.DataFrame(columns))

    def _require(self, names: Sequence[str]) -> None:
        """Raise a DataError if one of `names` is no column, without a list of all names for each call."""
        if any(name not in self.types for name in names):
            self.header.require(names)

    @property
    def row_ids(self) -> Table:
        """The table without columns, with the number of each row."""
        return replace(self.header, first_row=self.first, selected_rows=self.row_numbers)

    @property
    def first(self) -> int:
        """The number of the first row of the first row group, selected or not."""
        return self.row_groups[0].first if self.row_groups else 1

    def _is_raw(self, name: str) -> bool:
        """Whether a column is raw in all row groups."""
        return self.types[name] == pl.Float64 and all(group.spans[name].is_raw for group in self.row_groups)

    def _raw_column(self, name: str) -> pl.Series:
        """A column that is raw in all row groups."""
        spans = [group.spans[name] for group in self.row_groups]
        cells = pl.Series(self._read_column(spans))
        return (cells.fill_nan(None) if any(span.has_nulls for span in spans) else cells).alias(name)

    def dense(self, names: Sequence[str]) -> DenseColumns:
        """Those of the columns `names` whose cells are finite numbers, none missing."""
        self._require(names)
        dense = [name for name in names if all(self._is_dense(group, name) for group in self.row_groups)]
        values, stop = np.empty((len(dense), len(self))), 0
        for group in self.row_groups:
            numbers = self._selected(group)
            start, stop = stop, stop + (group.rows if numbers is None else len(numbers))
            if stop > start:
                x = self._read_matrix(group, dense)
                values[:, start:stop] = x if numbers is None else x[:, numbers - group.first]
        return DenseColumns(dense, values)

    def _read_column(self, spans: Sequence[ColumnSpan]) -> Floats:
        """The values (rows,) of a column that is raw in all row groups."""
        x, start = np.empty(self.height), 0
        for group, span in zip(self.row_groups, spans, strict=True):
            self._read_into(x[start : start + group.rows], span.offset)
            start += group.rows
        return x if self.row_numbers is None else x[self.row_numbers - self.first]

    def blocks(self, names: Sequence[str]) -> Iterator[Table]:
        """Yield the columns `names` block by block; blocks without a selected row are skipped."""
        for table, dense in self.iter_dense(names, ()):
            assert not dense.names
            yield table

    def iter_dense(self, names: Sequence[str], dense_names: Collection[str]) -> Iterator[tuple[Table, DenseColumns]]:
        """Yield the columns `names` by block, those of `dense_names` that are dense in the block separately."""
        self._require(names)
        for group in self.row_groups:
            numbers = self._selected(group)
            if group.rows if numbers is None else len(numbers):
                rows = None if numbers is None else numbers - group.first
                dense = [name for name in names if name in dense_names and self._is_dense(group, name)]
                in_dense = set(dense)
                frame = self._read_frame(group, [name for name in names if name not in in_dense])
                values = self._read_matrix(group, dense)
                if rows is not None:
                    frame, values = frame[rows] if frame.width else frame, values[:, rows]
                yield (
                    replace(self.header, frame=frame, first_row=group.first, selected_rows=numbers),
                    DenseColumns(dense, values),
                )

    def _selected(self, group: RowGroup) -> RowIndices | None:
        """The numbers of the selected rows of a row group; None for all of its rows."""
        if self.row_numbers is None:
            return None
        start, stop = np.searchsorted(self.row_numbers, [group.first, group.first + group.rows])
        numbers = self.row_numbers[start:stop]
        return None if len(numbers) == group.rows and (np.diff(numbers) > 0).all() else numbers

    def _is_dense(self, group: RowGroup, name: str) -> bool:
        return group.spans[name].is_dense and self.types[name] == pl.Float64

    def _read_frame(self, group: RowGroup, names: Sequence[str]) -> pl.DataFrame:
        spans = [group.spans[name] for name in names]
        numbers = iter(self._read_matrix(group, [name for name in names if group.spans[name].is_raw]))
        columns = {}
        for name, span in zip(names, spans, strict=True):
            if span.is_raw:
                cells = pl.Series(next(numbers))
                cells = cells.fill_nan(None) if span.has_nulls else cells
            else:
                with self.scratch.translate_os_errors(), self.scratch.lock:
                    self.file.seek(span.offset)
                    content = self.file.read(span.size)
                cells = pl.read_ipc_stream(io.BytesIO(content)).to_series()
            if is_without(cells.alias(name), self.types):
                columns[name] = missing_cells(cells, self.types[name])
            else:
                columns[name] = cells if cells.dtype == self.types[name] else cells.cast(self.types[name])
        return pl.DataFrame(columns)

    def _read_matrix(self, group: RowGroup, names: Sequence[str]) -> Floats:
        """The values (columns, rows) of raw columns of a row group; adjacent columns are read in one call."""
        values, start = np.empty((len(names), group.rows)), 0
        offsets = [group.spans[name].offset for name in names]
        for j, offset in enumerate(offsets):
            if j + 1 == len(names) or offsets[j + 1] != offset + 8 * group.rows:
                self._read_into(values[start : j + 1].reshape(-1), offsets[start])
                start = j + 1
        return values

    def _read_into(self, x: Floats, offset: int) -> None:
        """Fill x (n,) with the raw values at `offset`."""
        with self.scratch.translate_os_errors(), self.scratch.lock:
            self.file.seek(offset)
            if self.file.readinto(x.view(np.uint8).data) != x.nbytes:
                raise OSError("the temporary file is truncated")


class DenseColumns(NamedTuple):
    """Numeric columns `names` of some rows without missing cells: x (columns, rows), all finite."""

    names: Sequence[str]
    x: Floats

    @classmethod
    def of(cls, table: Table, names: Sequence[str]) -> DenseColumns:
        """Those of the columns `names` of a table that are Float64 and finite, none missing."""
        return table.once(("dense", *names), lambda: cls._of(table, names))

    @classmethod
    def _of(cls, table: Table, names: Sequence[str]) -> DenseColumns:
        types = table.frame.schema
        numbers = [name for name in names if types.get(name) == pl.Float64]
        if not numbers:  # Polars takes an empty list for no rows
            return cls((), np.empty((0, len(table))))
        frame = table.frame[numbers]
        x = frame.to_numpy(order="fortran").T  # a missing cell is NaN
        with np.errstate(all="ignore"):
            is_finite = np.isfinite(x.sum(axis=1))  # the fastest test for NaN, missing and infinite values
        dense = [name for name, finite in zip(frame.columns, is_finite.tolist(), strict=True) if finite]
        return cls(dense, x if len(dense) == frame.width else x[is_finite])

    def add_to(self, table: Table) -> Table:
        """The table with these columns added."""
        columns = (pl.Series(name, x) for name, x in zip(self.names, self.x, strict=True))
        return replace(table, frame=table.frame.with_columns(columns))


NO_COLUMNS = DenseColumns((), np.empty((0, 0)))


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
    with_cells: set[str] = field(default_factory=set)
    """Columns that had a cell which is not missing."""

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
        for cells, nulls in zip(frame, missing, strict=True):
            self.types[cells.name] = self._common_type(cells.name, cells.dtype, is_missing=nulls == len(frame))
            self.with_cells |= {cells.name} if nulls < len(frame) else set()
        self.row_groups.append(RowGroup(table.first_row, len(table), self.write(frame)))

    def _common_type(self, name: str, dtype: pl.DataType, *, is_missing: bool) -> pl.DataType:
        """The type of a column with a block of this type: that of the block, but text, lists and floats stay such."""
        before = self.types.get(name, dtype)
        if (before == pl.String and name in self.with_cells) or (before.is_nested() and is_missing):
            return before
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
                size, infinite = self.file.write(content.getbuffer()), _has_infinite(column)
                spans[column.name] = ColumnSpan(offset, size, is_raw=False, has_infinite=infinite)
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
                infinite = not dense and _has_infinite(column)
                spans[column.name] = ColumnSpan(offset, size, raw, not dense and column.has_nulls(), dense, infinite)
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


def _has_infinite(cells: pl.Series) -> bool:
    return cells.dtype.is_float() and bool(cells.is_infinite().any())


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
