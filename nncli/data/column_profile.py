"""The profile of a column: its kind, its statistics, and whether to train on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nncli.base.errors import DataError
from nncli.data.encoders.kinds import Kind

MAX_TOP_VALUES = 5
"""Largest number of most frequent values in a profile."""


class Label(StrEnum):
    """What a column holds, if its kind does not say it: a numeric id, for example, is of numeric kind."""

    BOOLEAN = "boolean"
    ID = "id-like"
    CONSTANT = "constant"
    EMPTY = "empty"


@dataclass(frozen=True)
class ColumnProfile:
    """The kind, statistics and recommendation of one column.

    `kind` is the inferred kind; if inference fails, `error` is its error and `kind` is categorical. `missing` of the
    `rows` have no value; the others have `distinct` different values, of which `top_values` are the most frequent, with
    their counts. `lowest`, `highest`, `mean`, `median` and `histogram` are those of the finite numbers. The column
    would be numeric without the missing-value markers `na_spellings`, or with the `thousands` separator. `unit` is the
    unit that is removed from numbers; see units.py. With `has_ambiguous_dates`, the cells are dates whose day and month
    could be in either order. `recommended` says whether to train on the column, and `reason` why not.
    """

    name: str
    kind: Kind
    label: Kind | Label
    rows: int
    missing: int
    distinct: int = 0
    top_values: tuple[tuple[str, int], ...] = ()
    lowest: float | None = None
    highest: float | None = None
    mean: float | None = None
    median: float | None = None
    histogram: tuple[int, ...] = ()
    na_spellings: tuple[str, ...] = ()
    thousands: str = ""
    unit: str | None = None
    error: DataError | None = None
    recommended: bool = True
    reason: str = ""
    has_ambiguous_dates: bool = False

    @property
    def present(self) -> int:
        """Number of rows with a value."""
        return self.rows - self.missing

    @property
    def is_unique(self) -> bool:
        """Whether every row has a different value, as in a key."""
        return self.rows > 1 and self.distinct == self.rows
