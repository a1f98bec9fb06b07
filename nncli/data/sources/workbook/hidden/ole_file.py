"""The streams of an OLE compound file, the container of .xls and of workbooks with a password."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nncli.base.errors import DataError, Location

HEADER = 512
FREE = 0xFFFF_FFFA
"""From here on, numbers of sectors have other meanings, such as the end of a chain."""
ENTRY = 128
STREAM = 2
HEADER_SECTORS = 109
"""Numbers of sectors of the allocation table that are in the header."""


@dataclass(frozen=True)
class OleFile:
    """The bytes of a compound file; `source` is its name in messages."""

    data: bytes
    source: str

    @property
    def _sector_size(self) -> int:
        return 1 << int.from_bytes(self.data[30:32], "little")

    def _number(self, at: int) -> int:
        return int.from_bytes(self.data[at : at + 4], "little")

    def _sector(self, number: int) -> bytes:
        start = (number + 1) * self._sector_size
        return self.data[start : start + self._sector_size]

    @cached_property
    def _next(self) -> npt.NDArray[np.uint32]:
        """The number of the sector that follows each sector."""
        numbers = [self._number(76 + 4 * i) for i in range(HEADER_SECTORS)]
        more, seen = self._number(68), set[int]()
        while more < FREE and more not in seen:
            seen.add(more)
            sector = self._sector(more)
            if len(sector) < self._sector_size:
                raise self.damaged("it is truncated")
            table = np.frombuffer(sector, "<u4")
            numbers += table[:-1].tolist()
            more = int(table[-1])
        tables = b"".join(self._sector(number) for number in numbers if number < FREE)
        return np.frombuffer(tables[: len(tables) // 4 * 4], "<u4")

    def _chain(self, first: int) -> Iterator[bytes]:
        number, count = first, 0
        while number < FREE:
            if number >= self._next.size or count > self._next.size:
                raise self.damaged("its sectors are not a chain")
            yield self._sector(number)
            number, count = int(self._next[number]), count + 1

    @cached_property
    def streams(self) -> dict[str, tuple[int, int]]:
        """The first sector and the size of each stream, by name.

        Raises:
            DataError: the file is damaged.
        """
        if len(self.data) < HEADER or not 7 <= int.from_bytes(self.data[30:32], "little") <= 16:
            raise self.damaged("it is too short")
        directory = b"".join(self._chain(self._number(48)))
        found = {}
        for start in range(0, len(directory) - ENTRY + 1, ENTRY):
            entry = directory[start : start + ENTRY]
            length = int.from_bytes(entry[64:66], "little")
            if entry[66] == STREAM and 2 <= length <= 64:
                name = entry[: length - 2].decode("utf-16-le", errors="replace")
                found[name] = (int.from_bytes(entry[116:120], "little"), int.from_bytes(entry[120:124], "little"))
        return found

    def read(self, name: str) -> bytes:
        """The bytes of a stream; empty if it is one of the short ones, which are stored in another way."""
        first, size = self.streams[name]
        if size < self._number(56):
            return b""
        return b"".join(self._chain(first))[:size]

    def damaged(self, reason: str) -> DataError:
        """The error of a file that cannot be read."""
        return DataError(
            f"the workbook is damaged: {reason}",
            location=Location(source=self.source),
            hint="Open it in a spreadsheet program and save it again.",
        )
