"""Rows that two stray quotes have made one cell: lines that can be read as one record or as several.

By RFC 4180 a quote that opens a cell by mistake, and a later one that happens to close it, are a cell of several lines,
and the rows between them are gone. The lines of a cell are refused if at least three of four, blank ones aside, have as
many separators as a row, unless something shows that they are text:

- Most separators in the cell have a space or the end of a line behind them, as in prose, and those of the table do not.
- Most of what would be their cells does not fit the columns of the first rows: text where these have numbers, or more
  words and letters than these have.

A table of one column has no separators to tell by, so its cells are never refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nncli.base.errors import Advice, DataError, Location, SetKey, UseOption, sentences
from nncli.data.formats.csv.records import NEWLINE, RETURN, Block, positions_of
from nncli.nn.arrays import BytePositions, Mask

ROWS, LINES = 3, 4
"""At least so many of so many lines look like rows."""
MAX_SPACED = 0.01
"""Largest share of the separators between cells that have a space behind them, where one in a cell is punctuation."""
MIN_CELLS = 10
"""Cells of a column from which their form can be told."""
MIN_NUMBERS = 0.9
"""Smallest share of numbers in a column of numbers."""
MAX_LETTERS = 3
"""Letters that a number or a date may have, such as those of a unit."""
LETTER = re.compile(r"[^\W\d_]")
BLANKS = b" \t\r\n"


@dataclass(frozen=True)
class _Lines:
    """The lines of a block whose quoted cells span some of them.

    `ends` (lines,) are positions; `records` (lines,) are the numbers of the records that the lines belong to. `marks`
    are the separators that a line would have without the quotes of the cells of several lines; those `within` are
    inside such cells.
    """

    block: Block
    ends: BytePositions
    records: BytePositions
    marks: BytePositions
    within: Mask

    @classmethod
    def of(cls, block: Block, separator: str) -> _Lines | None:
        """The lines of a block; None if no cell has several."""
        quotes, newlines = block.quotes, positions_of(block.data, NEWLINE)
        before = np.searchsorted(quotes, newlines)
        is_inside = before % 2 == 1
        if not is_inside.any():
            return None
        opening, closing = quotes[::2], quotes[1::2]
        # A quote right behind one that closes is the second of a doubled one: the cell goes on.
        cell = np.cumsum(opening[1:] != closing[: opening.size - 1] + 1, dtype=np.int64)
        cell = np.concatenate([np.zeros(1, np.int64), cell])
        has_lines = np.zeros(cell[-1] + 1, np.bool_)
        has_lines[cell[before[is_inside] // 2]] = True
        marks = positions_of(block.data, ord(separator))
        before = np.searchsorted(quotes, marks)
        is_within = before % 2 == 1
        is_within[is_within] = has_lines[cell[before[is_within] // 2]]
        is_counted = is_within | (before % 2 == 0)
        records = np.cumsum(~is_inside) - ~is_inside
        if not block.data.endswith(b"\n"):
            newlines, records = np.append(newlines, len(block.data)), np.append(records, records[-1] + ~is_inside[-1])
        return cls(block, newlines, records, marks[is_counted], is_within[is_counted])

    def starts(self) -> BytePositions:
        return np.concatenate([np.zeros(1, np.int64), self.ends[:-1] + 1])


def check_swallowed_rows(
    block: Block, width: int, separator: str, source: str, *, first_rows: FirstRows, for_model: bool
) -> None:
    """Raise a DataError if a cell of several lines can as well be rows of `width` cells.

    `for_model`: the table is read for a trained model, so that no configuration can be changed.
    """
    if width < 2 or not block.quotes.size or (lines := _Lines.of(block, separator)) is None:
        return
    starts, text = lines.starts(), block.bytes()
    has_return = (lines.ends > starts) & (text[np.minimum(starts, text.size - 1)] == RETURN)
    is_blank = lines.ends == starts + has_return
    counts = np.diff(np.searchsorted(lines.marks, lines.ends), prepend=0)
    is_row = ~is_blank & (counts == width - 1)
    number = int(lines.records[-1]) + 1
    rows = np.bincount(lines.records[is_row], minlength=number)
    filled = np.bincount(lines.records[~is_blank], minlength=number)
    suspects = (filled > 1) & (rows * LINES >= filled * ROWS)
    if suspects.any() and first_rows.has_dense_separators:
        suspects &= ~_are_prose(lines, number)
    for record in np.flatnonzero(suspects).tolist():
        first, after = np.searchsorted(lines.records, [record, record + 1]).tolist()
        if not first_rows.contradict(_would_be_cells(lines, starts, range(first, after), is_row)):
            raise _error(block, source, width, first, after - 1, int(rows[record]), int(filled[record]), for_model)


def _are_prose(lines: _Lines, number: int) -> Mask:
    """Whether most separators in the cells of each record have a space or the end of a line behind them (records,)."""
    marks = lines.marks[lines.within]
    text = lines.block.bytes()
    following = text[np.minimum(marks + 1, text.size - 1)]
    is_spaced = np.isin(following, np.frombuffer(BLANKS, np.uint8))
    records = lines.records[np.searchsorted(lines.ends, marks)]
    spaced = np.bincount(records[is_spaced], minlength=number)
    every = np.bincount(records, minlength=number)
    return np.asarray((every > 0) & (2 * spaced >= every))


def _would_be_cells(
    lines: _Lines, starts: BytePositions, numbers: Sequence[int], is_row: Mask
) -> Iterator[tuple[int, str]]:
    """Yield the cells, each with the number of its column, that the lines of a record would have without its quotes.

    Those outside the cell of several lines are cells in any case, and are left out.
    """
    low, high = np.searchsorted(lines.marks, [starts[numbers[0]], lines.ends[numbers[-1]]])
    data, quotes = lines.block.data, lines.block.quotes
    opened = quotes[np.searchsorted(quotes, lines.ends[numbers[0]]) - 1]
    closed = quotes[np.searchsorted(quotes, starts[numbers[-1]])]
    marks = lines.marks[low:high]
    for i in numbers:
        if is_row[i]:
            inner = marks[np.searchsorted(marks, starts[i]) : np.searchsorted(marks, lines.ends[i])].tolist()
            bounds = zip([int(starts[i]) - 1, *inner], [*inner, int(lines.ends[i])], strict=True)
            for column, (start, end) in enumerate(bounds):
                if end > opened and start < closed:
                    yield column, data[start + 1 : end].decode(errors="replace").strip(' \t\r"')


@dataclass(frozen=True)
class FirstRows:
    """What the first rows of a table, without those of several lines, say about others; the same for all of its blocks.

    `records` are their cells, and those of the header.
    """

    records: Sequence[Sequence[str]]

    @classmethod
    def of(cls, records: Iterable[Sequence[str]]) -> FirstRows:
        """The rows among the first records."""
        return cls([cells for cells in records if not any("\n" in cell for cell in cells)])

    @cached_property
    def has_dense_separators(self) -> bool:
        """Whether a separator hardly ever has a space or the end of a line behind it."""
        spaced = sum(cell[:1] == " " for cells in self.records for cell in cells[1:])
        spaced += sum(len(cells) > 1 and not cells[-1] for cells in self.records)
        return spaced <= MAX_SPACED * sum(max(len(cells) - 1, 0) for cells in self.records)

    def contradict(self, cells: Iterable[tuple[int, str]]) -> bool:
        """Whether most of the cells, each with the number of its column, do not fit their columns."""
        fits = [
            form.fits(cell)
            for column, cell in cells
            if column < len(self._forms) and (form := self._forms[column]) is not None
        ]
        return 2 * sum(fits) < len(fits)

    @cached_property
    def _forms(self) -> list[_Form | None]:
        """The form of the cells of each column; None if there are too few to tell."""
        columns = range(max(map(len, self.records), default=0))
        return [_Form.of([row[j].strip() for row in self.records[1:] if j < len(row)]) for j in columns]


@dataclass(frozen=True)
class _Form:
    """What the cells of a column look like: `are_numbers`, or texts of so many `words` and `letters` at most.

    Not which values they are: a table may be sorted, so that others come later.
    """

    are_numbers: bool
    words: int
    letters: int

    @classmethod
    def of(cls, cells: Sequence[str]) -> _Form | None:
        present = [cell for cell in cells if cell]
        if len(present) < MIN_CELLS:
            return None
        are_numbers = sum(map(is_like_number, present)) >= MIN_NUMBERS * len(present)
        return cls(are_numbers, max(len(cell.split()) for cell in present), max(map(len, present)))

    def fits(self, cell: str) -> bool:
        if not cell or is_like_number(cell):
            return True
        return not self.are_numbers and (len(cell.split()) <= self.words or len(cell) <= 2 * self.letters)


def is_like_number(cell: str) -> bool:
    """Whether a cell has digits and hardly a letter, as a number, a date or a time."""
    return any(map(str.isdigit, cell)) and len(LETTER.findall(cell)) <= MAX_LETTERS


def _error(
    block: Block, source: str, width: int, first: int, last: int, rows: int, filled: int, for_model: bool
) -> DataError:
    each = "each" if rows == filled else f"{rows:,} of them"
    number = last - first + 1
    if for_model:
        none, double = UseOption("quote", "quote", "none"), UseOption("quote", "quote", "double")
    else:
        none, double = (SetKey("data.quote", value, in_command=True) for value in ("none", "double"))
    return DataError(
        f"a quote on this line and one on line {block.line + last:,} make one cell of these {number:,} lines, "
        f"{each} with the {width:,} cells of a row",
        location=Location(source=source, line=block.line + first),
        hint=sentences(
            "If they are rows, remove the two quotes.",
            Advice("If no cell is in quotes, so that each quote is a character: ", none, "."),
            Advice("If they are one cell: ", double, "."),
        ),
    )
