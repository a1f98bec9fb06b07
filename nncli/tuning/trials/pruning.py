"""Pruning: ending a trial after a fold that shows that it is worse than the best trial before it.

Both are scored on the same rows, so the differences of their losses are tested in pairs. If neither were better, the
sign of each row's difference would be arbitrary: the sum of n differences d with random signs has the variance Σ d²,
and for many rows it is normal. Rows of a group are not independent, so that their differences have one sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist

import numpy as np

from nncli.nn.arrays import Floats
from nncli.targets.metrics.significance import sign_flip_test

LEVEL = 0.2
"""One-sided significance level: it trains fewer folds than 0.05 for as good a best score; see docs/accuracy.md."""
NORMAL_ROWS = 200
"""Smallest number of rows for the normal approximation."""


def is_worse(losses: Sequence[Floats], best: Sequence[Floats], seed: Sequence[int]) -> bool:
    """Whether a trial with these losses of the rows (rows,) of each fold is worse than the best one.

    It must be worse in every fold, since rows of a fold share the chance of one training.
    """
    differences = [mine - other for mine, other in zip(losses, best, strict=True)]
    if not all(np.isfinite(d).all() for d in differences):
        return not all(np.isfinite(mine).all() for mine in losses)
    if any(d.sum() <= 0.0 for d in differences):
        return False
    return p_value(np.concatenate(differences), seed) < LEVEL


def p_value(differences: Floats, seed: Sequence[int]) -> float:
    """The one-sided p-value that the sum of the differences (rows,) is positive by chance."""
    total, variance = float(differences.sum()), float(differences @ differences)
    if total <= 0.0 or variance == 0.0:
        return 1.0
    if len(differences) < NORMAL_ROWS:
        return sign_flip_test(differences, np.random.default_rng(seed)) / 2.0
    return 1.0 - NormalDist().cdf(total / sqrt(variance))
