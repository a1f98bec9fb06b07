"""Training and validation rows, told apart before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the validation rows, each in the order of the table."""

    training: Rows
    validation: Rows


def split_rows(n: int, fraction: float, rng: np.random.Generator, classes: Rows | None = None) -> Split:
    """Hold out `fraction` of `n` rows, at random; with `classes` (n,) the same share of every class.

    The shares are rounded so that they add up to round(n · fraction); a class always keeps a row for training, and
    where that makes some too small, others give more, as long as they can.
    """
    groups = [np.arange(n)] if classes is None else by_class(classes)
    exact = np.array([len(group) * fraction for group in groups])
    counts = np.floor(exact).astype(np.int64)
    left = round(n * fraction) - int(counts.sum())
    room = np.array([len(group) - 1 for group in groups]) - counts
    order = np.argsort(counts - exact, kind="stable")  # the largest remainders first
    while left > 0 and len(order := order[room[order] > 0]):
        more = order[:left]
        counts[more] += 1
        room[more] -= 1
        left -= len(more)
    held = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    validation = np.sort(np.concatenate(held))
    return Split(np.setdiff1d(np.arange(n), validation, assume_unique=True), validation)


def by_class(classes: Rows) -> list[Rows]:
    """The positions of each class's rows, in order."""
    _, counts = np.unique(classes, return_counts=True)
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
