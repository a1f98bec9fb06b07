"""How well probabilities tell classes apart: pure functions of (y, P, weight), in float64.

Everywhere `y` is (rows,) of class codes 0 .. K-1, `P` is (rows, K) of probabilities with K >= 2, and `weight`
is (rows,) of row weights or None for ones. The predicted class is the one of the largest probability, the
first of them when there are several.

The caller sees to it that there is at least one row, that all numbers are finite, and that the weights are
not negative and do not all vanish. A row of weight 0 is as good as absent, one of weight 2 as good as two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]
Counts = NDArray[np.int64] | NDArray[np.float64]

LOG_LOSS_EPS = float(np.finfo(np.float64).eps)
"""Where the logarithm of a probability is cut off, so that one wrong certainty does not cost infinity."""

AT_ONCE = 65_536
"""Rows of probabilities that are copied at a time."""

BINS = 15
"""How many bins of confidence `calibration_error` uses, as Guo et al. do."""


@dataclass(frozen=True)
class ClassScore:
    """How one class fared. A ratio without a denominator (a class never predicted, or absent) is 0.

    `support` is how many rows are truly of the class: a count, or a sum of weights.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: float


@dataclass(frozen=True)
class ClassificationScores:
    """All scores of one prediction; `confusion[i][j]` counts rows of `labels[i]` predicted as `labels[j]`."""

    rows: int
    accuracy: float
    balanced_accuracy: float
    log_loss: float
    macro_f1: float
    roc_auc: float | None
    brier: float
    calibration_error: float
    labels: tuple[str, ...]
    confusion: tuple[tuple[float, ...], ...]
    per_class: tuple[ClassScore, ...]

    def scalars(self) -> tuple[tuple[str, float | None], ...]:
        """The single numbers, each with its name, in the order to show them; None is an undefined score."""
        return (
            ("accuracy", self.accuracy),
            ("balanced_accuracy", self.balanced_accuracy),
            ("macro_f1", self.macro_f1),
            ("roc_auc", self.roc_auc),
            ("log_loss", self.log_loss),
            ("brier", self.brier),
            ("calibration_error", self.calibration_error),
        )


def classification_scores(
    y: Codes, P: Floats, labels: tuple[str, ...], sample_weight: Floats | None = None
) -> ClassificationScores:
    """Every score of the probabilities `P`; `labels` names the classes in the order of its columns."""
    confusion = confusion_matrix(y, P, sample_weight)
    return ClassificationScores(
        rows=len(y),
        accuracy=_hit_rate(confusion),
        balanced_accuracy=_mean_recall(confusion),
        log_loss=log_loss(y, P, sample_weight),
        macro_f1=_mean_f1(confusion),
        roc_auc=roc_auc(y, P, sample_weight),
        brier=brier(y, P, sample_weight),
        calibration_error=calibration_error(y, P, sample_weight),
        labels=labels,
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        per_class=class_scores(confusion, labels),
    )


