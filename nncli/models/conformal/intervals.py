"""Prediction intervals of a regression model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.models.conformal.conformity_scores import IntervalScore
from nncli.models.conformal.out_of_fold_groups import OutOfFoldGroups
from nncli.models.conformal.row_groups import Partition
from nncli.models.held_out_rows import HeldOutRows
from nncli.targets.metrics.conformal import lower_bounds, upper_bounds
from nncli.targets.metrics.sorted_scores import Floats, Integers, SortedScores


@dataclass(frozen=True)
class Interval:
    """The bounds (rows, targets) of prediction intervals, in the units of the targets."""

    level: float
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class IntervalCalibration:
    """The scores of the calibration rows, sorted for each part and target, for intervals of a level."""

    level: float
    score: IntervalScore
    partition: Partition
    scores: tuple[tuple[SortedScores, ...], ...]

    @classmethod
    def of(cls, level: float, partition: Partition, rows: HeldOutRows, groups: OutOfFoldGroups) -> IntervalCalibration:
        """Calibrate by the scored predictions of calibration rows.

        The members' final predictions are not used: the rows took part in choosing their epoch, so their errors are too
        small. The scored predictions are those of the epoch that other rows chose.
        """
        score = IntervalScore.of(rows.predictions, level)
        scores = score.scores(rows.predictions, rows.y)
        parts = tuple(
            tuple(SortedScores.of(scores[part, j], groups.group[part], len(groups)) for j in range(scores.shape[1]))
            for part in partition.rows
        )
        return cls(level, score, partition, parts)

    def interval(self, values: Floats, quantiles: Floats | None, codes: Integers) -> Interval:
        """The intervals of rows, from the predictions (groups, rows, targets) of each group, and their quantiles.

        `codes` (rows,) are those of the partition.
        """
        below, above, scale = self.score.bounds(values, quantiles)
        _, n, targets = below.shape
        lower, upper = np.empty((n, targets)), np.empty((n, targets))
        parts = self.partition.parts(codes)
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            for j, scores in enumerate(self.scores[p]):
                scales = None if scale is None else scale[:, rows, j]
                lower[rows, j] = lower_bounds(scores, below[:, rows, j], self.level, scales)
                upper[rows, j] = upper_bounds(scores, above[:, rows, j], self.level, scales)
        return Interval(self.level, *ordered_bounds(lower, upper))


def ordered_bounds(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The bounds, where those in the wrong order are their mean.

    They cross where quantiles cover too much and are moved towards each other, and where groups differ by more than
    their errors at a low level. An empty interval covers no less with a point in it.
    """
    crossed, lower, upper = lower > upper, lower.copy(), upper.copy()
    lower[crossed] = upper[crossed] = (lower[crossed] + upper[crossed]) / 2.0
    return lower, upper
