"""Anomalies of a table: unseen categories, values out of range and missing cells, counted while it is encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import floor, inf, isfinite

from nncli.base.text import quote

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
MAX_COLUMNS = 3
"""Columns that the note names for each kind of anomaly, those with the most cells first."""


@dataclass(frozen=True)
class ColumnAnomalies:
    """Counts of the cells of one column that differ from all training rows.

    `unseen`: the category did not occur in training. `rare`: it was rare or did not occur, and the model does not know
    which. `missing`: the cell is missing, and none was in training. `out_of_range`: the number lies below (`lowest`)
    or above (`highest`) the training range; if `is_date`, in days since 1970.
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
        """Anomalies of the same cells to both of two models: the minimum of each count."""
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
        """How far out of range: ` down to -3 and up to 131`."""
        limits = (("min", self.lowest), ("max", self.highest))
        ends = [f"{words} {self._format(value)}" for words, value in limits if isfinite(value)]
        return f" ({', '.join(ends)})" if ends else ""

    def _format(self, value: float) -> str:
        if self.is_date:
            return date.fromordinal(EPOCH_ORDINAL + floor(value)).isoformat()
        return f"{value + 0.0:g}"  # never -0


@dataclass(frozen=True)
class Anomalies:
    """Anomalies of a table by column, leaving out columns without any. Those of its chunks add up to the total."""

    columns: Mapping[str, ColumnAnomalies] = field(default_factory=dict)

    @classmethod
    def from_columns(cls, columns: Iterable[tuple[str, ColumnAnomalies]]) -> Anomalies:
        """The anomalies of the named columns."""
        return cls({name: anomalies for name, anomalies in columns if anomalies != ColumnAnomalies()})

    def __add__(self, other: Anomalies) -> Anomalies:
        mine, theirs = self.columns, other.columns
        return Anomalies(
            {n: mine.get(n, ColumnAnomalies()) + theirs.get(n, ColumnAnomalies()) for n in {**mine, **theirs}}
        )

    def __and__(self, other: Anomalies) -> Anomalies:
        """Anomalies of the same cells to both of two models."""
        mine, theirs = self.columns, other.columns
        return Anomalies.from_columns((name, mine[name] & theirs[name]) for name in mine if name in theirs)

    @property
    def note(self) -> str | None:
        """One line about all anomalies, or None if there are none."""
        parts = [
            self._part("cell holds", "cells hold", "a category that training never saw", lambda c: c.unseen),
            self._part("cell holds", "cells hold", "a category that training saw rarely or never", lambda c: c.rare),
            self._part("value lies", "values lie", "outside the training range", lambda c: c.out_of_range, extent=True),
            self._part("cell is missing", "cells are missing", "where training had every cell", lambda c: c.missing),
        ]
        return "; ".join(filter(None, parts)) or None

    def _part(
        self,
        singular: str,
        plural: str,
        description: str,
        count: Callable[[ColumnAnomalies], int],
        *,
        extent: bool = False,
    ) -> str | None:
        """`12 cells hold a category that training never saw ('city': 10, 'colour': 2)`."""
        counts = sorted(((-count(c), name) for name, c in self.columns.items() if count(c)))
        if not counts:
            return None
        total, n_more = -sum(n for n, _ in counts), len(counts) - MAX_COLUMNS
        named = [f"{quote(name)}: {-n:,}{self.columns[name].extent * extent}" for n, name in counts[:MAX_COLUMNS]]
        more = f" and {n_more:,} more column{'s' * (n_more > 1)}" if n_more > 0 else ""
        return f"{total:,} {singular if total == 1 else plural} {description} ({', '.join(named)}{more})"
