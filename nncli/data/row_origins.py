"""Which file each row of a table of several files comes from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class RowOrigin(NamedTuple):
    """The file of a row, and the number of the row in that file (from 1)."""

    source: str
    row: int


@dataclass(frozen=True)
class RowOrigins:
    """The files of a table in their order, each with the number that its first row has in the table (from 1)."""

    sources: tuple[str, ...] = ()
    first_rows: tuple[int, ...] = ()

    @classmethod
    def joined(cls, parts: Iterable[RowOrigins | None]) -> RowOrigins | None:
        """The files of all parts of a table, in their order; None if no part has any."""
        found = {
            source: first
            for part in parts
            if part is not None
            for source, first in zip(part.sources, part.first_rows, strict=True)
        }
        return cls(tuple(found), tuple(found.values())) if found else None

    def find(self, number: int) -> RowOrigin:
        """The origin of the row with this number."""
        i = max(bisect_right(self.first_rows, number) - 1, 0)
        return RowOrigin(self.sources[i], number - self.first_rows[i] + 1)
