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

from nncli.data.columns import may_be_codes, plain_numbers
from nncli.data.plain import Floats, Plain
from nncli.data.scratch import Scratch, ScratchFile
from nncli.data.table import Table
from nncli.errors import DataError, Place

AT_ONCE = 1 << 20
"""Bytes of a matrix of numbers that is written: of a larger one the memory would be new each time."""


@dataclass(frozen=True)
class Span:
    """Where the cells of a column stand in the scratch file: bare numbers, or, where they are not, a stream of Arrow's.

    Bare numbers are 8 bytes each, and stand one column after another. `holes` says whether some of them are NaN, which
    stands for a missing cell alone; `plain`, that all of them are finite.
    """

    offset: int
    size: int
    bare: bool
    holes: bool = False
    plain: bool = False


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
        return replace(self.nothing, frame=pl.DataFrame({name: self._whole(name) for name in names}))

    @property
    def nothing(self) -> Table:
        """The table without its columns: it knows the number of each of its rows."""
        return replace(self.outline, first_row=self.first, numbers=self.numbers)

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
        cells = pl.Series(name, self._numbers(spans))
        return cells.fill_nan(None) if any(span.holes for span in spans) else cells

    def plain(self, name: str) -> Floats | None:
        """A column (rows,) of finite numbers of which none is missing; None if it is not such a one."""
        if not all(self._is_plain(piece, name) for piece in self.pieces):
            return None
        return self._numbers([piece.spans[name] for piece in self.pieces])

    def _numbers(self, spans: Sequence[Span]) -> Floats:
        """The numbers (rows,) of a column that is bare in all pieces."""
        x, start = np.empty(self.height), 0
        for piece, span in zip(self.pieces, spans, strict=True):
            self._fill(x[start : start + piece.rows], span.offset)
            start += piece.rows
        return x if self.numbers is None else x[self.numbers - self.first]

    def blocks(self, names: Sequence[str]) -> Iterator[Table]:
        """Some columns, block by block; blocks of which no row was chosen are left out."""
        for table, plain in self.portions(names, ()):
            assert not plain.names
            yield table

    def portions(self, names: Sequence[str], plainly: Collection[str]) -> Iterator[tuple[Table, Plain]]:
        """Some columns, block by block as `blocks` has them, those of `plainly` that are plain numbers there apart."""
        self.outline.require(names)
        for piece in self.pieces:
            numbers = None
            if self.numbers is not None:
                start, stop = np.searchsorted(self.numbers, [piece.first, piece.first + piece.rows])
                numbers = self.numbers[start:stop]
                if len(numbers) == piece.rows and (np.diff(numbers) > 0).all():
                    numbers = None
            if piece.rows if numbers is None else len(numbers):
                rows = None if numbers is None else numbers - piece.first
                apart = [name for name in names if name in plainly and self._is_plain(piece, name)]
                frame = self._frame(piece, [name for name in names if name not in set(apart)])
                values = self._matrix(piece, apart)
                if rows is not None:
                    frame, values = frame[rows] if frame.width else frame, values[:, rows]
                yield replace(self.outline, frame=frame, first_row=piece.first, numbers=numbers), Plain(apart, values)

    def _is_plain(self, piece: Piece, name: str) -> bool:
        return piece.spans[name].plain and self.types[name] == pl.Float64

    def _frame(self, piece: Piece, names: Sequence[str]) -> pl.DataFrame:
        spans = [piece.spans[name] for name in names]
        numbers = iter(self._matrix(piece, [name for name in names if piece.spans[name].bare]))
        columns = {}
        for name, span in zip(names, spans, strict=True):
            if span.bare:
                cells = pl.Series(name, next(numbers))
                cells = cells.fill_nan(None) if span.holes else cells
            else:
                with self.scratch.explained(), self.scratch.lock:
                    self.spool.seek(span.offset)
                    kept = self.spool.read(span.size)
                cells = pl.read_ipc_stream(io.BytesIO(kept)).get_column(name)
            columns[name] = cells.cast(self.types[name])
        return pl.DataFrame(columns)

    def _matrix(self, piece: Piece, names: Sequence[str]) -> Floats:
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
        with self.scratch.explained(), self.scratch.lock:
            self.spool.seek(offset)
            if self.spool.readinto(x.view(np.uint8).data) != x.nbytes:
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
        """The next block, of which the columns `names` are kept: as numbers, those that are text of which nothing but
        the numbers can matter."""
        frame = table.frame.select(names)
        open_yet = [cells.name for cells in frame if cells.name not in self.texts and cells.dtype == pl.String]
        if open_yet:
            found = plain_numbers(frame.select(open_yet), table.dialect)
            self.texts.update(name for name in open_yet if name not in found)
            frame = frame.with_columns(found.values())
        for cells in frame:
            if cells.dtype == pl.Float64 and cells.name not in self.numbers and cells.null_count() < len(cells):
                self.numbers.add(cells.name)
        self.types |= frame.schema
        self.pieces.append(Piece(table.first_row, len(table), self.put(frame)))

    def put(self, frame: pl.DataFrame) -> dict[str, Span]:
        """Write columns, those of bare numbers one after another, and say where their cells stand."""
        numbers = [column for column in frame if column.dtype == pl.Float64]
        at_once = max(AT_ONCE // max(8 * frame.height, 1), 1)
        spans: dict[str, Span] = {}
        self.spool.seek(0, io.SEEK_END)
        for start in range(0, len(numbers), at_once):
            spans |= self._put_bare(numbers[start : start + at_once])
        for column in frame:
            if column.name not in spans:
                column.to_frame().write_ipc_stream(content := io.BytesIO(), compression="uncompressed")
                offset = self.spool.tell()
                spans[column.name] = Span(offset, self.spool.write(content.getbuffer()), bare=False)
        return spans

    def _put_bare(self, numbers: Sequence[pl.Series]) -> dict[str, Span]:
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
                spans[column.name] = Span(offset, size, bare, not plain and column.has_nulls(), plain)
                offset += size
        return spans

    def mend(self, tables: Iterator[Table], source: str) -> None:
        """Put in the text of columns that turned out to be text after some of it was kept as numbers."""
        turned = self.numbers & self.texts
        for i, piece in enumerate(self.pieces):
            table = next(tables, None)
            if table is None or (table.first_row, len(table)) != (piece.first, piece.rows):
                raise DataError("the table changed while it was read", place=Place(source=source))
            frame = pl.DataFrame({name: table.frame.get_column(name) for name in turned})
            spans = self.put(frame)
            self.types |= frame.schema
            self.pieces[i] = replace(piece, spans={**piece.spans, **spans})


def _may_be_codes(table: Table, name: str) -> bool:
    """Whether a block leaves it open that a column is one of classes: of what is not, its reader has made numbers."""
    if (cells := table.frame.select(name)).dtypes != [pl.String]:
        return False
    found = plain_numbers(cells, table.dialect)
    return not found or may_be_codes(found[name])


def store(
    read: Callable[[], Iterator[Table]],
    kept: Callable[[Table], Collection[str]],
    scratch: Scratch,
    *,
    texts: Collection[str] | None,
    codes: Collection[str] = (),
) -> StoredTable:
    """Keep the columns `kept(first block)` of the table that `read()` gives block by block.

    The columns `texts` stay as they are spelled, all of them where it is None, and so do those of `codes` that may be
    codes of classes for all that the first block says. A table that has others may be read
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
                wanted = kept(table)
                names = [name for name in table.names if name in wanted]
                storing = _Storing(spool, set(names if texts is None else texts))
                storing.texts |= {name for name in codes if _may_be_codes(table, name)}
                outline = replace(table, frame=table.frame.clear())
            storing.add(table, names)
            notes += table.notes
        assert outline is not None, "a table of no rows is a table"
        if storing.numbers & storing.texts:
            storing.mend(read(), outline.source)
    outline = replace(outline, notes=tuple(notes))
    return StoredTable(outline, storing.types, tuple(storing.pieces), spool, scratch)
