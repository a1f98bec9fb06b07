"""Area under the ROC curve, of one weighting of the rows and of many resamples at once.

Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Array, Codes
from nncli.targets.metrics.bootstrap import Samples, group_sums

MAX_BOOTSTRAP_CELLS = 40_000
"""Rows times classes above which the area is not computed for resamples."""


def roc_auc(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """Area under the ROC curve: how often a row of the class scores above one that is not; a tie counts half.

    Two classes: the second is the positive one. More: the plain mean over classes, each against the rest, of those for
    which the area is defined. None if there is none, as with a single class in `y`.
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    classes = range(1, 2) if P.shape[1] == 2 else range(P.shape[1])
    areas = [_area(y == k, P[:, k], w) for k in classes]
    defined = [area for area in areas if area is not None]
    return float(np.mean(defined)) if defined else None


def bootstrap_roc_auc(y: Codes, P: NDArray[np.float64], W: Samples) -> Samples:
    """`roc_auc` (resamples,) for each row of weights in W (resamples, rows); NaN where it is not computed."""
    n, K = P.shape
    if n * K > MAX_BOOTSTRAP_CELLS:
        return np.full(len(W), np.nan)
    classes = [1] if K == 2 else [k for k in range(K) if (y == k).any()]
    areas = [_bootstrap_area(y == k, P[:, k], W) for k in classes] or [np.full(len(W), np.nan)]
    defined = np.isfinite(areas)
    return np.asarray(np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0))


def _area(positive: NDArray[np.bool_], score: Array, w: NDArray[np.float64]) -> float | None:
    """The area for one class; None without both a positive and a negative row."""
    levels, level = np.unique(score, return_inverse=True)
    hits = np.bincount(level, weights=w * positive, minlength=len(levels))
    misses = np.bincount(level, weights=w * ~positive, minlength=len(levels))
    pairs = hits.sum() * misses.sum()
    if pairs == 0:
        return None
    beaten = np.cumsum(misses) - misses / 2
    return float(hits @ beaten / pairs)


def _bootstrap_area(positive: NDArray[np.bool_], score: NDArray[np.float64], W: Samples) -> NDArray[np.float64]:
    levels, level = np.unique(score, return_inverse=True)
    hits, misses = group_sums(W * positive, level, len(levels)), group_sums(W * ~positive, level, len(levels))
    beaten = np.cumsum(misses, axis=1) - misses / 2
    return np.asarray((hits * beaten).sum(axis=1) / (hits.sum(axis=1) * misses.sum(axis=1)))
