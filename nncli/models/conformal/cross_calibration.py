"""Intervals and sets of held-out rows, calibrated by the held-out rows of other folds.

They show the coverage without new rows: a row's own score does not take part in its calibration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.models.conformal.conformity_scores import IntervalScore
from nncli.models.conformal.intervals import ordered_bounds
from nncli.models.conformal.out_of_fold_groups import OutOfFoldGroups
from nncli.models.predictions import Predictions
from nncli.targets.metrics.conformal import lac_scores, min_rows, rank
from nncli.targets.metrics.sorted_scores import Floats, Integers

Bounds: TypeAlias = tuple[Floats, Floats]

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


def cross_quantiles(scores: Floats, folds: Integers, levels: Sequence[float]) -> Floats:
    """For each level and row (levels, n), the bound on its score by the scores (n,) of the rows of other folds.

    A score that is NaN counts as infinite.
    """
    scores, bounds = np.where(np.isnan(scores), np.inf, scores), np.empty((len(levels), len(scores)))
    for fold in np.unique(folds):
        own = folds == fold
        others = np.sort(scores[~own])
        for bound, level in zip(bounds, levels, strict=True):
            bound[own] = others[rank(level, len(others)) - 1]
    return bounds


def cross_intervals(predictions: Predictions, y: Floats, folds: Integers, level: float) -> Bounds:
    """The bounds (n, targets) of the intervals of rows with the targets y (n, targets)."""
    score = IntervalScore.of(predictions, level)
    lower, upper, scale = score.bounds(predictions.values, predictions.quantiles)
    scores = score.scores(predictions, y)
    bounds = np.stack([cross_quantiles(own, folds, [level])[0] for own in scores.T], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = bounds if scale is None else bounds * scale
        return ordered_bounds(lower - bounds, upper + bounds)


def cross_sets(P: Floats, y: Integers, folds: Integers, levels: Sequence[float]) -> list[npt.NDArray[np.bool_]]:
    """For each level the sets (n, classes) of rows with these probabilities (n, classes) and classes y (n,)."""
    scores = lac_scores(P)
    of_truth = scores[np.arange(len(scores)), y]
    # a score that is NaN is not above the bound: it excludes no class
    return [~(scores > bound[:, None]) for bound in cross_quantiles(of_truth, folds, levels)]
