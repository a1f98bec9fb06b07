"""95 % confidence intervals of scores for the score on new rows.

The standard error comes from bootstrap resamples, the interval from Student's t with n - 1 degrees of freedom: on the
logarithm of a loss, and by Wilson's formula for a rate between 0 and 1 ("Probable inference, the law of succession, and
statistical inference", 1927), with the number of rows at which a share has that standard error. Percentiles of
resamples are too narrow for few rows, and are a point where all rows are right. A rate of classes that is 0 or 1 has
no standard error: the rows of the rarest class count then.

Precision, recall and F1 need no resamples. Precision is a share of the rows predicted as positive, recall one of the
positive rows, and F1 = 2 J / (1 + J), where J is the share of hits among the rows that are either (the Jaccard index).

The standard error is widened by sqrt(1 + 40 / n): scores of cross-validation vary more than their rows do, since the
predictions depend on the rows that were drawn for training (Bates, Hastie and Tibshirani, "Cross-validation: what does
it estimate and how well does it do it?", 2024). 40 was chosen on eight tables, and checked on others; see
benchmarks/honesty.py.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Array, Mask
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.metric import Metric

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
EXTRA_ROWS = 40.0
MIN_ROWS = 5
"""Rows, or groups, from which an interval is given."""


MEANS_OF_CLASSES = ("balanced_accuracy", "macro_f1")
"""Rates of predicted classes in which the rarest class counts as much as the most frequent one."""
WITHOUT_SKILL = ("balanced_accuracy", "roc_auc", "f1", "precision", "recall")
"""Rates of which a constant prediction may have the same value for any rows, such as an area of 0.5."""
UPPER_BOUNDS = {"brier": 2.0}


def score_interval(
    metric: Metric[Any],
    value: float,
    samples: NDArray[np.float64],
    resampling: BootstrapResampler,
    class_rows: int | None = None,
) -> ConfidenceInterval | None:
    """The interval of a score with this `value` on all rows and `samples` (resamples,) on the resamples.

    `class_rows` is the number of rows of the class that a rate depends on: the positive class, or the rarest.

    None for fewer than five rows or groups, and if the score is undefined in more than half of the resamples.
    """
    if metric.is_rate:
        # the variance of a mean of two recalls is at least a quarter of that of one
        max_rows = 4.0 * class_rows if class_rows is not None and metric.name in MEANS_OF_CLASSES else np.inf
        return rate_interval(value, samples, resampling, class_rows, max_rows)
    spread = _Spread.of(samples, resampling)
    if spread is None:
        return None
    defined, quantile = spread.samples, spread.quantile * spread.scale
    if metric.name in ("r2", "gini", "quadratic_kappa"):
        loss = _log_interval(1.0 - value, 1.0 - defined, quantile)
        return loss and ConfidenceInterval(1.0 - loss.high, 1.0 - loss.low)
    loss = _log_interval(value, defined, quantile)
    bound = UPPER_BOUNDS.get(metric.name)
    return loss and ConfidenceInterval(loss.low, loss.high if bound is None else max(min(loss.high, bound), value))


def rate_interval(
    value: float,
    samples: NDArray[np.float64],
    resampling: BootstrapResampler,
    class_rows: float | None = None,
    max_rows: float = np.inf,
) -> ConfidenceInterval | None:
    """The interval of a share of rows, `class_rows` of them if not all, and at most `max_rows` by its variance.

    None as for `score_interval`, and for a share of no row.
    """
    spread = _Spread.of(samples, resampling)
    if spread is None or class_rows == 0:
        return None
    standard_error, n = float(np.std(spread.samples)) * spread.scale, resampling.groups / spread.scale**2
    return wilson_interval(value, standard_error, min(n, class_rows or n), spread.quantile, max_rows)


def share_interval(
    covered: Mask, weight: Array | None = None, cluster: NDArray[np.int64] | None = None, widening: float = 1.0
) -> ConfidenceInterval | None:
    """Wilson's interval of the share of rows that are `covered` (rows,), at least one.

    Rows with weights count as the number of equal rows with the same variance. Rows of a `cluster` (rows,) vary
    together: the variance is that between clusters, and there is no interval for fewer than five. The standard error
    is multiplied by `widening`.
    """
    w = np.ones(len(covered)) if weight is None else weight
    share, n = float(np.average(covered, weights=weight)), effective_rows(w, None)
    if cluster is None:
        interval = wilson_interval(share, sqrt(share * (1.0 - share) / n), n, Z * widening)
    else:
        numbers = np.unique(cluster, return_inverse=True)[1]
        n = int(numbers.max()) + 1
        if n < MIN_ROWS:
            return None
        variance = n / (n - 1) * float(np.square(np.bincount(numbers, w * (covered - share))).sum()) / w.sum() ** 2
        interval = wilson_interval(share, sqrt(variance), n, student_t(n - 1) * widening)
    return ConfidenceInterval(min(interval.low, share), max(interval.high, share))  # without rounding error at 0 and 1


def effective_rows(weight: Array, cluster: NDArray[np.int64] | None) -> float:
    """The number of equal rows, or clusters of rows, with the variance of those of a `weight` (rows,); 0 of none.

    Kish, "Survey sampling", 1965.
    """
    w = weight if cluster is None else np.bincount(cluster, weight)
    return float(w.sum() ** 2 / np.square(w).sum()) if w.any() else 0.0


def counted_rows(name: str, positive: Mask, predicted: Mask) -> tuple[Mask, Mask]:
    """The rows (rows,) of which precision, recall, specificity or the Jaccard index (`f1`) is a share, and its hits."""
    if name == "specificity":
        return ~positive, ~predicted
    rows = {"precision": predicted, "recall": positive, "f1": predicted | positive}
    return rows[name], predicted & positive


def f1_interval(jaccard: ConfidenceInterval | None) -> ConfidenceInterval | None:
    """The interval of F1 by that of the Jaccard index, with which it grows."""
    return jaccard and ConfidenceInterval(*(2.0 * end / (1.0 + end) for end in (jaccard.low, jaccard.high)))


def positive_class_interval(
    name: str, positive: Mask, predicted: Mask, weight: Array | None = None, cluster: NDArray[np.int64] | None = None
) -> ConfidenceInterval | None:
    """The interval of precision, recall or F1 of the `positive` class (rows,); None as for `score_interval`."""
    rows, hits = counted_rows(name, positive, predicted)
    n = len(positive) if cluster is None else len(np.unique(cluster))
    w = None if weight is None else weight[rows]
    if n < MIN_ROWS or not (rows.any() if w is None else w.any()):
        return None
    interval = share_interval(hits[rows], w, None if cluster is None else cluster[rows], sqrt(1.0 + EXTRA_ROWS / n))
    return f1_interval(interval) if name == "f1" else interval


def loss_interval(
    value: float, samples: NDArray[np.float64], resampling: BootstrapResampler
) -> ConfidenceInterval | None:
    """The interval of a mean loss or cost, which is not negative; None as for `score_interval`."""
    spread = _Spread.of(samples, resampling)
    return None if spread is None else _log_interval(value, spread.samples, spread.quantile * spread.scale)


class _Spread(NamedTuple):
    """The defined samples, and the quantile of Student's t that their standard deviation is multiplied by.

    `scale` is the standard error of all rows in units of that of the rows that are resampled.
    """

    samples: NDArray[np.float64]
    quantile: float
    scale: float

    @classmethod
    def of(cls, samples: NDArray[np.float64], resampling: BootstrapResampler) -> _Spread | None:
        """None for too few rows or groups, or too few defined samples."""
        n, share = resampling.groups, len(resampling.rows) / resampling.n
        defined = samples[np.isfinite(samples)]
        if n < MIN_ROWS or 2 * len(defined) < len(samples):
            return None
        return cls(defined, student_t(n - 1) * sqrt(1.0 + EXTRA_ROWS * share / n), sqrt(share))


def difference_interval(
    value: float, samples: NDArray[np.float64], resampling: BootstrapResampler, limit: float = np.inf
) -> ConfidenceInterval | None:
    """The interval of a difference of two scores of the same rows, which is at most `limit` either way.

    None as for `score_interval`.
    """
    spread = _Spread.of(samples, resampling)
    if spread is None:
        return None
    half = spread.quantile * spread.scale * float(np.std(spread.samples))
    return ConfidenceInterval(max(value - half, -limit), min(value + half, limit))


def student_t(degrees: int) -> float:
    """The 97.5 % quantile of Student's t, within 0.3 % from 4 degrees of freedom on.

    Abramowitz and Stegun, "Handbook of mathematical functions", 1964, 26.7.5.
    """
    z, v = Z, float(degrees)
    terms = (
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
    )
    return z + sum(terms)


def _log_interval(value: float, samples: Samples, quantile: float) -> ConfidenceInterval | None:
    positive = samples[samples > 0]
    if value <= 0.0:
        return ConfidenceInterval(value, value)
    if not len(positive):
        return None
    # resamples without the few rows that make up most of a loss have a logarithm far below the others
    width = quantile * min(float(np.std(np.log(positive))), float(np.std(samples)) / value)
    if width > log(np.finfo(np.float64).max) - abs(log(value)):
        return None
    return ConfidenceInterval(value * exp(-width), value * exp(width))


def wilson_interval(
    value: float, standard_error: float, n: float, quantile: float, max_rows: float = np.inf
) -> ConfidenceInterval:
    """Wilson's interval of a rate between 0 and 1 with a standard error, or of `n` rows where it has none."""
    if standard_error > 0.0 and 0.0 < value < 1.0:
        n = min(value * (1.0 - value) / standard_error**2, max_rows)
    center = (value + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile * sqrt(value * (1 - value) / n + quantile**2 / (4 * n**2)) / (1 + quantile**2 / n)
    return ConfidenceInterval(max(center - half, 0.0), min(center + half, 1.0))


def max_error_rate(n: int) -> float:
    """The upper 95 % bound of the error rate if n rows have no error, about 3 / n (the rule of three)."""
    return 1 - exp(log(1 - 0.95) / n)
