"""Parse numeric columns of a CSV directly as Float64, if the original text of the cells cannot matter.

Polars parses the columns while it splits the text into cells, in half the time, and reads the same numbers as
`parse_numbers`. A block is parsed as text instead if a cell is not a number, is infinite or consists of spaces, so that
error messages can show the original cell.

With `exact_only`, for columns whose kind is not known yet, blocks with a leading zero, NaN, or an integer beyond the
exact range of float64 are parsed as text too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from math import inf, isnan
from typing import Any

import numpy as np
import polars

from nncli.base.errors import reraise_out_of_memory
from nncli.data.columns.parsing import MAX_EXACT_INTEGER
from nncli.data.formats.csv.records import NEWLINE, NO_POSITIONS, PIECE, QUOTE, RecordBlock, count_of, outside_quotes
from nncli.data.formats.streams import POLARS_ERRORS, UTF8_BOM
from nncli.data.table import MANY_COLUMNS, stacked
from nncli.nn.arrays import ByteArray, BytePositions, Mask

SKIPPED = (b"\n", b"\r", UTF8_BOM)
"""Bytes that Polars skips at the beginning of text without a header."""
MAX_FAILED_BLOCKS = 2
"""After this number of failed blocks in a row the rest of the file is parsed as text."""


class NumericParser:
    """Parses blocks of one file: columns `numbers` as Float64, the others as text, and `missing_values` as null.

    With `exact_only`, a block whose numbers have a spelling that can matter is not parsed.
    """

    def __init__(
        self,
        names: Collection[str | None],
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
        # Polars reads empty cells as null, and cannot match missing values with quotes, line ends or separators.
        supported = "" in missing_values and not any(
            c in value for value in missing_values for c in ('"', "\r", "\n", separator)
        )
        self._attempts_left = MAX_FAILED_BLOCKS if supported and self._is_number.any() else 0

    @property
    def is_active(self) -> bool:
        """Whether further blocks should be attempted."""
        return self._attempts_left > 0

    def cells(self, block: RecordBlock) -> polars.DataFrame | None:
        """The cells of a block; None if it must be parsed as text. Thread-safe."""
        if not self.is_active or block.data.startswith(SKIPPED):
            return None
        text = block.data if block.data.endswith(b"\n") else block.data + b"\n"
        # Polars is slower with null_values; an empty cell without quotes is null without them.
        na_values = [value for value in self._na_values if (value.encode()[:1] in text if value else block.quotes.size)]
        try:
            cells = polars.read_csv(
                text, separator=self._separator, schema=self._schema, has_header=False, null_values=na_values or None
            )
        except POLARS_ERRORS as error:
            reraise_out_of_memory(error)
            return None
        return cells if is_rectangular(block, cells, self._separator) and self._matches_text(cells, block) else None

    def record_outcome(self, *, succeeded: bool) -> None:
        """Record whether the next block, in order, was parsed."""
        self._attempts_left = MAX_FAILED_BLOCKS if succeeded else self._attempts_left - 1

    def _matches_text(self, cells: polars.DataFrame, block: RecordBlock) -> bool:
        """Whether parsing the rectangular block as text would give the same values as these cells."""
        numbers = [column for column in cells if column.dtype == polars.Float64]
        many = len(numbers) >= MANY_COLUMNS and cells.height
        if any(self._has_special_value(column) for column in ([stacked(numbers)] if many else numbers)):
            return False
        ambiguous = self._is_number.copy()
        if not self._exact_only:
            ambiguous[ambiguous] = [column.has_nulls() for column in numbers]
        if not ambiguous.any():
            return True
        if self._separator in " \t" and block.quotes.size:  # a quoted cell may begin with a separator
            return False
        where = ambiguous_starts(block, self._separator, zeros=self._exact_only)
        if not where.size:
            return True
        text = block.bytes()
        ends = outside_quotes(np.flatnonzero((text == ord(self._separator)) | (text == NEWLINE)), block.quotes)
        return not ambiguous[np.searchsorted(ends, where) % cells.width].any()

    def _has_special_value(self, column: polars.Series) -> bool:
        """Whether a number is infinite, or with `exact_only` NaN or beyond the exact range of float64."""
        limit = MAX_EXACT_INTEGER if self._exact_only else inf
        extremes: list[Any] = [column.min(), column.max()]
        if any(x is not None and abs(x) >= limit for x in extremes):
            return True
        return self._exact_only and isnan(column.sum())  # the fastest test for NaN


def is_rectangular(block: RecordBlock, cells: polars.DataFrame, separator: str) -> bool:
    """Whether every record has as many cells as the header.

    Polars rejects rows that are too long, but fills short rows with nulls, its value of empty cells too; so separators
    are counted if a cell of the last column is null.
    """
    if not cells.get_column(cells.columns[-1]).null_count():
        return True
    count = count_of(block.bytes(), ord(separator))
    if block.quotes.size:
        inside = cells.select(polars.col(polars.String).str.count_matches(separator, literal=True).sum())
        count -= sum(inside.row(0)) if inside.width else 0
    return count == cells.height * (cells.width - 1)


def ambiguous_starts(block: RecordBlock, separator: str, *, zeros: bool) -> BytePositions:
    """Positions of cells that begin with a space or, with `zeros`, a leading zero; quoted cells may add others."""
    text, before = block.bytes(), [ord(separator), NEWLINE, *[QUOTE] * bool(block.quotes.size)]
    starts = [NO_POSITIONS]
    if zeros:
        where = leading_zeros(text, ord(separator))
        starts.append(where[(where == 0) | is_any_of(text[where - 1], before)])
    if spaces := [mark for mark in b" \t" if mark != ord(separator) and bytes([mark]) in block.data]:
        starts.append(np.flatnonzero(is_any_of(text[:1], spaces)))
        for start, piece in pieces(text, 1):
            maybe = is_any_of(piece[1:], spaces)
            maybe &= is_any_of(piece[:-1], before)
            starts.append(np.flatnonzero(maybe) + start + 1)
    return np.concatenate(starts)


def leading_zeros(text: ByteArray, separator: int) -> BytePositions:
    """Positions of possible numbers with a leading zero: an optional sign, then 0 and another digit."""
    positions = [NO_POSITIONS]
    for start, piece in pieces(text, 2):
        # Signs, most separators, quotes and line ends are smaller bytes than the point and the digits.
        maybe = piece[:-2] < ord(".")
        if separator > ord("."):
            maybe |= piece[:-2] == separator
        maybe &= piece[1:-1] == ord("0")
        maybe &= piece[2:] - ord("0") < 10
        if maybe.any():
            positions.append(np.flatnonzero(maybe) + start + 1)
    zeros: BytePositions = np.concatenate(positions)
    if (head := text[:2].tobytes()).startswith(b"0") and len(head) == 2 and head.isdigit():
        zeros = np.append(0, zeros)
    return zeros - is_any_of(text[zeros - 1], b"+-") * (zeros > 0)


def pieces(text: ByteArray, overlap: int = 0) -> Iterator[tuple[int, ByteArray]]:
    """Yield pieces of the text that fit in the cache, each with its start and `overlap` bytes of the next piece."""
    for start in range(0, text.size - overlap, PIECE):
        yield start, text[start : start + PIECE + overlap]


def is_any_of(text: ByteArray, marks: Collection[int]) -> Mask:
    """Mask of the bytes of `text` that are one of the marks."""
    mask = np.zeros(text.size, np.bool_)
    for mark in marks:
        mask |= text == mark
    return mask
