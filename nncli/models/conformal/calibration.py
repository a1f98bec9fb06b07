"""Conformal methods calibrated by rows that a model did not train on: of new rows, and of the held-out rows themselves.

The scores and regions are those of a `ConformalMethod`; here is which rows are calibrated by which others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nncli.models.conformal.groups import OutOfFoldGroups, Partition
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.nn.losses import Loss
from nncli.targets.conformal import ConformalMethod, Lowered, Region
from nncli.targets.metrics.conformal import min_rows, rank
from nncli.targets.metrics.sorted_scores import Integers, SortedScores
from nncli.targets.output_columns import IntervalNodes
from nncli.targets.target_base import Truth


@dataclass(frozen=True)
class ConformalCalibration:
    """The scores of the calibration rows, sorted for each part and target, for regions of a level.

    The `method` is fitted by these rows. The parts are those of rows, or, if `by_class`, those of classes.
    """

    level: float
    method: ConformalMethod
    partition: Partition
    by_class: bool
    scores: tuple[tuple[SortedScores, ...], ...]

    @classmethod
    def of(
        cls,
        level: float,
        method: ConformalMethod,
        partition: Partition,
        rows: HeldOutRows,
        groups: OutOfFoldGroups,
        loss: Loss,
        *,
        by_class: bool = False,
    ) -> ConformalCalibration:
        """Calibrate by the scored predictions of calibration rows.

        The members' final predictions are not used: the rows took part in choosing their epoch, so their errors are too
        small. The scored predictions are those of the epoch that other rows chose.
        """
        method = method.fitted(level, rows.predictions, loss, rows.signs)
        scores = method.scores(rows.predictions, rows.y)
        parts = tuple(
            tuple(SortedScores.of(of_target, groups.group[part], len(groups)) for of_target in scores[part].T)
            for part in partition.rows
        )
        return cls(level, method, partition, by_class, parts)

    def predict(self, of_groups: Sequence[Predictions], codes: Integers) -> Region:
        """The regions of rows, from the predictions of each group.

        `codes` (rows,) are those of the partition, unless it is one of classes.
        """
        parts = self.partition.part[None, :] if self.by_class else self.partition.parts(codes)[:, None]
        return self.method.region(self.level, of_groups, self.scores, parts)

    def lower(self, of_groups: Lowered) -> IntervalNodes | None:
        """The operations of `predict` for a partition of one part; None where programs have no such regions."""
        return self.method.lower(self.level, of_groups, self.scores[0])


PARTS, MAX_FOLDS = 5, 20
"""Parts of rows without folds, and folds from which on rows are dealt into parts instead: each fold costs a sort."""


def calibration_folds(oof_mask: npt.NDArray[np.bool_] | None, n: int, groups: Integers | None = None) -> Integers:
    """The fold (n,) of each held-out row: the rows that the same members held out.

    Rows of one network, and of very many folds, are dealt into five parts at random, the same for the same number of
    rows. The rows of a group (n,) are in the same part: the groups are dealt one by one, those of the most rows first.
    """
    if oof_mask is not None:
        members = OutOfFoldGroups.of_mask(oof_mask)
        if 1 < len(members) <= MAX_FOLDS:
            return members.group
    if groups is None:
        return np.random.default_rng(0).permutation(n) % PARTS
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    part = np.empty(len(sizes), np.int64)
    part[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes)) % PARTS
    return part[number]


def possible_levels(levels: Sequence[float], folds: Integers) -> tuple[float, ...]:
    """The levels for which the rows of the other folds suffice."""
    fewest = len(folds) - int(np.bincount(folds).max())
    return tuple(level for level in levels if min_rows(level) <= fewest)


def cross_quantiles(scores: Floats, folds: Integers, level: float) -> Floats:
    """For each row (n, targets) the bounds on its scores by the scores (n, targets) of the rows of other folds.

    A score that is NaN counts as infinite.
    """
    scores, bounds = np.where(np.isnan(scores), np.inf, scores), np.empty(scores.shape)
    for fold in np.unique(folds):
        in_fold = folds == fold
        others = np.sort(scores[~in_fold], axis=0)
        bounds[in_fold] = others[rank(level, len(others)) - 1]
    return bounds


def cross_regions(
    method: ConformalMethod,
    predictions: Predictions,
    y: Truth,
    folds: Integers,
    level: float,
    loss: Loss,
    signs: Sequence[int] = (),
) -> Region:
    """The regions of rows with the targets y, each calibrated by the rows of the other folds."""
    method = method.fitted(level, predictions, loss, signs)
    bounds = cross_quantiles(method.scores(predictions, y), folds, level)
    return method.region_within(level, predictions, bounds)
