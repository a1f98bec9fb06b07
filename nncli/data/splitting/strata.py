"""Classes, groups and times of the rows, which a split has to respect."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nncli.base.errors import Location
from nncli.nn.arrays import Codes


@dataclass(frozen=True)
class Strata:
    """The class, group and time of each of `n` rows, as codes (n,); None if the rows have none.

    Rows of a group stay together. Times are ranks: no validation row is earlier than a training row, rows of the same
    time stay together, and a group has the time of its earliest row. `location` is the source of the rows, for errors.
    """

    n: int
    classes: Codes | None = None
    groups: Codes | None = None
    times: Codes | None = None
    location: Location | None = None

    def take(self, rows: Codes) -> Strata:
        """Select the rows at these positions."""

        def select(codes: Codes | None) -> Codes | None:
            return None if codes is None else codes[rows]

        return replace(
            self, n=len(rows), classes=select(self.classes), groups=select(self.groups), times=select(self.times)
        )

    @property
    def group_times(self) -> Codes | None:
        """The time of each row (n,); with groups, that of the earliest row of its group."""
        if self.times is None or self.groups is None:
            return self.times
        groups = relabel_by_appearance(self.groups)
        first = np.full(self.n, np.iinfo(np.int64).max)
        np.minimum.at(first, groups, self.times)
        return first[groups]

    @property
    def has_only_unique_classes(self) -> bool:
        """Whether every class has one row only, which cannot be in both training and validation."""
        return self.classes is not None and self.n > 1 and len(np.unique(self.classes)) == self.n

    @property
    def description(self) -> str:
        """The number of units that stay together: `3 groups`, `1 time`, `5 rows`."""
        units = ((self.group_times, "time"), (self.groups, "group"))
        n, word = next(((len(np.unique(codes)), word) for codes, word in units if codes is not None), (self.n, "row"))
        all_unique = word == "row" and self.has_only_unique_classes
        return f"{n:,} {word}{'' if n == 1 else 's'}{', each of a different class' if all_unique else ''}"


def relabel_by_appearance(codes: Codes) -> Codes:
    """Relabel codes (n,) from 0 in the order of their first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
