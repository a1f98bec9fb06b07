"""A table that is read once, from front to back, and then taken up a column or a block of rows at a time.

So no more than a column, or a block, of it is in memory. In CSV, where every cell is text, a column is kept as numbers
wherever nothing but the numbers can matter of it; any other keeps every cell as it is spelled.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from nncli.data.arrays import Floats, RowIndices
from nncli.data.store.scratch import Scratch, ScratchFile
from nncli.data.table import Table


@dataclass(frozen=True)
class DenseColumns:
    """The columns `names` of some rows: `values` (columns, rows), all of them finite."""

    names: Sequence[str]
    values: Floats

    def added_to(self, table: Table) -> Table:
        """The table with these columns as well."""
        columns = (pl.Series(name, x) for name, x in zip(self.names, self.values, strict=True))
        return replace(table, frame=table.frame.with_columns(columns))


NO_COLUMNS = DenseColumns((), np.empty((0, 0)))


@dataclass(frozen=True)
class ColumnSpan:
    """Where the cells of a column stand in the scratch file: bare numbers, or, where they are not, a stream of Arrow's.

    Bare numbers are 8 bytes each, and stand one column after another. `holes` says whether some of them are NaN, which
    stands for a missing cell alone; `plain`, that all of them are finite.
    """

    offset: int
    size: int
    is_raw: bool
    has_nulls: bool = False
    is_dense: bool = False


@dataclass(frozen=True)
class RowGroup:
    """Some rows, from number `first` on, and where each of their columns stands."""

    first: int
    rows: int
    spans: Mapping[str, ColumnSpan]


@dataclass(frozen=True)
class ColumnStore:
    """A table in a scratch file, or those of its rows that have the `numbers` (from 1; None: all of them).

    Numbers never fall; one that comes twice is a row that stands twice. `outline` is the table without its rows: it
    knows where it came from and the names of its columns, also of those that were not kept.
    """

    header: Table
    types: Mapping[str, pl.DataType]
    pieces: tuple[RowGroup, ...]
    spool: ScratchFile
    scratch: Scratch
    numbers: RowIndices | None = None

    def __len__(self) -> int:
        return self.height if self.numbers is None else len(self.numbers)

    @property
    def height(self) -> int:
        """All rows of the table, chosen or not."""
        return sum(piece.rows for piece in self.pieces)

    def take(self, rows: RowIndices) -> ColumnStore:
        """The rows at these positions (from 0, never falling; one may come twice), which keep their numbers."""
        return replace(self, numbers=rows + 1 if self.numbers is None else self.numbers[rows])

    def split_in_two(self) -> tuple[ColumnStore, ColumnStore]:
        """The table in two parts, of about as many pieces each, for two to work at."""
        cut = len(self.pieces) // 2
        first, second = self.pieces[:cut], self.pieces[cut:]
        if self.numbers is None:
            return replace(self, pieces=first), replace(self, pieces=second)
        row = np.searchsorted(self.numbers, second[0].first) if cut else 0
        return (
            replace(self, pieces=first, numbers=self.numbers[:row]),
            replace(self, pieces=second, numbers=self.numbers[row:]),
        )

    def columns(self, names: Sequence[str]) -> Table:
        """Some columns, in memory."""
        self.header.require(names)
        return replace(self.row_ids, frame=pl.DataFrame({name: self._column(name) for name in names}))

    @property
    def row_ids(self) -> Table:
        """The table without its columns: it knows the number of each of its rows."""
        return replace(self.header, first_row=self.first, numbers=self.numbers)

    @property
    def first(self) -> int:
        """The number of the first row of the first piece, chosen or not."""
        return self.pieces[0].first if self.pieces else 1

    def _column(self, name: str) -> pl.Series:
        """A column, from all pieces."""
        spans = [piece.spans[name] for piece in self.pieces]
        if self.types[name] != pl.Float64 or not all(span.is_raw for span in spans):
            blocks = [block.frame.to_series() for block in self.blocks([name])]
            return pl.concat(blocks) if blocks else pl.Series(name, dtype=self.types[name])
        cells = pl.Series(name, self._numbers(spans))
        return cells.fill_nan(None) if any(span.has_nulls for span in spans) else cells

    def dense(self, name: str) -> Floats | None:
        """A column (rows,) of finite numbers of which none is missing; None if it is not such a one."""
        if not all(self._is_dense(piece, name) for piece in self.pieces):
            return None
        return self._numbers([piece.spans[name] for piece in self.pieces])

    def _numbers(self, spans: Sequence[ColumnSpan]) -> Floats:
        """The numbers (rows,) of a column that is bare in all pieces."""
        x, start = np.empty(self.height), 0
        for piece, span in zip(self.pieces, spans, strict=True):
            self._fill(x[start : start + piece.rows], span.offset)
            start += piece.rows
        return x if self.numbers is None else x[self.numbers - self.first]

    def blocks(self, names: Sequence[str]) -> Iterator[Table]:
        """Some columns, block by block; blocks of which no row was chosen are left out."""
        for table, plain in self.iter_dense(names, ()):
            assert not plain.names
            yield table

    def iter_dense(self, names: Sequence[str], dense_names: Collection[str]) -> Iterator[tuple[Table, DenseColumns]]:
        """Some columns, block by block as `blocks` has them, those of `plainly` that are plain numbers there apart."""
        self.header.require(names)
        for piece in self.pieces:
            numbers = None
            if self.numbers is not None:
                start, stop = np.searchsorted(self.numbers, [piece.first, piece.first + piece.rows])
                numbers = self.numbers[start:stop]
                if len(numbers) == piece.rows and (np.diff(numbers) > 0).all():
                    numbers = None
            if piece.rows if numbers is None else len(numbers):
                rows = None if numbers is None else numbers - piece.first
                apart = [name for name in names if name in dense_names and self._is_dense(piece, name)]
                frame = self._frame(piece, [name for name in names if name not in set(apart)])
                values = self._matrix(piece, apart)
                if rows is not None:
                    frame, values = frame[rows] if frame.width else frame, values[:, rows]
                yield (
                    replace(self.header, frame=frame, first_row=piece.first, numbers=numbers),
                    DenseColumns(apart, values),
                )

    def _is_dense(self, piece: RowGroup, name: str) -> bool:
        return piece.spans[name].is_dense and self.types[name] == pl.Float64

    def _frame(self, piece: RowGroup, names: Sequence[str]) -> pl.DataFrame:
        spans = [piece.spans[name] for name in names]
        numbers = iter(self._matrix(piece, [name for name in names if piece.spans[name].is_raw]))
        columns = {}
        for name, span in zip(names, spans, strict=True):
            if span.is_raw:
                cells = pl.Series(name, next(numbers))
                cells = cells.fill_nan(None) if span.has_nulls else cells
            else:
                with self.scratch.translate_os_errors(), self.scratch.lock:
                    self.spool.seek(span.offset)
                    kept = self.spool.read(span.size)
                cells = pl.read_ipc_stream(io.BytesIO(kept)).get_column(name)
            columns[name] = cells.cast(self.types[name])
        return pl.DataFrame(columns)

    def _matrix(self, piece: RowGroup, names: Sequence[str]) -> Floats:
        """The numbers (columns, rows) of columns that are bare in a piece: one call for those that stand together."""
        values, start = np.empty((len(names), piece.rows)), 0
        offsets = [piece.spans[name].offset for name in names]
        for j, offset in enumerate(offsets):
            if j + 1 == len(names) or offsets[j + 1] != offset + 8 * piece.rows:
                self._fill(values[start : j + 1].reshape(-1), offsets[start])
                start = j + 1
        return values

    def _fill(self, x: Floats, offset: int) -> None:
        """Fill x (n,) with the bare numbers that stand at `offset`."""
        with self.scratch.translate_os_errors(), self.scratch.lock:
            self.spool.seek(offset)
            if self.spool.readinto(x.view(np.uint8).data) != x.nbytes:
                raise OSError("the temporary file ends too soon")
