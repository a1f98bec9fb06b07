"""The records of a text: where each begins and ends, and its number of cells."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from nncli.data.formats.csv.blocks import NEWLINE, QUOTE, RETURN, outside_quotes, positions_of
from nncli.data.formats.csv.quoting import QuoteRepair
from nncli.nn.arrays import BytePositions, Mask

LINE_ENDS = re.compile(rb"(?<!\r)\r*+\n|\r")


@dataclass(frozen=True)
class Records:
    """The records of `data` that end at a newline or at the end of the text.

    `starts` and `ends` (records,) are byte positions, without the newline; `counts` (records,) are the numbers of
    cells; `blank` records have no byte but \\r. `data` are those of `text` with repaired quotes. `unclear` are the
    starts of blank records that are lines of `text` whose quotes can be read in several ways, or in none.
    """

    data: bytes
    starts: BytePositions
    ends: BytePositions
    counts: npt.NDArray[np.int64]
    blank: Mask
    text: bytes
    unclear: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: bytes, quotes: BytePositions, separator: str) -> Records:
        """Split a text with the positions of its quotes."""
        text = np.frombuffer(data, np.uint8)
        ends = outside_quotes(positions_of(data, NEWLINE), quotes)
        if text.size and (not ends.size or ends[-1] != text.size - 1):
            ends = np.append(ends, text.size)
        starts = np.concatenate([np.zeros(min(ends.size, 1), np.int64), ends[:-1] + 1])
        separators = outside_quotes(positions_of(data, ord(separator)), quotes)
        counts = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
        blank = ends == starts
        for i in np.flatnonzero(text[np.minimum(starts, max(text.size - 1, 0))] == RETURN):
            blank[i] = not data[starts[i] : ends[i]].strip(b"\r")
        return cls(data, starts, ends, counts, blank, data)

    @classmethod
    def of_text(cls, data: bytes, separator: str) -> Records:
        """Split a whole text; quotes within cells are characters of these."""
        quotes = positions_of(data, QUOTE)
        if not QuoteRepair(separator).is_needed(data, quotes):
            return cls.of(data, quotes, separator)
        width = None
        for _ in range(2):  # the other records tell the number of cells of those whose quotes are unclear
            clear, _, unclear = QuoteRepair(separator, width, omits_unclear=True).repair(data, is_end=True)
            records = replace(cls.of(clear, positions_of(clear, QUOTE), separator), text=data, unclear=unclear)
            counts = records.counts[~records.blank]
            width = int(np.bincount(counts).argmax()) if counts.size else None
        return records

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, i: int) -> int:
        """The line of the text on which record `i` begins, from 1, or the last line if there is no such record."""
        return 1 + self.data.count(b"\n", 0, int(self.starts[i]) if i < len(self) else None)

    def position(self, i: int) -> int:
        """The position in `text` at which record `i` begins, or of the end of the text if there is no such record."""
        if i >= len(self):
            return len(self.text)
        if self.data is self.text:
            return int(self.starts[i])
        # Both have the same line ends, though these may be written in another way.
        number = len(LINE_ENDS.findall(self.data, 0, int(self.starts[i])))
        return [0, *(end.end() for end in LINE_ENDS.finditer(self.text))][number]

    def bytes(self, i: int) -> bytes:
        """The bytes of a record, without its line end."""
        return self.data[self.starts[i] : self.ends[i]].removesuffix(b"\r")


def split_record(record: bytes, separator: str) -> list[str]:
    """The cells of one record.

    Raises:
        csv.Error: a cell is longer than the csv module allows.
        UnicodeDecodeError: the record is not UTF-8.
    """
    return next(csv.reader(io.StringIO(record.decode(), newline=""), delimiter=separator), [])
