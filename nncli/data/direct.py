"""Numbers parsed with the cells, where nothing about their spelling can matter.

Cells are text until somebody asks for numbers. Where it is known which columns will be asked for, Polars parses these
as Float64 while it cuts the text into cells, which spares the text. It and `parse_numbers` read the same number from
the same cell. What is left over is for text: a block with a cell that Polars refuses, that is infinite, or that is all
spaces, is given up here and read as text, so that whoever reads its numbers can say what stands where.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars

from nncli.data.blocks import PIECE, Block
from nncli.data.sources import REFUSALS

PATIENCE = 2
"""After so many blocks in a row that were given up, the rest of the file is read as text without trying."""


class Direct:
    """Parses the blocks of one file, the columns `numbers` as Float64, the others as text; `missing` words are null."""

    def __init__(self, names: Collection[str], numbers: Collection[str], missing: Collection[str], mark: str) -> None:
        kinds = [polars.Float64() if name in numbers else polars.String() for name in names]
        self._schema, self._separator = polars.Schema({str(j): kind for j, kind in enumerate(kinds)}), mark
        self._words = list(missing)
        # To Polars an empty cell is null, and a word what stands between two separators or in quotes.
        clear = "" in missing and not any(c in word for word in missing for c in ('"', "\r", "\n", mark))
        self._patience = PATIENCE if clear and not set(names).isdisjoint(numbers) else 0

    def parse(self, block: Block, text: bytes) -> polars.DataFrame | None:
        """The cells of `text`, which is the block with a header and its last line end, called 0, 1, 2 …

        None where they are to be read as text.
        """
        if not self._patience:
            return None
        cells = self._parsed(block, text)
        self._patience = self._patience - 1 if cells is None else PATIENCE
        return cells

    def _parsed(self, block: Block, text: bytes) -> polars.DataFrame | None:
        try:
            cells = polars.read_csv(text, separator=self._separator, schema=self._schema, null_values=self._words)
        except REFUSALS:
            return None
        numbers = cells.select(polars.col(polars.Float64))
        if any(np.isinf(column.to_numpy()).any() for column in numbers):
            return None
        if any(column.has_nulls() for column in numbers) and self._has_leading_spaces(block):
            return None
        return cells

    def _has_leading_spaces(self, block: Block) -> bool:
        """Whether a cell begins with a space: one of nothing else would be null, as if it were empty."""
        spaces = [mark for mark in b" \t" if mark != ord(self._separator) and bytes([mark]) in block.data]
        if not spaces:
            return False
        is_space, is_before = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
        is_space[spaces] = is_before[[ord(self._separator), *b'\n"']] = True
        text = block.bytes()
        if is_space[text[0]]:
            return True
        return any(
            (
                is_space[text[start + 1 : start + PIECE + 1]]
                & is_before[text[start : start + PIECE]][: text.size - start - 1]
            ).any()
            for start in range(0, text.size - 1, PIECE)
        )
