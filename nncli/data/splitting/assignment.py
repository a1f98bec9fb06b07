"""Rows dealt to folds, or to the two sides of a split: a number a row. -1 is always trained on."""

from __future__ import annotations

import numpy as np

from nncli.data.arrays import Codes, Floats, Matrix
from nncli.data.splitting.strata import Strata, relabel_by_appearance


def assign_rows(traits: Strata, folds: int, rng: np.random.Generator) -> Codes:
    """A fold for each row (n,): those of a class, and all of them, are spread evenly, to a row.

    Shuffled, then put in the order of the classes, rows are dealt in turn, as cards are. The only row of a class has
    to be trained on: it is in fold -1.
    """
    shuffled = rng.permutation(traits.n)
    if traits.classes is not None:
        classes = relabel_by_appearance(traits.classes)
        shuffled = shuffled[np.bincount(classes)[classes[shuffled]] > 1]
        shuffled = shuffled[np.argsort(classes[shuffled], kind="stable")]
    fold = np.full(traits.n, -1)
    fold[shuffled] = np.arange(len(shuffled)) % folds
    return fold


def assign_groups(traits: Strata, shares: Floats, rng: np.random.Generator, *, first: int = 0) -> Codes:
    """A bin for each row (n,), the same for a whole group; bins are to hold such `shares` of the rows.

    And of each class, as well as may be. Bins count from `first`. The largest groups go first, each to the bin where
    it adds least to the sum of squares of what bins hold, a class measured by its rows, and a bin by its share. A class
    that would be in one bin only keeps its smallest group out of it, in -1.
    """
    assert traits.groups is not None
    groups = relabel_by_appearance(traits.groups)
    classes = np.zeros(traits.n, np.int64) if traits.classes is None else relabel_by_appearance(traits.classes)
    sizes, of_class = np.bincount(groups), np.bincount(classes)
    G, K = len(sizes), len(of_class)
    # counts[i] rows of one group are of one class; a group's are next to each other, from starts[group] on.
    pairs, counts = np.unique(groups * K + classes, return_counts=True)
    starts = np.searchsorted(pairs, np.arange(G + 1) * K)
    total, load = np.append(of_class, traits.n), np.zeros((len(shares), K + 1))  # the last column is of all rows
    order = rng.permutation(G)
    order = order[np.argsort(-sizes[order], kind="stable")]
    bins = np.zeros(G, np.int64)
    for group in order:
        its = slice(starts[group], starts[group + 1])
        k, g = np.append(pairs[its] % K, K), np.append(counts[its], sizes[group])
        bins[group] = ((2.0 * load[:, k] + g) @ (g / total[k]) / shares).argmin()
        load[bins[group], k] += g
    empty = np.setdiff1d(np.arange(len(shares)), bins)
    if len(empty) == 1 and G > 1:  # a small share that nothing fitted into
        bins[order[-1]] = empty[0]
    bins += first
    if traits.classes is not None:
        _keep_classes(bins, groups, classes, order)
    return bins[groups]


def _keep_classes(bins: Codes, groups: Codes, classes: Codes, order: Codes) -> None:
    """Change `bins` (groups,) so that each class is in two of them or in -1; of `order` the last group is smallest."""
    dealt = np.empty(len(bins), np.int64)
    dealt[order] = np.arange(len(bins))
    pairs = np.unique(classes * len(bins) + groups)
    of_class, group = np.divmod(pairs, len(bins))
    starts = np.flatnonzero(np.diff(of_class, prepend=-1))
    lowest, highest = np.minimum.reduceat(bins[group], starts), np.maximum.reduceat(bins[group], starts)
    for k in np.flatnonzero((lowest == highest) & (lowest >= 0)):
        its = group[starts[k] : starts[k + 1] if k + 1 < len(starts) else None]
        if (bins[its] >= 0).all():  # none was kept out for another class's sake
            bins[its[dealt[its].argmax()]] = -1


def time_blocks(traits: Strata, cuts: Matrix) -> Codes | None:
    """A block of time for each row (n,), from 0: after as nearly `cuts` (blocks - 1,) rows as can be the next begins.

    None where there are fewer times than blocks.
    """
    times = traits.group_times
    assert times is not None
    _, rank, sizes = np.unique(times, return_inverse=True, return_counts=True)
    spare = len(sizes) - len(cuts) - 1
    if spare < 0:
        return None
    before = np.cumsum(sizes)[:-1]  # rows before the second time, the third …
    begins: list[int] = []  # the rank of each block's first time
    for i, cut in enumerate(cuts):
        least = begins[-1] + 1 if begins else 1
        begins.append(min(max(int(np.abs(before - cut).argmin()) + 1, least), spare + i + 1))
    return np.searchsorted(np.array(begins, np.int64), rank, side="right")
