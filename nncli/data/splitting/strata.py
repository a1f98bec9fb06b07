"""What a split has to respect of the rows: their classes, their groups, their times."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nncli.data.arrays import Codes
from nncli.errors import Location


@dataclass(frozen=True)
class Strata:
    """Of each of `n` rows its class, its group and its time, as codes (n,); None where it has none.

    Rows of one group stay together. Where there are times, which are ranks, nothing that is held out is earlier than
    what is trained on: rows of one time stay together, and a group has the time of its earliest row. `place` is where
    the rows come from, for errors.
    """

    n: int
    classes: Codes | None = None
    groups: Codes | None = None
    times: Codes | None = None
    location: Location | None = None

    def take(self, rows: Codes) -> Strata:
        """Those of the rows at these positions."""

        def taken(codes: Codes | None) -> Codes | None:
            return None if codes is None else codes[rows]

        return replace(
            self, n=len(rows), classes=taken(self.classes), groups=taken(self.groups), times=taken(self.times)
        )

    @property
    def group_times(self) -> Codes | None:
        """Each row's time (n,), or that of its group's earliest row."""
        if self.times is None or self.groups is None:
            return self.times
        groups = relabel_by_appearance(self.groups)
        first = np.full(self.n, np.iinfo(np.int64).max)
        np.minimum.at(first, groups, self.times)
        return first[groups]

    @property
    def has_only_unique_classes(self) -> bool:
        """Whether no class has a second row, so that none could be held out and learned too."""
        return self.classes is not None and self.n > 1 and len(np.unique(self.classes)) == self.n

    @property
    def description(self) -> str:
        """How many there are of what stays together: `3 groups`, `1 time`, `5 rows`."""
        kinds = ((self.group_times, "time"), (self.groups, "group"))
        n, word = next(((len(np.unique(codes)), word) for codes, word in kinds if codes is not None), (self.n, "row"))
        alone = word == "row" and self.has_only_unique_classes
        return f"{n:,} {word}{'' if n == 1 else 's'}{', each of a class of its own' if alone else ''}"


def relabel_by_appearance(codes: Codes) -> Codes:
    """Codes from 0 in the order in which they first appear (n,): only who shares one is left of them."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
