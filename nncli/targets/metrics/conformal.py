"""Conformal prediction: bounds and sets from the scores of calibration rows, which the model was not trained on.

The calibration rows are in groups; the rows of a group are predicted by the same members. With one group, this is split
conformal prediction (Vovk, Gammerman and Shafer, "Algorithmic learning in a random world", 2005); with the folds of a
cross-validation, CV+ (Barber, Candès, Ramdas and Tibshirani, "Predictive inference with the jackknife+", 2021); with
the sets of members that did not draw a row, the jackknife+-after-bootstrap (Kim, Xu and Barber, "Predictive inference
is free with the jackknife+-after-bootstrap", 2020).
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.metrics.sorted_scores import SortedScores


def rank(level: float, n: int) -> int:
    """The rank of the bound among the scores of n calibration rows: ceil(level (n + 1)), with the level as a decimal.

    Above n, the bound is infinite.
    """
    return ceil(_decimal(level) * (n + 1))


def min_rows(level: float) -> int:
    """The least number of calibration rows with a finite bound at the level: ceil(1 / alpha) - 1, alpha = 1 - level."""
    return ceil(1 / (1 - _decimal(level))) - 1


def _decimal(level: float) -> Fraction:
    """The shortest decimal of a level, without the error of its binary number: 0.9 (9 + 1) is 9."""
    return Fraction(repr(float(level)))


def lower_bounds(scores: SortedScores, lower: Floats, level: float, scales: Floats | None = None) -> Floats:
    """The floor(alpha (n + 1))-th smallest (rows,) of lower[g] - scales[g] score, for predictions `lower` (K, rows).

    `scales` (K, rows) are 1 unless they are given.
    """
    return -scores.smallest(-lower, rank(level, scores.n), scales)


def upper_bounds(scores: SortedScores, upper: Floats, level: float, scales: Floats | None = None) -> Floats:
    """The ceil((1 - alpha)(n + 1))-th smallest (rows,) of upper[g] + scales[g] score; see `lower_bounds`."""
    return scores.smallest(upper, rank(level, scores.n), scales)


def is_in_set(scores: SortedScores, thresholds: Floats, level: float) -> NDArray[np.bool_]:
    """Whether a class belongs to the sets of rows (rows,), for its scores `thresholds` (K, rows) by each group.

    Its cross-conformal p-value must be above alpha = 1 - level: (1 + the number of calibration rows with a score that
    is at least as large) / (n + 1). This is computed with whole numbers. A score that is NaN excludes no class. Vovk,
    "Cross-conformal predictors", 2015; Romano, Sesia and Candès, "Classification with valid and adaptive coverage",
    2020.
    """
    limits = np.where(np.isnan(thresholds), -np.inf, thresholds)
    return scores.n - scores.at_least(limits) < rank(level, scores.n)


def lac_scores(P: Floats) -> Floats:
    """The scores (rows, classes) of each class: 1 - its probability.

    Sadinle, Lei and Wasserman, "Least ambiguous set-valued classifiers with bounded error levels", 2019.
    """
    return 1.0 - P


def aps_scores(P: Floats) -> Floats:
    """The total probability (rows, classes) of the classes that are more probable than each class.

    The most probable class has the score 0. Of equal probabilities the first class counts as more probable. This is the
    score of adaptive prediction sets without randomization; Romano, Sesia and Candès, 2020.
    """
    order = np.argsort(-P, axis=1, kind="stable")
    ranked = np.take_along_axis(P, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    before[:, 0] = 0.0
    scores = np.empty_like(P)
    np.put_along_axis(scores, order, np.maximum(before, 0.0), axis=1)
    return scores
