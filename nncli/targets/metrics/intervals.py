"""95 % confidence intervals of scores for the score on new rows.

The standard error comes from bootstrap resamples, the interval from Student's t with n - 1 degrees of freedom: on the
logarithm of a loss, and by Wilson's formula for a rate between 0 and 1 ("Probable inference, the law of succession, and
statistical inference", 1927), with the number of rows at which a share has that standard error. Percentiles of
resamples are too narrow for few rows, and are a point where all rows are right. A rate of one class that is 0 or 1 has
no standard error: the rows of that class count then, and those of the rarest class for a mean over classes.

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

from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.metric import Metric

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""
EXTRA_ROWS = 40.0
MIN_ROWS = 5
"""Rows, or groups, from which an interval is given."""


MEANS_OF_CLASSES = ("balanced_accuracy", "macro_f1")
"""Rates of predicted classes in which the rarest class counts as much as the most frequent one."""
OF_POSITIVE_CLASS = ("f1", "precision", "recall")
"""Rates of predicted classes of the positive class alone."""
UPPER_BOUNDS = {"brier": 2.0}


def score_interval(
    metric: Metric[Any],
    value: float,
    samples: NDArray[np.float64],
    resampling: BootstrapResampler,
    class_rows: int | None = None,
) -> ConfidenceInterval | None:
    """The interval of a score with this `value` on all rows and `samples` (resamples,) on the resamples.

    `class_rows` is the number of rows of the class that a rate of predicted classes depends on: the positive class, or
    the rarest for a mean over classes.

    None for fewer than five rows or groups, and if the score is undefined in more than half of the resamples.
    """
    if metric.is_rate:
        return rate_interval(value, samples, resampling, class_rows)
    spread = _Spread.of(samples, resampling)
    if spread is None:
        return None
    defined, quantile = spread.samples, spread.quantile
    if metric.name == "r2":
        loss = _log_interval(1.0 - value, 1.0 - defined, quantile)
        return loss and ConfidenceInterval(1.0 - loss.high, 1.0 - loss.low)
    loss = _log_interval(value, defined, quantile)
    bound = UPPER_BOUNDS.get(metric.name)
    return loss and ConfidenceInterval(loss.low, loss.high if bound is None else max(min(loss.high, bound), value))


def rate_interval(
    value: float,
    samples: NDArray[np.float64],
    resampling: BootstrapResampler,
    class_rows: int | None = None,
) -> ConfidenceInterval | None:
    """The interval of a share of rows; with `class_rows` as for `score_interval`, of a rate of classes."""
    spread = _Spread.of(samples, resampling)
    if spread is None:
        return None
    standard_error, n = float(np.std(spread.samples)), resampling.groups
    if class_rows is not None:
        # the variance of a mean of two recalls is at least a quarter of that of one
        return wilson_interval(value, standard_error, min(n, class_rows), spread.quantile, 4.0 * class_rows)
    return wilson_interval(value, standard_error, n, spread.quantile)


def loss_interval(
    value: float, samples: NDArray[np.float64], resampling: BootstrapResampler
) -> ConfidenceInterval | None:
    """The interval of a mean loss or cost, which is not negative; None as for `score_interval`."""
    spread = _Spread.of(samples, resampling)
    return None if spread is None else _log_interval(value, spread.samples, spread.quantile)


class _Spread(NamedTuple):
    """The defined samples, and the quantile of Student's t that their standard deviation is multiplied by."""

    samples: NDArray[np.float64]
    quantile: float

    @classmethod
    def of(cls, samples: NDArray[np.float64], resampling: BootstrapResampler) -> _Spread | None:
        """None for too few rows or groups, or too few defined samples."""
        n, share = resampling.groups, len(resampling.rows) / resampling.n
        defined = samples[np.isfinite(samples)]
        if n < MIN_ROWS or 2 * len(defined) < len(samples):
            return None
        return cls(defined, student_t(n - 1) * sqrt(1.0 + EXTRA_ROWS * share / n) * sqrt(share))


def difference_interval(
    value: float, samples: NDArray[np.float64], resampling: BootstrapResampler
) -> ConfidenceInterval | None:
    """The interval of a difference of two scores of the same rows; None as for `score_interval`."""
    spread = _Spread.of(samples, resampling)
    if spread is None:
        return None
    half = spread.quantile * float(np.std(spread.samples))
    return ConfidenceInterval(value - half, value + half)


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
