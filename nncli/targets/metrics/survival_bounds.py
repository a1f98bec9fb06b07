"""Conformal lower bounds of the time to an event, of which some rows are censored, from survival curves.

A row is observed for the time min(T, C) until its event at T or its censoring at C. A bound of this time is one of T,
however the censoring depends on the rest, since T is at least as long: without censoring it is as exact as other
conformal predictions, with much of it conservative. Candès, Lei and Ren, "Conformalized survival analysis", 2023,
section 2. The score of a row is the logarithm of the predicted survival at the time for which it was observed, and the
bound of another row is the time at which its curve falls to a quantile of the scores. So the bounds of a level are
nested, and those by folds are as of Gupta, Kuchibhotla and Ramdas, see `nncli.targets.conformal`.

Curves are `log_S` (…, rows, bins + 1), the logarithms of the survival at the `edges` (bins + 1,) of the bins of time,
from 0 on; within a bin they are straight. No bound is beyond the last edge, after which nothing is known of curves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nncli.nn.arrays import Floats
from nncli.nn.program.values import Value, join, maximum, minimum, smallest_sum
from nncli.targets.metrics.conformal import lower_bounds, rank
from nncli.targets.metrics.sorted_scores import SortedScores

ALWAYS_COVERED = -100.0
"""The score of a row that was observed until the last edge, which every bound covers: below that of any survival."""
ROUNDING = 1e-9
"""How much higher than its score, a logarithm, a curve is at the time of the bound, which is a little earlier by that.

So a bound also covers rows with the curve and the time of the row whose score it is, whatever is rounded.
"""
FLAT = 1e-12
"""The least fall of a curve in a bin, in which a time is looked for."""


def observed_scores(log_S: Floats, edges: Floats, time: Floats) -> Floats:
    """The scores (rows,) of rows that were observed for a time (rows,), NaN for a curve of NaN.

    A bound covers a row if its score is at most that of the bound.
    """
    place = np.clip(np.searchsorted(edges, time, "left"), 1, len(edges) - 1)
    share = (np.minimum(time, edges[-1]) - edges[place - 1]) / (edges[place] - edges[place - 1])
    rows = np.arange(len(time))
    scores = log_S[rows, place - 1] * (1.0 - share) + log_S[rows, place] * share
    return np.where((time >= edges[-1]) & ~np.isnan(scores), ALWAYS_COVERED, scores)


def times_at(log_S: Floats, edges: Floats, scores: Floats) -> Floats:
    """The times (rows,) at which curves (rows, bins + 1) fall to scores (rows,)."""
    falls = np.maximum(log_S[:, :-1] - log_S[:, 1:], FLAT)
    shares = np.clip((log_S[:, :-1] - (scores + ROUNDING)[:, None]) / falls, 0.0, 1.0)
    return np.asarray(np.minimum(np.cumsum(shares * np.diff(edges), axis=1)[:, -1], edges[-1]))


def time_bounds(log_S: Floats, edges: Floats, scores: SortedScores, level: float) -> Floats:
    """The bounds (rows,) of a level, from the curves (groups, rows, bins + 1) that each group predicts.

    Each of the n scores is a time on the curve of its group; the bound is the floor((1 - level) (n + 1))-th smallest.
    In a bin a time is linear in the score, and the bound is looked for bin by bin. As no curve rises, a time is past a
    bin where the line of that bin says so, and times clipped to a bin keep their order: the k-th smallest of those is
    the k-th smallest of all, clipped.
    """
    bounds, rows = np.zeros(log_S.shape[1]), np.arange(log_S.shape[1])
    for j, (start, end) in enumerate(itertools.pairwise(edges.tolist())):
        before = log_S[:, rows, j]
        scales = (end - start) / np.maximum(before - log_S[:, rows, j + 1], FLAT)
        times = lower_bounds(scores, (before - ROUNDING) * scales, level, scales)
        bounds[rows] = np.minimum(start + np.maximum(times, 0.0), end)
        rows = rows[times >= end - start]
        if not len(rows):
            break
    return bounds


def lower_time_bounds(log_S: Sequence[Sequence[Value]], edges: Floats, scores: SortedScores, level: float) -> Value:
    """The operations of `time_bounds`, from the columns (rows, 1) of the curve of each group."""
    k, bound = rank(level, scores.n), log_S[0][0] * 0.0
    if k > scores.finite:
        return bound
    of_groups = [scores.ascending(g) for g in range(scores.groups)]
    for j, (start, end) in enumerate(itertools.pairwise(edges.tolist())):
        before, after = (join([curve[place] for curve in log_S]) for place in (j, j + 1))
        scales = (end - start) / maximum(before - after, FLAT)
        times = smallest_sum((ROUNDING - before) * scales, scales, of_groups, k) * -1.0
        bound = bound + minimum(maximum(times, 0.0), end - start)
    return minimum(bound, float(edges[-1]))
