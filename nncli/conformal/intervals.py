"""Prediction intervals of a regression model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nncli.conformal.interval_scores import Endpoints
from nncli.conformal.member_groups import MemberGroups
from nncli.conformal.partition import Partition
from nncli.metrics.conformal import lower_bounds, upper_bounds
from nncli.metrics.sorted_scores import Floats, Integers, SortedScores


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
    partition: Partition
    scores: tuple[tuple[SortedScores, ...], ...]

    @classmethod
    def of(cls, level: float, partition: Partition, scores: Floats, groups: MemberGroups) -> IntervalCalibration:
        """Calibrate by the scores (n, targets) of calibration rows."""
        parts = tuple(
            tuple(SortedScores.of(scores[rows, j], groups.group[rows], len(groups)) for j in range(scores.shape[1]))
            for rows in partition.rows
        )
        return cls(level, partition, parts)

    def interval(self, ends: Endpoints, codes: Integers) -> Interval:
        """The intervals of rows with these ends; `codes` (rows,) are those of the partition."""
        below, above = ends.at(self.level)
        _, n, targets = below.shape
        lower, upper = np.empty((n, targets)), np.empty((n, targets))
        parts = self.partition.parts(codes)
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            for j, scores in enumerate(self.scores[p]):
                lower[rows, j] = lower_bounds(scores, below[:, rows, j], self.level)
                upper[rows, j] = upper_bounds(scores, above[:, rows, j], self.level)
        return Interval(self.level, *ordered_bounds(lower, upper))


def ordered_bounds(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The bounds, where those in the wrong order are their mean.

    They cross where quantiles are moved towards each other, and where groups differ by more than their errors at a low
    level. An empty interval covers no less with a point in it.
    """
    crossed, lower, upper = lower > upper, lower.copy(), upper.copy()
    lower[crossed] = upper[crossed] = (lower[crossed] + upper[crossed]) / 2.0
    return lower, upper
