"""Numbers parsed with the cells, where nothing about their spelling can matter.

Cells are text until somebody asks for numbers. Where it is known which columns will be asked for, Polars parses these
as Float64 while it cuts the text into cells, which spares the text and half of the time. It reads the same number from
a cell as `parse_numbers`; what it has no way of telling is for text: a block with a cell that it refuses, that is
infinite, or that is all spaces, is given up here, so that whoever reads its numbers can say what stands where.

Where it is yet to be found out what the columns hold, more can matter of a number than its value: a block is given up
that has a leading zero in one of these columns, or a number too large or too odd for `as_numbers`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars

from nncli.data.blocks import NEWLINE, NOWHERE, PIECE, QUOTE, Block, Positions, outside
from nncli.data.doubts import EXACT
from nncli.data.sources import REFUSALS
from nncli.errors import refuse_shortage

PATIENCE = 2
"""After so many blocks in a row that were given up, the rest of the file is read as text without trying."""

Text: TypeAlias = npt.NDArray[np.uint8]


class Direct:
    """Parses the blocks of one file, the columns `numbers` as Float64, the others as text; `missing` words are null.

    With `only_value`, none of the numbers may be one of which more than the value can matter.
    """

    def __init__(
        self,
        names: Collection[str],
        numbers: Collection[str],
        missing: Collection[str],
        separator: str,
        *,
        only_value: bool = False,
    ) -> None:
        self._is_number = np.array([name in numbers for name in names])
        kinds = [polars.Float64() if is_number else polars.String() for is_number in self._is_number]
        self._schema = polars.Schema({str(j): kind for j, kind in enumerate(kinds)})
        self._words, self._separator, self._only_value = list(missing), separator, only_value
        # To Polars an empty cell is null, and a word what stands between two separators or in quotes.
        clear = "" in missing and not any(c in word for word in missing for c in ('"', "\r", "\n", separator))
        self._patience = PATIENCE if clear and self._is_number.any() else 0

    def parse(self, text: bytes) -> polars.DataFrame | None:
        """The cells of a block, given with a header and its last line end; None if they are to be read as text."""
        if not self._patience:
            return None
        try:
            return polars.read_csv(text, separator=self._separator, schema=self._schema, null_values=self._words)
        except REFUSALS as error:
            refuse_shortage(error)
            self._patience -= 1
            return None

    def holds(self, cells: polars.DataFrame, block: Block) -> bool:
        """Whether the text of the block, all of whose rows are of equal length, would give the same as these cells."""
        held = self._holds(cells, block)
        self._patience = PATIENCE if held else self._patience - 1
        return held

    def _holds(self, cells: polars.DataFrame, block: Block) -> bool:
        numbers = cells.select(polars.col(polars.Float64))
        x = polars.all()
        odd = (x.abs() >= EXACT) | x.is_nan() if self._only_value else x.is_infinite()
        if any(numbers.select(odd.any()).row(0)):
            return False
        doubtful = self._is_number.copy()
        if not self._only_value:
            doubtful[doubtful] = [column.has_nulls() for column in numbers]
        if not doubtful.any():
            return True
        if self._separator in " \t" and block.quotes.size:  # a cell may begin with a separator then
            return False
        where = odd_beginnings(block, self._separator, zeros=self._only_value)
        if not where.size:
            return True
        text = block.bytes()
        ends = outside(np.flatnonzero((text == ord(self._separator)) | (text == NEWLINE)), block.quotes)
        return not doubtful[np.searchsorted(ends, where) % cells.width].any()


def odd_beginnings(block: Block, separator: str, *, zeros: bool) -> Positions:
    """Where cells begin with a space, or, with `zeros`, with a leading zero; in quoted cells also what looks so."""
    spaces = [mark for mark in b" \t" if mark != ord(separator) and bytes([mark]) in block.data]
    if not spaces and not zeros:
        return NOWHERE
    before = [ord(separator), NEWLINE, *[QUOTE] * bool(block.quotes.size)]
    found = [NOWHERE]
    # A newline stands before the first cell, and three bytes after each piece have a part in what is found in it.
    whole = np.frombuffer(b"".join((b"\n", block.data, b"\n\n\n")), np.uint8)
    for start in range(0, whole.size - 3, PIECE):
        text = whole[start : start + PIECE + 3]
        begins = anything(text[:-3], before)
        odd = anything(text[1:-2], spaces)
        if zeros:
            leading = text[1:-1] == ord("0")
            leading &= text[2:] - ord("0") < 10
            odd |= leading[:-1]
            odd |= anything(text[1:-2], b"+-") & leading[1:]
        begins &= odd
        if begins.any():
            found.append(np.flatnonzero(begins) + start)
    return np.concatenate(found)


def anything(text: Text, marks: Collection[int]) -> npt.NDArray[np.bool_]:
    """Which bytes of `text` are one of the marks."""
    found = np.zeros(text.size, np.bool_)
    for mark in marks:
        found |= text == mark
    return found
