"""Classes, groups and times of the rows, which a split has to respect, and the assignment of rows to its parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nncli.base.errors import Location
from nncli.nn.arrays import Codes, Floats, Matrix


@dataclass(frozen=True)
class Strata:
    """The class, group and time of each of `n` rows, as codes (n,); None if the rows have none.

    Times are ranks: no validation row is earlier than a training row, and rows of the same time stay together. Without
    times, rows of a group stay together; with them, a group has rows on both sides. `location` is the source of the
    rows, for errors.
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
    def has_only_unique_classes(self) -> bool:
        """Whether every class has one row only, which cannot be in both training and validation."""
        return self.classes is not None and self.n > 1 and len(np.unique(self.classes)) == self.n

    @property
    def description(self) -> str:
        """The number of units that stay together: `3 groups`, `1 time`, `5 rows`."""
        units = ((self.times, "time"), (self.groups, "group"))
        n, word = next(((len(np.unique(codes)), word) for codes, word in units if codes is not None), (self.n, "row"))
        all_unique = word == "row" and self.has_only_unique_classes
        return f"{n:,} {word}{'' if n == 1 else 's'}{', each of a different class' if all_unique else ''}"


def relabel_by_appearance(codes: Codes) -> Codes:
    """Relabel codes (n,) from 0 in the order of their first appearance."""
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def assign_rows(strata: Strata, folds: int, rng: np.random.Generator) -> Codes:
    """Assign each row (n,) to a fold; fold sizes, overall and within each class, differ by at most one row.

    Rows are shuffled, sorted by class and assigned in turn. The only row of a class is in fold -1.
    """
    shuffled = rng.permutation(strata.n)
    if strata.classes is not None:
        classes = relabel_by_appearance(strata.classes)
        shuffled = shuffled[np.bincount(classes)[classes[shuffled]] > 1]
        shuffled = shuffled[np.argsort(classes[shuffled], kind="stable")]
    fold = np.full(strata.n, -1)
    fold[shuffled] = np.arange(len(shuffled)) % folds
    return fold


def assign_groups(strata: Strata, shares: Floats, rng: np.random.Generator, *, first: int = 0) -> Codes:
    """Assign each group to a bin, so that bins hold about these `shares` of the rows and of each class; returns (n,).

    Bins are numbered from `first`. The largest groups go first, each to the bin where it adds least to the sum of
    squared loads, relative to the rows of each class and to the share of the bin. If all groups of a class would be in
    one bin, the smallest of them goes to -1.
    """
    assert strata.groups is not None
    groups = relabel_by_appearance(strata.groups)
    classes = np.zeros(strata.n, np.int64) if strata.classes is None else relabel_by_appearance(strata.classes)
    sizes, of_class = np.bincount(groups), np.bincount(classes)
    G, K = len(sizes), len(of_class)
    # counts[i] rows are of one group and one class; the pairs of a group are adjacent, from starts[group] on.
    pairs, counts = np.unique(groups * K + classes, return_counts=True)
    starts = np.searchsorted(pairs, np.arange(G + 1) * K)
    total, load = np.append(of_class, strata.n), np.zeros((len(shares), K + 1))  # the last column counts all rows
    order = rng.permutation(G)
    order = order[np.argsort(-sizes[order], kind="stable")]
    bins = np.zeros(G, np.int64)
    for group in order:
        span = slice(starts[group], starts[group + 1])
        k, g = np.append(pairs[span] % K, K), np.append(counts[span], sizes[group])
        bins[group] = ((2.0 * load[:, k] + g) @ (g / total[k]) / shares).argmin()
        load[bins[group], k] += g
    empty = np.setdiff1d(np.arange(len(shares)), bins)
    if len(empty) == 1 and G > 1:  # no group fitted into a small share
        bins[order[-1]] = empty[0]
    bins += first
    if strata.classes is not None:
        _keep_classes(bins, groups, classes, order)
    return bins[groups]


def _keep_classes(bins: Codes, groups: Codes, classes: Codes, order: Codes) -> None:
    """Change `bins` (groups,) so that each class is in two bins or in -1. `order` lists groups from the largest."""
    position = np.empty(len(bins), np.int64)
    position[order] = np.arange(len(bins))
    pairs = np.unique(classes * len(bins) + groups)
    of_class, group = np.divmod(pairs, len(bins))
    starts = np.flatnonzero(np.diff(of_class, prepend=-1))
    lowest, highest = np.minimum.reduceat(bins[group], starts), np.maximum.reduceat(bins[group], starts)
    for k in np.flatnonzero((lowest == highest) & (lowest >= 0)):
        members = group[starts[k] : starts[k + 1] if k + 1 < len(starts) else None]
        if (bins[members] >= 0).all():  # none is in -1 because of another class
            bins[members[position[members].argmax()]] = -1


def time_blocks(strata: Strata, cuts: Matrix) -> Codes | None:
    """The time block of each row (n,), from 0; a new block begins after about `cuts` (blocks - 1,) rows.

    None if there are fewer distinct times than blocks.
    """
    assert strata.times is not None
    _, rank, sizes = np.unique(strata.times, return_inverse=True, return_counts=True)
    spare = len(sizes) - len(cuts) - 1
    if spare < 0:
        return None
    before = np.cumsum(sizes)[:-1]  # rows before the second time, the third, and so on
    starts: list[int] = []  # the rank of the first time of each block
    for i, cut in enumerate(cuts):
        min_rank = starts[-1] + 1 if starts else 1
        starts.append(min(max(int(np.abs(before - cut).argmin()) + 1, min_rank), spare + i + 1))
    return np.searchsorted(np.array(starts, np.int64), rank, side="right")
