"""Numbers parsed with the cells, where nothing about their spelling can matter.

Cells are text until somebody asks for numbers. Where it is known which columns will be asked for, Polars parses these
as Float64 while it cuts the text into cells, which spares the text and half of the time. It reads the same number from
a cell as `parse_numbers`; what it has no way of telling is for text: a block with a cell that it refuses, that is
infinite, or that is all spaces, is given up here, so that whoever reads its numbers can say what stands where.

Where it is yet to be found out what the columns hold, more can matter of a number than its value: a block is given up
that has a leading zero in one of these columns, or a number too large or too odd for `as_numbers`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import inf, isnan
from typing import Any

import numpy as np
import polars

from nncli.data.arrays import ByteArray, BytePositions, Mask
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.io.csv.blocks import NEWLINE, NO_POSITIONS, PIECE, QUOTE, Block, count_of, outside_quotes
from nncli.data.io.streams import POLARS_ERRORS, UTF8_BOM
from nncli.errors import reraise_out_of_memory

SKIPPED = (b"\n", b"\r", UTF8_BOM)
"""What Polars skips at the beginning of a text that has no header."""
MAX_FAILED_BLOCKS = 2
"""After so many blocks in a row that were given up, the rest of the file is read as text without trying."""


class NumericParser:
    """Parses the blocks of one file, the columns `numbers` as Float64, the others as text; `missing` words are null.

    With `only_value`, none of the numbers may be one of which more than the value can matter.
    """

    def __init__(
        self,
        names: Collection[str],
        numbers: Collection[str],
        missing_values: Collection[str],
        separator: str,
        *,
        exact_only: bool = False,
    ) -> None:
        self.numbers = frozenset(numbers)
        self._is_number = np.array([name in numbers for name in names])
        kinds = [polars.Float64() if is_number else polars.String() for is_number in self._is_number]
        self._schema = polars.Schema({str(j): kind for j, kind in enumerate(kinds)})
        self._na_values, self._separator, self._exact_only = list(missing_values), separator, exact_only
        # To Polars an empty cell is null, and a word what stands between two separators or in quotes.
        clear = "" in missing_values and not any(
            c in word for word in missing_values for c in ('"', "\r", "\n", separator)
        )
        self._attempts_left = MAX_FAILED_BLOCKS if clear and self._is_number.any() else 0

    @property
    def is_active(self) -> bool:
        """Whether blocks are still tried."""
        return self._attempts_left > 0

    def cells(self, block: Block) -> polars.DataFrame | None:
        """The cells of a block; None if they are to be read as text. Several threads may ask, each for its block."""
        if not self.is_active or block.data.startswith(SKIPPED):
            return None
        text = block.data if block.data.endswith(b"\n") else block.data + b"\n"
        # Polars takes longer where it has words to look for; an empty cell without quotes is null by itself.
        words = [word for word in self._na_values if (word.encode()[:1] in text if word else block.quotes.size)]
        try:
            cells = polars.read_csv(
                text, separator=self._separator, schema=self._schema, has_header=False, null_values=words or None
            )
        except POLARS_ERRORS as error:
            reraise_out_of_memory(error)
            return None
        return cells if is_rectangular(block, cells, self._separator) and self._matches_text(cells, block) else None

    def record_outcome(self, *, succeeded: bool) -> None:
        """Take note, block by block in their order, of whether one was parsed so."""
        self._attempts_left = MAX_FAILED_BLOCKS if succeeded else self._attempts_left - 1

    def _matches_text(self, cells: polars.DataFrame, block: Block) -> bool:
        """Whether the text of the block, all of whose rows are of equal length, would give the same as these cells."""
        numbers = [column for column in cells if column.dtype == polars.Float64]
        if any(self._has_special_value(column) for column in numbers):
            return False
        doubtful = self._is_number.copy()
        if not self._exact_only:
            doubtful[doubtful] = [column.has_nulls() for column in numbers]
        if not doubtful.any():
            return True
        if self._separator in " \t" and block.quotes.size:  # a cell may begin with a separator then
            return False
        where = ambiguous_starts(block, self._separator, zeros=self._exact_only)
        if not where.size:
            return True
        text = block.bytes()
        ends = outside_quotes(np.flatnonzero((text == ord(self._separator)) | (text == NEWLINE)), block.quotes)
        return not doubtful[np.searchsorted(ends, where) % cells.width].any()

    def _has_special_value(self, column: polars.Series) -> bool:
        """Whether one of the numbers is infinite, or otherwise such that its spelling can matter."""
        beyond = MAX_EXACT_INTEGER if self._exact_only else inf
        ends: list[Any] = [column.min(), column.max()]
        if any(end is not None and abs(end) >= beyond for end in ends):
            return True
        return self._exact_only and isnan(column.sum())  # the quickest to show that one is NaN


def is_rectangular(block: Block, cells: polars.DataFrame, separator: str) -> bool:
    """Whether every record has as many cells as the header.

    Polars refuses rows that are too long and fills up those that are too short with nulls, which it also gives
    for empty cells; so separators are counted where some last cell is null: else no row was filled up.
    """
    if not cells.get_column(cells.columns[-1]).null_count():
        return True
    count = count_of(block.bytes(), ord(separator))
    if block.quotes.size:
        inside = cells.select(polars.col(polars.String).str.count_matches(separator, literal=True).sum())
        count -= sum(inside.row(0)) if inside.width else 0
    return count == cells.height * (cells.width - 1)


def ambiguous_starts(block: Block, separator: str, *, zeros: bool) -> BytePositions:
    """Where cells begin with a space, or, with `zeros`, with a leading zero; in quoted cells also what looks so."""
    text, before = block.bytes(), [ord(separator), NEWLINE, *[QUOTE] * bool(block.quotes.size)]
    found = [NO_POSITIONS]
    if zeros:
        where = leading_zeros(text, ord(separator))
        found.append(where[(where == 0) | is_any_of(text[where - 1], before)])
    if spaces := [mark for mark in b" \t" if mark != ord(separator) and bytes([mark]) in block.data]:
        found.append(np.flatnonzero(is_any_of(text[:1], spaces)))
        for start, piece in pieces(text, 1):
            maybe = is_any_of(piece[1:], spaces)
            maybe &= is_any_of(piece[:-1], before)
            found.append(np.flatnonzero(maybe) + start + 1)
    return np.concatenate(found)


def leading_zeros(text: ByteArray, separator: int) -> BytePositions:
    """Where there may be a number with a leading zero: its sign, if it has one; the zero and one more digit follow."""
    found = [NO_POSITIONS]
    for start, piece in pieces(text, 2):
        # A sign, a separator, a quote and a line end all come before the point and the digits.
        maybe = piece[:-2] < ord(".")
        if separator > ord("."):
            maybe |= piece[:-2] == separator
        maybe &= piece[1:-1] == ord("0")
        maybe &= piece[2:] - ord("0") < 10
        if maybe.any():
            found.append(np.flatnonzero(maybe) + start + 1)
    zeros: BytePositions = np.concatenate(found)
    if (head := text[:2].tobytes()).startswith(b"0") and len(head) == 2 and head.isdigit():
        zeros = np.append(0, zeros)
    return zeros - is_any_of(text[zeros - 1], b"+-") * (zeros > 0)


def pieces(text: ByteArray, more: int = 0) -> Iterator[tuple[int, ByteArray]]:
    """Pieces of the text that stay in the cache, each with where it begins and with `more` bytes of the next."""
    for start in range(0, text.size - more, PIECE):
        yield start, text[start : start + PIECE + more]


def is_any_of(text: ByteArray, marks: Collection[int]) -> Mask:
    """Which bytes of `text` are one of the marks."""
    found = np.zeros(text.size, np.bool_)
    for mark in marks:
        found |= text == mark
    return found
