"""A table in a temporary file, stored by columns, which is read one column or one block of rows at a time.

Only that column or block is in memory. A CSV column whose cells are numbers, and whose spelling cannot matter, is
stored as Float64; other columns keep the original text.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl

from nncli.base.scratch import Scratch, ScratchFile
from nncli.data.table import Table
from nncli.nn.arrays import Floats, RowIndices


@dataclass(frozen=True)
class ColumnSpan:
    """The position of a column of a row group in the scratch file.

    `is_raw` columns are float64 values of 8 bytes, other columns are Arrow IPC streams. With `has_nulls`, NaN in a raw
    column is a missing cell. In an `is_dense` column all values are finite.
    """

    offset: int
    size: int
    is_raw: bool
    has_nulls: bool = False
    is_dense: bool = False


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
        found = dict(zip(others, frame.get_columns(), strict=True))
        columns = {name: found[name] if name in found else self._raw_column(name) for name in names}
        return replace(self.row_ids, frame=pl.DataFrame(columns))

    def _require(self, names: Sequence[str]) -> None:
        """Raise a DataError if one of `names` is no column, without a list of all names for each call."""
        if any(name not in self.types for name in names):
            self.header.require(names)

    @property
    def row_ids(self) -> Table:
        """The table without columns, with the number of each row."""
        return replace(self.header, first_row=self.first, numbers=self.row_numbers)

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
        found = [name for name in names if all(self._is_dense(group, name) for group in self.row_groups)]
        values, stop = np.empty((len(found), len(self))), 0
        for group in self.row_groups:
            numbers = self._selected(group)
            start, stop = stop, stop + (group.rows if numbers is None else len(numbers))
            if stop > start:
                x = self._read_matrix(group, found)
                values[:, start:stop] = x if numbers is None else x[:, numbers - group.first]
        return DenseColumns(found, values)

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
                    replace(self.header, frame=frame, first_row=group.first, numbers=numbers),
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
    """Numeric columns `names` of some rows without missing cells: `values` (columns, rows), all finite."""

    names: Sequence[str]
    values: Floats

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
        values = frame.to_numpy(order="fortran").T  # a missing cell is NaN
        with np.errstate(all="ignore"):
            is_finite = np.isfinite(values.sum(axis=1))  # the fastest test for NaN, missing and infinite values
        found = [name for name, finite in zip(frame.columns, is_finite.tolist(), strict=True) if finite]
        return cls(found, values if len(found) == frame.width else values[is_finite])

    def add_to(self, table: Table) -> Table:
        """The table with these columns added."""
        columns = (pl.Series(name, x) for name, x in zip(self.names, self.values, strict=True))
        return replace(table, frame=table.frame.with_columns(columns))


NO_COLUMNS = DenseColumns((), np.empty((0, 0)))
