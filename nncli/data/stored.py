"""A table that is read once, from front to back, and then taken up a column or a block of rows at a time.

So no more than a column, or a block, of it is in memory. In CSV, where every cell is text, a column is kept as numbers
wherever nothing but the numbers can matter of it; any other keeps every cell as it is spelled.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isnan

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.columns import as_numbers
from nncli.data.scratch import Scratch, ScratchFile
from nncli.data.table import Table
from nncli.errors import DataError, Place


@dataclass(frozen=True)
class Span:
    """Where the cells of a column stand in the scratch file: bare numbers, or, where they are not, a stream of Arrow's.

    Bare numbers are 8 bytes each; `holes` says whether some of them are NaN, which stands for a missing cell alone.
    """

    offset: int
    size: int
    bare: bool
    holes: bool = False


@dataclass(frozen=True)
class Piece:
    """Some rows, from number `first` on, and where each of their columns stands."""

    first: int
    rows: int
    spans: Mapping[str, Span]


@dataclass(frozen=True)
class StoredTable:
    """A table in a scratch file, or those of its rows that have the `numbers` (from 1; None: all of them).

    Numbers never fall; one that comes twice is a row that stands twice. `outline` is the table without its rows: it
    knows where it came from and the names of its columns, also of those that were not kept.
    """

    outline: Table
    types: Mapping[str, pl.DataType]
    pieces: tuple[Piece, ...]
    spool: ScratchFile
    scratch: Scratch
    numbers: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self.height if self.numbers is None else len(self.numbers)

    @property
    def height(self) -> int:
        """All rows of the table, chosen or not."""
        return sum(piece.rows for piece in self.pieces)

    def take(self, rows: npt.NDArray[np.int64]) -> StoredTable:
        """The rows at these positions (from 0, never falling; one may come twice), which keep their numbers."""
        return replace(self, numbers=rows + 1 if self.numbers is None else self.numbers[rows])

    def halves(self) -> tuple[StoredTable, StoredTable]:
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

    def only(self, names: Sequence[str]) -> Table:
        """Some columns, in memory."""
        self.outline.require(names)
        frame = pl.DataFrame({name: self._whole(name) for name in names})
        return replace(self.outline, frame=frame, first_row=self.first, numbers=self.numbers)

    @property
    def first(self) -> int:
        """The number of the first row of the first piece, chosen or not."""
        return self.pieces[0].first if self.pieces else 1

    def _whole(self, name: str) -> pl.Series:
        """A column, from all pieces."""
        spans = [piece.spans[name] for piece in self.pieces]
        if self.types[name] != pl.Float64 or not all(span.bare for span in spans):
            blocks = [block.frame.to_series() for block in self.blocks([name])]
            return pl.concat(blocks) if blocks else pl.Series(name, dtype=self.types[name])
        x, start = np.empty(self.height), 0
        for piece, span in zip(self.pieces, spans, strict=True):
            self._fill(x[start : start + piece.rows], span)
            start += piece.rows
        x = x if self.numbers is None else x[self.numbers - self.first]
        cells = pl.Series(name, x)
        return cells.fill_nan(None) if any(span.holes for span in spans) else cells

    def blocks(self, names: Sequence[str]) -> Iterator[Table]:
        """Some columns, block by block; blocks of which no row was chosen are left out."""
        self.outline.require(names)
        for piece in self.pieces:
            numbers = None
            if self.numbers is not None:
                start, stop = np.searchsorted(self.numbers, [piece.first, piece.first + piece.rows])
                numbers = self.numbers[start:stop]
                if len(numbers) == piece.rows and (np.diff(numbers) > 0).all():
                    numbers = None
            if piece.rows if numbers is None else len(numbers):
                frame = self._frame(piece, names)
                frame = frame if numbers is None else frame[numbers - piece.first]
                yield replace(self.outline, frame=frame, first_row=piece.first, numbers=numbers)

    def _frame(self, piece: Piece, names: Sequence[str]) -> pl.DataFrame:
        spans = [piece.spans[name] for name in names]
        numbers = iter(np.empty((sum(span.bare for span in spans), piece.rows)))  # one call for memory, not many
        columns = {}
        for name, span in zip(names, spans, strict=True):
            if span.bare:
                self._fill(x := next(numbers), span)
                cells = pl.Series(name, x)
                cells = cells.fill_nan(None) if span.holes else cells
            else:
                with self.scratch.explained(), self.scratch.lock:
                    self.spool.seek(span.offset)
                    kept = self.spool.read(span.size)
                cells = pl.read_ipc_stream(io.BytesIO(kept)).get_column(name)
            columns[name] = cells.cast(self.types[name])
        return pl.DataFrame(columns)

    def _fill(self, x: npt.NDArray[np.float64], span: Span) -> None:
        """Fill x (rows,) with the bare numbers of a column."""
        with self.scratch.explained(), self.scratch.lock:
            self.spool.seek(span.offset)
            if self.spool.readinto(x.view(np.uint8).data) != span.size:
                raise OSError("the temporary file ends too soon")


@dataclass
class _Storing:
    """A table on its way into the scratch file. `texts` are columns that stay text; those found to be are added."""

    spool: ScratchFile
    texts: set[str]
    pieces: list[Piece] = field(default_factory=list)
    numbers: set[str] = field(default_factory=set)
    types: dict[str, pl.DataType] = field(default_factory=dict)

    def add(self, table: Table, names: Collection[str]) -> None:
        """The next block, of which the columns `names` are kept."""
        spans = {}
        for name in names:
            cells = table.frame.get_column(name)
            if cells.dtype == pl.Float64 and name not in self.texts and cells.null_count() < len(cells):
                self.numbers.add(name)
            if cells.dtype == pl.String and name not in self.texts:
                numbers = as_numbers(cells, table.dialect)
                if numbers is None:
                    self.texts.add(name)
                else:
                    cells = numbers
                    if cells.null_count() < len(cells):
                        self.numbers.add(name)
            self.types[name] = cells.dtype
            spans[name] = self.put(cells)
        self.pieces.append(Piece(table.first_row, len(table), spans))

    def put(self, cells: pl.Series) -> Span:
        """Write a column's cells, and say where they stand."""
        offset = self.spool.seek(0, io.SEEK_END)
        if cells.dtype == pl.Float64 and not isnan(cells.sum()):  # the quickest to show that one is NaN
            x = np.ascontiguousarray(cells.to_numpy())
            self.spool.write(x.view(np.uint8).data)
            return Span(offset, x.nbytes, bare=True, holes=cells.has_nulls())
        cells.to_frame().write_ipc_stream(content := io.BytesIO(), compression="uncompressed")
        self.spool.write(content.getbuffer())
        return Span(offset, self.spool.tell() - offset, bare=False)

    def mend(self, tables: Iterator[Table], source: str) -> None:
        """Put in the text of columns that turned out to be text after some of it was kept as numbers."""
        turned = self.numbers & self.texts
        for i, piece in enumerate(self.pieces):
            table = next(tables, None)
            if table is None or (table.first_row, len(table)) != (piece.first, piece.rows):
                raise DataError("the table changed while it was read", place=Place(source=source))
            spans = {name: self.put(table.frame.get_column(name)) for name in turned}
            self.types |= {name: table.frame.get_column(name).dtype for name in turned}
            self.pieces[i] = replace(piece, spans={**piece.spans, **spans})


def store(
    read: Callable[[], Iterator[Table]],
    kept: Callable[[Table], Collection[str]],
    scratch: Scratch,
    *,
    texts: Collection[str] | None,
) -> StoredTable:
    """Keep the columns `kept(first block)` of the table that `read()` gives block by block.

    The columns `texts` stay as they are spelled, all of them where it is None. A table that has others may be read
    twice, the second time as it is spelled: where a column kept as numbers is no more than that after some blocks.

    Raises:
        DataError: the table cannot be read.
        NncliError: the scratch file cannot be written.
    """
    spool, names, outline = scratch.spool(), None, None
    notes: list[str] = []
    with scratch.explained():
        for table in read():
            if names is None:
                names = kept(table)
                storing = _Storing(spool, set(names if texts is None else texts))
                outline = replace(table, frame=table.frame.clear())
            storing.add(table, names)
            notes += table.notes
        assert outline is not None, "a table of no rows is a table"
        if storing.numbers & storing.texts:
            storing.mend(read(), outline.source)
    outline = replace(outline, notes=tuple(notes))
    return StoredTable(outline, storing.types, tuple(storing.pieces), spool, scratch)
