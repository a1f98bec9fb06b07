"""Split rows into training and validation rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.base.errors import DataError
from nncli.data.splitting.assignment import assign_groups, time_blocks
from nncli.data.splitting.strata import Strata
from nncli.nn.arrays import Codes, RowIndices

SINGLE_ROWS_HINT = "A class needs at least two rows. Check the target column; to predict numbers, set loss: mse."


@dataclass(frozen=True)
class Split:
    """Positions of the training and of the validation rows, each in the order of the table.

    A bootstrap may draw a training row more than once.
    """

    training: RowIndices
    validation: RowIndices


def holdout_split(strata: Strata, fraction: float, rng: np.random.Generator) -> Split:
    """Use a fraction of the rows for validation: the latest rows, whole groups, or random rows.

    Raises:
        DataError: there are too few rows, groups or times for both sides.
    """
    if strata.times is not None:
        blocks = time_blocks(strata, np.array([strata.n * (1.0 - fraction)]))
        split = _split_by_side(np.zeros(strata.n, np.int64) if blocks is None else blocks - 1)
    elif strata.groups is not None:
        split = _split_by_side(assign_groups(strata, np.array([1.0 - fraction, fraction]), rng, first=-1))
    else:
        split = stratified_split(strata.n, fraction, rng, strata.classes)
    if not len(split.training) or not len(split.validation):
        raise DataError(
            f"found {strata.description}, too few for a validation fraction of {fraction:g}",
            location=strata.location,
            hint=SINGLE_ROWS_HINT if strata.has_only_unique_classes else "Add rows, or set validation: 0.",
        )
    return split


def _split_by_side(side: Codes) -> Split:
    """The split with training rows where `side` (n,) is -1 and validation rows where it is 0."""
    return Split(np.flatnonzero(side < 0), np.flatnonzero(side == 0))


def stratified_split(n: int, fraction: float, rng: np.random.Generator, classes: RowIndices | None = None) -> Split:
    """Draw a random `fraction` of `n` rows for validation; with `classes` (n,), the same fraction of every class.

    The counts are rounded so that they add up to round(n · fraction). Every class keeps at least one training row;
    what it lacks for validation is taken from other classes if possible.
    """
    groups = [np.arange(n)] if classes is None else indices_by_class(classes)
    exact = np.array([len(group) * fraction for group in groups])
    counts = np.floor(exact).astype(np.int64)
    remaining = round(n * fraction) - int(counts.sum())
    room = np.array([len(group) - 1 for group in groups]) - counts
    order = np.argsort(counts - exact, kind="stable")  # the largest remainders first
    while remaining > 0 and len(order := order[room[order] > 0]):
        chosen = order[:remaining]
        counts[chosen] += 1
        room[chosen] -= 1
        remaining -= len(chosen)
    drawn = [rng.permutation(group)[:count] for group, count in zip(groups, counts, strict=True)]
    validation = np.sort(np.concatenate(drawn))
    return Split(np.setdiff1d(np.arange(n), validation, assume_unique=True), validation)


def indices_by_class(classes: RowIndices) -> list[RowIndices]:
    """The positions of the rows of each class, in ascending order."""
    _, counts = np.unique(classes, return_counts=True)
    return np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
