"""Prediction sets of a classification model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nncli.models.conformal.options import SetScore
from nncli.models.conformal.out_of_fold_groups import OutOfFoldGroups
from nncli.models.conformal.row_groups import Partition
from nncli.targets.metrics.conformal import aps_scores, is_in_set, lac_scores
from nncli.targets.metrics.sorted_scores import Floats, Integers, SortedScores

SCORES: dict[SetScore, Callable[[Floats], Floats]] = {"lac": lac_scores, "aps": aps_scores}


@dataclass(frozen=True)
class PredictionSets:
    """The classes that cannot be excluded: a mask (rows, classes)."""

    level: float
    included: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SetCalibration:
    """The scores of the calibration rows, sorted for each part, for sets of a level.

    The parts are those of rows, or, if `by_class`, those of classes.
    """

    level: float
    partition: Partition
    by_class: bool
    scores: tuple[SortedScores, ...]

    @classmethod
    def of(
        cls, level: float, partition: Partition, scores: Floats, groups: OutOfFoldGroups, *, by_class: bool
    ) -> SetCalibration:
        """Calibrate by the scores (n,) of the true classes of calibration rows."""
        parts = tuple(SortedScores.of(scores[rows], groups.group[rows], len(groups)) for rows in partition.rows)
        return cls(level, partition, by_class, parts)

    def sets(self, scores: Floats, codes: Integers) -> PredictionSets:
        """The sets of rows, from the scores (groups, rows, classes) of each class.

        `codes` (rows,) are those of the partition, unless it is one of classes.
        """
        _, n, classes = scores.shape
        included = np.empty((n, classes), np.bool_)
        if self.by_class:
            for c, p in enumerate(self.partition.part):
                included[:, c] = is_in_set(self.scores[p], scores[:, :, c], self.level)
            return PredictionSets(self.level, included)
        parts = self.partition.parts(codes)
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            for c in range(classes):
                included[rows, c] = is_in_set(self.scores[p], scores[:, rows, c], self.level)
        return PredictionSets(self.level, included)
