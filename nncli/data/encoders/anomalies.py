"""What a table holds that the training rows did not: counted as the table is encoded, told in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import floor, inf, isfinite

from nncli.text import quote

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
MAX_COLUMNS = 3
"""Columns that the line names for each kind of stranger, those with the most of them."""


@dataclass(frozen=True)
class ColumnAnomalies:
    """How many cells of one column are unlike any of the training rows.

    `unseen` cells hold a category that training never saw, `rare` ones a category that it never saw or saw too rarely
    for the model to remember, `missing` ones are missing where training had every cell. `outside` numbers lie outside
    the training range, the `lowest` beneath it and the `highest` above it: `days` since 1970, or plain numbers.
    """

    unseen: int = 0
    rare: int = 0
    missing: int = 0
    out_of_range: int = 0
    lowest: float = inf
    highest: float = -inf
    is_date: bool = False

    def __add__(self, other: ColumnAnomalies) -> ColumnAnomalies:
        return ColumnAnomalies(
            unseen=self.unseen + other.unseen,
            rare=self.rare + other.rare,
            missing=self.missing + other.missing,
            out_of_range=self.out_of_range + other.out_of_range,
            lowest=min(self.lowest, other.lowest),
            highest=max(self.highest, other.highest),
            is_date=self.is_date or other.is_date,
        )

    def __and__(self, other: ColumnAnomalies) -> ColumnAnomalies:
        """What is as strange to both, as far as counts can tell: no less than that."""
        return ColumnAnomalies(
            unseen=min(self.unseen, other.unseen),
            rare=min(self.rare, other.rare),
            missing=min(self.missing, other.missing),
            out_of_range=min(self.out_of_range, other.out_of_range),
            lowest=max(self.lowest, other.lowest),
            highest=min(self.highest, other.highest),
            is_date=self.is_date and other.is_date,
        )

    @property
    def extent(self) -> str:
        """How far outside: ` down to -3 and up to 131`."""
        ways = (("down to", self.lowest), ("up to", self.highest))
        ends = [f"{way} {self._format(end)}" for way, end in ways if isfinite(end)]
        return f" {' and '.join(ends)}" if ends else ""

    def _format(self, end: float) -> str:
        if self.is_date:
            return date.fromordinal(EPOCH_ORDINAL + floor(end)).isoformat()
        return f"{end + 0.0:g}"  # -0.0 and 0.0 are one end, whichever was met


@dataclass(frozen=True)
class Anomalies:
    """The strange cells of a table: columns that have none are left out. Those of its chunks add up to the whole's."""

    columns: Mapping[str, ColumnAnomalies] = field(default_factory=dict)

    @classmethod
    def from_columns(cls, columns: Iterable[tuple[str, ColumnAnomalies]]) -> Anomalies:
        """What is strange of the columns given by name."""
        return cls({name: strange for name, strange in columns if strange != ColumnAnomalies()})

    def __add__(self, other: Anomalies) -> Anomalies:
        mine, theirs = self.columns, other.columns
        return Anomalies(
            {n: mine.get(n, ColumnAnomalies()) + theirs.get(n, ColumnAnomalies()) for n in {**mine, **theirs}}
        )

    def __and__(self, other: Anomalies) -> Anomalies:
        """What is strange to both of two models, of the same cells."""
        mine, theirs = self.columns, other.columns
        return Anomalies.from_columns((name, mine[name] & theirs[name]) for name in mine if name in theirs)

    @property
    def note(self) -> str | None:
        """One line for a person, or None when there is nothing to say."""
        parts = [
            self._part("cell holds", "cells hold", "a category that training never saw", lambda c: c.unseen),
            self._part("cell holds", "cells hold", "a category that training saw rarely or never", lambda c: c.rare),
            self._part("value lies", "values lie", "outside the training range", lambda c: c.out_of_range, extent=True),
            self._part("cell is missing", "cells are missing", "where training had every cell", lambda c: c.missing),
        ]
        return "; ".join(filter(None, parts)) or None

    def _part(
        self, one: str, many: str, what: str, count: Callable[[ColumnAnomalies], int], *, extent: bool = False
    ) -> str | None:
        """`12 cells hold a category that training never saw ('city': 10, 'colour': 2)`."""
        counts = sorted(((-count(c), name) for name, c in self.columns.items() if count(c)))
        if not counts:
            return None
        total, left = -sum(n for n, _ in counts), len(counts) - MAX_COLUMNS
        named = [f"{quote(name)}: {-n:,}{self.columns[name].extent * extent}" for n, name in counts[:MAX_COLUMNS]]
        more = f" and {left:,} more column{'s' * (left > 1)}" if left > 0 else ""
        return f"{total:,} {one if total == 1 else many} {what} ({', '.join(named)}{more})"