def accuracy(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float:
    """The share of rows whose predicted class is the true one."""
    return _hit_rate(confusion_matrix(y, P, sample_weight))


def balanced_accuracy(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float:
    """The mean recall of the classes that are present in `y`."""
    return _mean_recall(confusion_matrix(y, P, sample_weight))


def macro_f1(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float:
    """The mean F1 of the classes that are present in `y` or among the predictions."""
    return _mean_f1(confusion_matrix(y, P, sample_weight))


def confusion_matrix(y: Codes, P: Floats, sample_weight: Floats | None = None) -> Counts:
    """(K, K): row i, column j holds how many rows of class i were predicted as j.

    Integer counts without weights, float64 sums of weights with them.
    """
    K = P.shape[1]
    cell = y.astype(np.int64) * K + P.argmax(axis=1)
    if sample_weight is None:
        return np.bincount(cell, minlength=K * K).reshape(K, K).astype(np.int64)
    return np.bincount(cell, weights=sample_weight, minlength=K * K).reshape(K, K)


def class_scores(confusion: Counts, labels: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of every class, from a confusion matrix (K, K)."""
    precision, recall, f1 = _precision_recall_f1(confusion)
    columns = (precision.tolist(), recall.tolist(), f1.tolist(), confusion.sum(axis=1).tolist())
    return tuple(ClassScore(label, *scores) for label, *scores in zip(labels, *columns, strict=True))


def log_loss(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float:
    """Mean of -ln(probability of the true class), in nats.

    Probabilities are cut to [eps, 1 - eps] with the eps of float64 and rows are scaled to sum to 1, which
    takes the rounding of float32 probabilities out. Source: Bishop (2006), equation 4.108.
    """
    return float(np.average(_row_by_row(log_loss_per_row, y, P), weights=sample_weight))


def log_loss_per_row(y: Codes, P: NDArray[np.float64]) -> NDArray[np.float64]:
    """-ln(probability of the true class) (rows,), in nats, with `P` clipped and scaled as `log_loss` documents."""
    P = P.clip(LOG_LOSS_EPS, 1 - LOG_LOSS_EPS)
    return np.asarray(-np.log(P[np.arange(len(y)), y] / P.sum(axis=1)))


def brier(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float:
    """Mean squared distance between the probabilities and the truth as 0s and a 1 (Brier, 1950).

    Two classes: the mean of (p - y)^2 with p the probability of the second class, between 0 and 1. More
    classes: the mean of the sum over classes, between 0 and 2. These are the two usual conventions; summed
    over both classes, the binary score would be twice as large.
    """

    def of_rows(y: Codes, error: NDArray[np.float64]) -> NDArray[np.float64]:
        error[np.arange(len(y)), y] -= 1.0
        return np.asarray(np.square(error).sum(axis=1))

    score = float(np.average(_row_by_row(of_rows, y, P), weights=sample_weight))
    return score / 2 if P.shape[1] == 2 else score


def calibration_error(y: Codes, P: Floats, sample_weight: Floats | None = None, *, bins: int = BINS) -> float:
    """Expected calibration error of the predicted class, between 0 and 1.

    Rows are put into `bins` equal bins of confidence (the largest probability), each closed on the right; the
    error is the mean over rows of |accuracy - mean confidence| of their bin.
    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017, equation 3.
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    confidence = P.max(axis=1).astype(np.float64)
    hit = P.argmax(axis=1) == y
    inner_edges = np.arange(1, bins) / bins
    which = np.searchsorted(inner_edges, confidence, side="left")
    # weight of the bin times (accuracy - mean confidence) is a sum over its rows
    gap = np.bincount(which, weights=w * (hit - confidence), minlength=bins)
    return float(np.abs(gap).sum() / w.sum())


def roc_auc(y: Codes, P: Floats, sample_weight: Floats | None = None) -> float | None:
    """Area under the ROC curve: how often a row of the class scores above one that is not; a tie counts half.

    Two classes: the second is the one looked for. More: the plain mean over classes, each against the rest,
    of those for which the area is defined. None when there is none, as with a single class in `y`.
    Source: Hanley and McNeil, "The meaning and use of the area under a ROC curve", 1982.
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    classes = range(1, 2) if P.shape[1] == 2 else range(P.shape[1])
    areas = [_area(y == k, P[:, k], w) for k in classes]
    defined = [area for area in areas if area is not None]
    return float(np.mean(defined)) if defined else None


def _area(positive: NDArray[np.bool_], score: Floats, w: NDArray[np.float64]) -> float | None:
    """The area for one class; None without both a positive and a negative row."""
    levels, level = np.unique(score, return_inverse=True)
    hits = np.bincount(level, weights=w * positive, minlength=len(levels))
    misses = np.bincount(level, weights=w * ~positive, minlength=len(levels))
    pairs = hits.sum() * misses.sum()
    if pairs == 0:
        return None
    beaten = np.cumsum(misses) - misses / 2
    return float(hits @ beaten / pairs)


def _row_by_row(
    score: Callable[[Codes, NDArray[np.float64]], NDArray[np.float64]], y: Codes, P: Floats
) -> NDArray[np.float64]:
    """The `score` of each row (rows,), from some rows at a time, and from a copy of their probabilities."""
    scores = np.empty(len(y))
    for start in range(0, len(y), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        scores[rows] = score(y[rows], np.array(P[rows], np.float64, order="C"))
    return scores


def _hit_rate(confusion: Counts) -> float:
    return float(np.trace(confusion) / confusion.sum())


def _mean_recall(confusion: Counts) -> float:
    support = confusion.sum(axis=1)
    present = support > 0
    return float(np.mean(confusion.diagonal()[present] / support[present]))


def _mean_f1(confusion: Counts) -> float:
    present = confusion.sum(axis=0) + confusion.sum(axis=1) > 0
    _, _, f1 = _precision_recall_f1(confusion)
    return float(np.mean(f1[present]))


def _precision_recall_f1(
    confusion: Counts,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Three vectors (K,); see ClassScore for what a missing denominator means."""
    hit = confusion.diagonal()
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return _ratio(hit, predicted), _ratio(hit, support), _ratio(2 * hit, support + predicted)


def _ratio(part: Counts, whole: Counts) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
