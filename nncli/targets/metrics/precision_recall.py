"""Precision, recall, F1 and average precision of the positive class of two, the second one.

`y` is (rows,) of 0 and 1, `P` is (rows, 2) of probabilities; with more classes every metric is None.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Array, Codes
from nncli.targets.metrics.bootstrap import Samples, group_sums
from nncli.targets.metrics.classification_resamples import ClassificationResamples


def precision(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """The share of the rows predicted as positive that are positive; 0 if none is predicted."""
    hits, predicted, _ = _counts(y, P, sample_weight)
    return _ratio(hits, predicted) if P.shape[1] == 2 else None


def recall(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """The share of the positive rows that are predicted as positive; 0 if there is none."""
    hits, _, positive = _counts(y, P, sample_weight)
    return _ratio(hits, positive) if P.shape[1] == 2 else None


def f1(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """The harmonic mean of precision and recall; 0 if no row is positive or predicted as positive."""
    hits, predicted, positive = _counts(y, P, sample_weight)
    return _ratio(2 * hits, predicted + positive) if P.shape[1] == 2 else None


def average_precision(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """The mean precision over the thresholds of the positive class, weighted by the recall that each one adds.

    Rows of equal probability are one threshold. None if no row is positive. A constant prediction has the share of the
    positive rows. Source: scikit-learn, `average_precision_score`.
    """
    if P.shape[1] != 2:
        return None
    w = np.ones((1, len(y))) if sample_weight is None else sample_weight.astype(np.float64)[None, :]
    value = float(_average_precisions(y, P, w)[0])
    return None if np.isnan(value) else value


def bootstrap_precision(r: ClassificationResamples) -> Samples:
    """`precision` of each resample."""
    hits, predicted, _ = _weighted_counts(r)
    return _ratios(hits, predicted, r.P)


def bootstrap_recall(r: ClassificationResamples) -> Samples:
    """`recall` of each resample."""
    hits, _, positive = _weighted_counts(r)
    return _ratios(hits, positive, r.P)


def bootstrap_f1(r: ClassificationResamples) -> Samples:
    """`f1` of each resample."""
    hits, predicted, positive = _weighted_counts(r)
    return _ratios(2 * hits, predicted + positive, r.P)


def bootstrap_average_precision(y: Codes, P: NDArray[np.float64], W: Samples) -> Samples:
    """`average_precision` for each row of weights in W (resamples, rows); NaN where it is not computed."""
    if P.size > MAX_BOOTSTRAP_CELLS or P.shape[1] != 2:
        return np.full(len(W), np.nan)
    return _average_precisions(y, P, W)


def _average_precisions(y: Codes, P: Array, W: Samples) -> Samples:
    levels, level = np.unique(-P[:, 1], return_inverse=True)  # the highest probability first
    hits = np.cumsum(group_sums(W * (y == 1), level, len(levels)), axis=1)
    rows = np.cumsum(group_sums(W, level, len(levels)), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        added = np.diff(hits, axis=1, prepend=0.0) / hits[:, -1:]
        precisions = np.divide(hits, rows, out=np.zeros_like(hits), where=rows > 0)
    return np.asarray((added * precisions).sum(axis=1))


def _counts(y: Codes, P: Array, sample_weight: Array | None) -> tuple[float, float, float]:
    """The weights of the positive rows that are predicted as such, of the predicted ones and of the positive ones."""
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    predicted, positive = P.argmax(axis=1) == 1, y == 1
    return float(w @ (predicted & positive)), float(w @ predicted), float(w @ positive)


def _weighted_counts(r: ClassificationResamples) -> tuple[Samples, Samples, Samples]:
    predicted, positive = r.predicted_class == 1, r.y == 1
    return r.W @ (predicted & positive), r.W @ predicted, r.W @ positive


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _ratios(part: Samples, whole: Samples, P: Array) -> Samples:
    if P.shape[1] != 2:
        return np.full(len(part), np.nan)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


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
