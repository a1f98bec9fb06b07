"""Rows that two stray quotes have made one cell: lines that can be read as one record or as several.

By RFC 4180 a quote that opens a cell by mistake, and a later one that happens to close it, are a cell of several lines,
and the rows between them are gone. The lines of a cell are refused if at least three of four, blank ones aside, have as
many separators as a row, unless something shows that they are text:

- Most separators in the cell have a space or the end of a line behind them, as in prose, and those between the cells of
  the first rows do not.
- Most lines would have a cell that does not fit its column in the first rows: text where these have numbers, or more
  words and letters than these have.

A table of one column has no separators to tell by, so its cells are never refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars

from nncli.base.errors import Advice, DataError, Location, SetKey, UseOption, sentences
from nncli.data.columns.parsing import MISSING_WORDS
from nncli.data.formats.csv.records import NEWLINE, RETURN, RecordBlock, positions_of
from nncli.nn.arrays import BytePositions, Mask

ROWS, LINES = 3, 4
"""At least so many of so many lines look like rows."""
MAX_SPACED = 0.01
"""Largest share of the separators between cells that have a space behind them, where one in a cell is punctuation."""
MIN_CELLS = 10
"""Cells of a column from which their form can be told."""
MAX_OTHERS = 0.1
"""Largest share of words in a column of numbers."""
MAX_LETTERS = 3
"""Letters that a number or a date may have, such as those of a unit."""
MAX_LINES = 1000
"""Lines of a cell that are looked at."""
LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True)
class _Lines:
    """The lines of a block whose quoted cells span some of them.

    `ends` (lines,) are positions; `records` (lines,) are the numbers of the records that the lines belong to. `marks`
    are the separators that a line would have without the quotes of the cells of several lines; those `within` are
    inside such cells.
    """

    block: RecordBlock
    ends: BytePositions
    records: BytePositions
    marks: BytePositions
    within: Mask

    @classmethod
    def of(cls, block: RecordBlock, separator: str) -> _Lines | None:
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


def have_separators(cells: polars.Series, separator: str, number: int) -> bool:
    """Whether a cell of several lines has so many separators; fewer cannot make two rows of one."""
    if cells.dtype != polars.String:
        return False
    several = cells.filter(cells.str.contains("\n", literal=True))
    return bool((several.str.count_matches(separator, literal=True) >= number).any())


def check_swallowed_rows(
    block: RecordBlock, width: int, separator: str, source: str, *, first_rows: FirstRows, for_model: bool
) -> None:
    """Raise a DataError if a cell of several lines can as well be rows of `width` cells, or of as many as the header.

    `for_model`: the table is read for a trained model, so that no configuration can be changed.
    """
    if width < 2 or not block.quotes.size or (lines := _Lines.of(block, separator)) is None:
        return
    starts, text = lines.starts(), block.bytes()
    has_return = (lines.ends > starts) & (text[np.minimum(starts, text.size - 1)] == RETURN)
    is_blank = lines.ends == starts + has_return
    counts = np.diff(np.searchsorted(lines.marks, lines.ends), prepend=0)
    header = len(first_rows.records[0]) or width
    is_row = ~is_blank & ((counts == width - 1) | (counts == max(header, 2) - 1))
    number = int(lines.records[-1]) + 1
    rows = np.bincount(lines.records[is_row], minlength=number)
    filled = np.bincount(lines.records[~is_blank], minlength=number)
    suspects = (filled > 1) & (rows * LINES >= filled * ROWS)
    if suspects.any() and first_rows.punctuation_ends:
        suspects &= ~_are_prose(lines, number, first_rows.punctuation_ends)
    for record in np.flatnonzero(suspects).tolist():
        first, after = np.searchsorted(lines.records, [record, record + 1]).tolist()
        if not first_rows.contradict(_would_be_cells(lines, starts, range(first, after), is_row)):
            raise _error(block, source, width, first, after - 1, int(rows[record]), int(filled[record]), for_model)


def _are_prose(lines: _Lines, number: int, ends: bytes) -> Mask:
    """Whether most separators in the cells of each record have one of the bytes behind them (records,)."""
    marks = lines.marks[lines.within]
    text = lines.block.bytes()
    following = text[np.minimum(marks + 1, text.size - 1)]
    is_spaced = np.isin(following, np.frombuffer(ends, np.uint8))
    records = lines.records[np.searchsorted(lines.ends, marks)]
    spaced = np.bincount(records[is_spaced], minlength=number)
    every = np.bincount(records, minlength=number)
    return np.asarray((every > 0) & (2 * spaced >= every))


def _would_be_cells(
    lines: _Lines, starts: BytePositions, numbers: Sequence[int], is_row: Mask
) -> Iterator[dict[int, str]]:
    """Yield the cells, by the number of the column, that each of the first lines of a record would have without quotes.

    Those outside the cell of several lines are cells in any case, and are left out; so are those of its own column,
    which has such texts.
    """
    data, quotes, marks = lines.block.data, lines.block.quotes, lines.marks
    opened = quotes[np.searchsorted(quotes, lines.ends[numbers[0]]) - 1]
    closed = quotes[np.searchsorted(quotes, starts[numbers[-1]])]
    first, quoted = np.searchsorted(marks, [starts[numbers[0]], opened])
    own = int(quoted - first)
    for i in numbers[:MAX_LINES]:
        if is_row[i]:
            low, high = np.searchsorted(marks, [starts[i], lines.ends[i]])
            inner = marks[low:high].tolist()
            bounds = zip([int(starts[i]) - 1, *inner], [*inner, int(lines.ends[i])], strict=True)
            yield {
                column: data[start + 1 : end].decode(errors="replace").strip(' \t\r"')
                for column, (start, end) in enumerate(bounds)
                if end > opened and start < closed and column != own
            }


@dataclass(frozen=True)
class FirstRows:
    """What the first rows of a table say about others; the same for all of its blocks.

    `records` are the cells of its header (none, if it has no header) and of its first rows.
    """

    records: Sequence[Sequence[str]]

    @cached_property
    def punctuation_ends(self) -> bytes:
        """The bytes that hardly ever follow a separator of the table, but do follow one in prose."""
        behind = [cell[:1] in (" ", "\t") for cells in self.records for cell in cells[1:]]
        if sum(behind) > MAX_SPACED * len(behind):
            return b""
        last = [bool(cells[-1]) for cells in self.records[1:] if len(cells) > 1]
        return b" \t\r\n" if len(last) >= MIN_CELLS and all(last) else b" \t"

    def contradict(self, lines: Iterable[Mapping[int, str]]) -> bool:
        """Whether most lines have a cell that does not fit its column; they have cells by the number of the column."""
        forms = self._forms
        fits = [all(forms[j].fits(cell) for j, cell in cells.items() if j in forms) for cells in lines if cells]
        return 2 * sum(fits) < len(fits)

    @cached_property
    def _forms(self) -> dict[int, _Form]:
        """The form of the cells of one line in each column, if there are enough to tell it."""
        columns = range(max(map(len, self.records), default=0))
        rows = [[cell.strip() for cell in row] for row in self.records[1:]]
        cells = {j: [row[j] for row in rows if j < len(row) and row[j] and "\n" not in row[j]] for j in columns}
        return {j: _Form.of(present) for j, present in cells.items() if len(present) >= MIN_CELLS}


@dataclass(frozen=True)
class _Form:
    """What cells of a column look like: `are_numbers`, but for `others`, or of so many `words` and `letters` at most.

    Not which values they are: a table may be sorted, so that others come later.
    """

    are_numbers: bool
    others: frozenset[str]
    words: int
    letters: int

    @classmethod
    def of(cls, cells: Sequence[str]) -> _Form:
        others = [cell for cell in cells if not is_like_number(cell)]
        return cls(
            len(others) <= MAX_OTHERS * len(cells),
            frozenset(others),
            max(len(cell.split()) for cell in cells),
            max(map(len, cells)),
        )

    def fits(self, cell: str) -> bool:
        if not cell or is_like_number(cell) or cell in self.others or cell.casefold() in MISSING_WORDS:
            return True
        return not self.are_numbers and (len(cell.split()) <= self.words or len(cell) <= 2 * self.letters)


def is_like_number(cell: str) -> bool:
    """Whether a cell has digits and hardly a letter, as a number, a date or a time."""
    return any(map(str.isdigit, cell)) and len(LETTER.findall(cell)) <= MAX_LETTERS


def _error(
    block: RecordBlock, source: str, width: int, first: int, last: int, rows: int, filled: int, for_model: bool
) -> DataError:
    each = "each" if rows == filled else f"{rows:,} of them"
    number = last - first + 1
    none, double = (
        UseOption("quote", "quote", value) if for_model else SetKey("data.quote", value) for value in ("none", "double")
    )
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
