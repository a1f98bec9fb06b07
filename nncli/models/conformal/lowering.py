"""Prediction intervals as operations of a program, for all rows calibrated together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from nncli.models.conformal.conformity_scores import IntervalScore
from nncli.models.conformal.intervals import IntervalCalibration
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.ensemble import Ensemble
from nncli.nn.program.program import Bounds
from nncli.nn.program.values import Value, join, maximum, select, smallest_sum
from nncli.targets.metrics.conformal import rank
from nncli.targets.metrics.sorted_scores import Floats, SortedScores


def lower_intervals(
    conformal: ConformalPredictor, values: Sequence[Value], quantiles: Sequence[Value]
) -> tuple[Bounds, ...]:
    """The bounds of each level, from the values (rows, targets) and quantiles (rows, targets · levels) of the members.

    The calibration must not depend on groups of rows.
    """
    weights = conformal.model.spec.weights if isinstance(conformal.model, Ensemble) else None
    groups = conformal.groups.members
    by_group = [weighted_mean(values, own, weights) for own in groups]
    quantiles_by_group = [weighted_mean(quantiles, own, weights) for own in groups] if quantiles else []
    levels = conformal.model.spec.loss.quantile_levels
    return tuple(_lower_interval(one, by_group, quantiles_by_group, len(levels)) for one in conformal.intervals)


def weighted_mean(values: Sequence[Value], members: Sequence[int], weights: Sequence[float] | None) -> Value:
    """The operations of the mean of the values of some members; equal weights for None."""
    if weights is None:
        return reduce(add, [values[i] for i in members]) / len(members) if len(members) > 1 else values[members[0]]
    total = reduce(add, [weights[i] for i in members])
    return reduce(add, [values[i] * weights[i] for i in members]) / total


def _lower_interval(
    calibration: IntervalCalibration, values: Sequence[Value], quantiles: Sequence[Value], levels: int
) -> Bounds:
    """The operations of `IntervalCalibration.interval` for a partition of one part."""
    (by_target,) = calibration.scores
    lower, upper = [], []
    for j, scores in enumerate(by_target):
        own = [one.columns(range(j * levels, (j + 1) * levels)) for one in quantiles]
        below, above, scale = _uncalibrated(calibration.score, [one.columns([j]) for one in values], own, j)
        k = rank(calibration.level, scores.n)
        lower.append(_smallest(scores, below * -1.0, scale, k) * -1.0)
        upper.append(_smallest(scores, above, scale, k))
    return _ordered(calibration.level, join(lower), join(upper))


def _uncalibrated(
    score: IntervalScore, values: Sequence[Value], quantiles: Sequence[Value], j: int
) -> tuple[Value, Value, Value | None]:
    """The operations of `IntervalScore.bounds` for the target j: lower, upper and scale (rows, groups)."""
    if score.pair is None:
        both = join(values)
        return both, both, None
    lower = join([one.columns([score.pair.lower]) for one in quantiles])
    upper = join([one.columns([score.pair.upper]) for one in quantiles])
    if score.min_width is None:
        return lower, upper, None
    median = join([one.columns([score.median]) for one in quantiles])
    return median, median, maximum(upper - lower, float(score.min_width[j]))


def _smallest(scores: SortedScores, shifts: Value, scales: Value | None, k: int) -> Value:
    """The operations of `SortedScores.smallest` (rows, 1): infinite if fewer than k scores are finite."""
    if k > scores.finite:
        return shifts.columns([0]) * 0.0 + np.inf
    return smallest_sum(shifts, scales, [_repeated(scores, g) for g in range(scores.groups)], k)


def _repeated(scores: SortedScores, g: int) -> Floats:
    """The finite scores of a group in ascending order, each as often as it occurs."""
    counts = scores.counts[scores.starts[g] : scores.starts[g] + scores.sizes[g] + 1]
    return np.repeat(scores.distinct(g), np.diff(counts))


def _ordered(level: float, lower: Value, upper: Value) -> Bounds:
    """The operations of `ordered_bounds`."""
    middle, crossed = (lower + upper) / 2.0, lower > upper
    return Bounds(level, select(crossed, middle, lower).position, select(crossed, middle, upper).position)
