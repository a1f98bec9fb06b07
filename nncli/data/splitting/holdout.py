"""Training and validation rows, told apart before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.data.arrays import Codes, RowIndices
from nncli.data.splitting.assignment import assign_groups, time_blocks
from nncli.data.splitting.strata import Strata
from nncli.errors import DataError

SINGLE_ROWS_HINT = "A class is learned from several rows: is this the column to predict? Numbers are, with loss: mse."


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the validation rows, each in the order of the table.

    A bootstrap may draw a training row more than once.
    """

    training: RowIndices
    validation: RowIndices


def holdout_split(traits: Strata, share: float, rng: np.random.Generator) -> Split:
    """Hold out a `share` of the rows: the latest where they have a time, whole groups where there are any.

    Raises:
        DataError: too few rows, groups or times to leave something on both sides.
    """
    if traits.times is not None:
        blocks = time_blocks(traits, np.array([traits.n * (1.0 - share)]))
        split = _split_by_side(np.zeros(traits.n, np.int64) if blocks is None else blocks - 1)
    elif traits.groups is not None:
        split = _split_by_side(assign_groups(traits, np.array([1.0 - share, share]), rng, first=-1))
    else:
        split = stratified_split(traits.n, share, rng, traits.classes)
    if not len(split.training) or not len(split.validation):
        raise DataError(
            f"found {traits.description}, too few to hold out a share of {share:g}",
            place=traits.location,
            hint=SINGLE_ROWS_HINT if traits.has_only_unique_classes else "Add rows, or set validation: 0.",
        )
    return split


def _split_by_side(side: Codes) -> Split:
    """Training rows are of side -1, validation rows of side 0."""
    return Split(np.flatnonzero(side < 0), np.flatnonzero(side == 0))


def stratified_split(n: int, fraction: float, rng: np.random.Generator, classes: RowIndices | None = None) -> Split:
    """Hold out `fraction` of `n` rows, at random; with `classes` (n,) the same share of every class.

    The shares are rounded so that they add up to round(n · fraction); a class always keeps a row for training, and
    where that makes some too small, others give more, as long as they can.
    """
    groups = [np.arange(n)] if classes is None else indices_by_class(classes)
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


def indices_by_class(classes: RowIndices) -> list[RowIndices]:
    """The positions of each class's rows, in order."""
    _, counts = np.unique(classes, return_counts=True)
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
