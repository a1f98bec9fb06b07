"""What the sections have in common: scores with intervals, errors by row, and the curves of one class against the rest.

`y`, `P` and `weight` are as in nncli/metrics/classification.py; `positive` (rows,) says which rows are of the class.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.metrics.classification import LOG_LOSS_EPS
from nncli.scoring import Truth

Floats = NDArray[np.float64]
Z = 1.959964
"""Of 95 %, two-sided."""
BINS = 10


def row_errors(judged: HeldOutPredictions) -> tuple[Floats, str]:
    """How wrong each row is (rows,), and what that number is: 1 for a wrong class, or how far off the number is; of
    several numbers, the mean of how far off they are in standard deviations of the truth."""
    y, values = judged.y, judged.predictions.values
    if judged.predictions.target.task == "classification":
        return (values.argmax(axis=1) != y).astype(np.float64), "share of wrong rows"
    with np.errstate(all="ignore"):
        error = np.abs(y - values)
        if error.shape[1] == 1:
            return np.asarray(error[:, 0]), "mean absolute error"
        spread = y.std(axis=0)
        return np.asarray((error / np.where(spread > 0, spread, 1)).mean(axis=1)), "mean error in standard deviations"


def surprise(y: Truth, P: Floats) -> Floats:
    """-ln of the probability of the true class (rows,): which rows went most wrong."""
    return np.asarray(-np.log(P[np.arange(len(y)), y].clip(LOG_LOSS_EPS)))


@dataclass(frozen=True)
class Curve:
    """One class against the rest at every threshold, from the strictest on; `area` beneath the ROC curve, and the
    average precision: the mean of the precision over the recall, by steps."""

    false_rate: Floats
    true_rate: Floats
    precision: Floats
    area: float
    average_precision: float


def curve(positive: NDArray[np.bool_], p: Floats, sample_weight: Floats | None) -> Curve | None:
    """ROC and precision-recall of the probabilities p (rows,); None unless rows are on both sides."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    hits = np.cumsum(w[order] * positive[order])[ends]
    all_said = np.cumsum(w[order])[ends]
    misses = all_said - hits
    if not (hits[-1] > 0 and misses[-1] > 0):
        return None
    true_rate, false_rate = np.append(0, hits / hits[-1]), np.append(0, misses / misses[-1])
    precision = hits / np.where(all_said > 0, all_said, 1)
    precision = np.append(precision[0], precision)
    return Curve(
        false_rate=false_rate,
        true_rate=true_rate,
        precision=precision,
        area=float(np.trapezoid(true_rate, false_rate)),
        average_precision=float(np.sum(np.diff(true_rate) * precision[1:])),
    )


@dataclass(frozen=True)
class Bin:
    """Rows of a like probability: how many, the mean of what was said, the share of them that was so, and its interval
    by Wilson's score."""

    rows: int
    said: float
    true: float
    low: float
    high: float


def reliability(p: Floats, true: NDArray[np.bool_], sample_weight: Floats | None, bins: int = BINS) -> tuple[Bin, ...]:
    """The bins that have rows, by probabilities p (rows,) from 0 to 1, each closed on the right."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    which = np.searchsorted(np.arange(1, bins) / bins, p, side="left")
    found = []
    for j in range(bins):
        rows = (which == j) & (w > 0)
        n = int(rows.sum())
        if n:
            share = float(np.average(true[rows], weights=w[rows]))
            low, high = wilson(share, n)
            found.append(Bin(n, float(np.average(p[rows], weights=w[rows])), share, low, high))
    return tuple(found)


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n rows. Source: Wilson, "Probable inference", 1927."""
    center = share + Z**2 / (2 * n)
    half = Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, (center - half) / (1 + Z**2 / n)), min(1.0, (center + half) / (1 + Z**2 / n))


def most_errors(n: int) -> float:
    """The share of errors that is still likely, with 95 %, where n rows have none: about 3 / n."""
    return 1 - float(np.exp(log(1 - 0.95) / n))
