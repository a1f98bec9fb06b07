"""Statistics that several sections use: errors by row, curves of a class against the rest, calibration bins.

`y`, `P` and `weight` are as in targets/metrics/classification.py; `positive` (rows,) says which rows are of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Z = 1.959964
"""Two-sided 95 % quantile of the standard normal distribution."""
BINS = 10


@dataclass(frozen=True)
class ClassCurves:
    """ROC and precision-recall curve of one class against the rest, from the highest threshold down; `area` is the
    ROC AUC, `average_precision` the step-wise mean of the precision over the recall."""

    false_rate: Floats
    true_rate: Floats
    precision: Floats
    area: float
    average_precision: float


def class_curves(positive: NDArray[np.bool_], p: Floats, sample_weight: Floats | None) -> ClassCurves | None:
    """The curves of the probabilities p (rows,); None unless there are positive and negative rows."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits = np.cumsum(w[order] * positive[order])[ends]
    predicted = np.cumsum(w[order])[ends]
    misses = predicted - hits
    if not (hits[-1] > 0 and misses[-1] > 0):
        return None
    true_rate, false_rate = np.append(0, hits / hits[-1]), np.append(0, misses / misses[-1])
    precision = hits / np.where(predicted > 0, predicted, 1)
    precision = np.append(precision[0], precision)
    return ClassCurves(
        false_rate=false_rate,
        true_rate=true_rate,
        precision=precision,
        area=float(np.trapezoid(true_rate, false_rate)),
        average_precision=float(np.sum(np.diff(true_rate) * precision[1:])),
    )


@dataclass(frozen=True)
class Ranking:
    """The rows from the highest probability down: at each `threshold`, the highest first, the `fraction` of the rows
    at or above it, their `precision` and their `recall`."""

    threshold: Floats
    fraction: Floats
    precision: Floats
    recall: Floats

    def at(self, threshold: float) -> int | None:
        """The position of the lowest probability that is at least `threshold`; None if there is none."""
        n = int(np.searchsorted(-self.threshold, -threshold, side="right"))
        return n - 1 if n else None

    def found(self, fraction: Floats) -> Floats:
        """The recall among these fractions of the rows; within equal probabilities, of rows in any order."""
        return np.asarray(np.interp(fraction, np.append(0.0, self.fraction), np.append(0.0, self.recall)))

    def lift(self, fraction: Floats) -> Floats:
        """How many times more frequent the class is among these fractions of the rows than among all."""
        return self.found(fraction) / fraction


def ranking_of(positive: NDArray[np.bool_], p: Floats, sample_weight: Floats | None) -> Ranking | None:
    """The ranking by the probabilities p (rows,); None unless there are positive and negative rows."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits, predicted = np.cumsum(w[order] * positive[order])[ends], np.cumsum(w[order])[ends]
    if not 0 < hits[-1] < predicted[-1]:
        return None
    counted = np.diff(predicted, prepend=0.0) > 0
    hits, predicted, threshold = hits[counted], predicted[counted], p[order][ends][counted]
    return Ranking(threshold, predicted / predicted[-1], hits / predicted, hits / hits[-1])


@dataclass(frozen=True)
class Bin:
    """A bin of a calibration curve: rows, mean predicted probability, observed frequency and its Wilson interval."""

    rows: int
    mean_predicted: float
    observed: float
    low: float
    high: float


def calibration_bins(
    p: Floats, observed: NDArray[np.bool_], sample_weight: Floats | None, bins: int = BINS
) -> tuple[Bin, ...]:
    """The non-empty bins of the probabilities p (rows,), of equal width and closed on the right."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    bin_of_row = np.searchsorted(np.arange(1, bins) / bins, p, side="left")
    non_empty = []
    for j in range(bins):
        rows = (bin_of_row == j) & (w > 0)
        n = int(rows.sum())
        if n:
            frequency = float(np.average(observed[rows], weights=w[rows]))
            low, high = wilson_interval(frequency, n)
            non_empty.append(Bin(n, float(np.average(p[rows], weights=w[rows])), frequency, low, high))
    return tuple(non_empty)


def wilson_interval(proportion: float, n: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion of n rows. Source: Wilson, "Probable inference", 1927."""
    center = proportion + Z**2 / (2 * n)
    half = Z * sqrt(proportion * (1 - proportion) / n + Z**2 / (4 * n**2))
    return max(0.0, (center - half) / (1 + Z**2 / n)), min(1.0, (center + half) / (1 + Z**2 / n))


def max_error_rate(n: int) -> float:
    """The upper 95 % bound of the error rate if n rows have no error, about 3 / n (the rule of three)."""
    return 1 - float(np.exp(log(1 - 0.95) / n))
