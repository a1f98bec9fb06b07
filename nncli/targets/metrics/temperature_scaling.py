"""Temperature scaling of class probabilities.

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017, section 4.2. A few rows that
are all predicted right would lead to certainty. So, as in Platt, "Probabilistic outputs for support vector machines",
1999, section 2.2, targets are smoothed as if there were one more row of unknown class: with n rows and K classes each
row's own class has the target (n + 1/K) / (n + 1), and any other class (1/K) / (n + 1).

`y` is (rows,) of class codes, `P` (rows, K) of probabilities, `weight` (rows,) of row weights or None for ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log as ln
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.nn.activations import Softmax
from nncli.nn.arrays import Array, Codes, Counts
from nncli.nn.losses import MIN_PROBABILITY
from nncli.nn.program.values import Value, log, maximum
from nncli.targets.metrics.classification import calibration_error, log_loss
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.metric import Metric

MAX_TEMPERATURE = 20.0
"""Temperatures are between 1/20 and 20: beyond, probabilities are all equal, or all 0 and 1."""
MAX_STEPS = 60
TOLERANCE, TOLERANCE_OF_MANY = 1e-10, 1e-4
"""Of 1 / T, for fewer than MANY_CLASSES and for more: a loss near its minimum grows with the square of it."""
MEAN_TOLERANCE = 1e-3
"""Of log T for the mean of several networks."""
GOLDEN = (sqrt(5.0) - 1.0) / 2.0
MANY_CLASSES = 256


@dataclass(frozen=True)
class TemperatureFit:
    """The temperature, and the scores of the rows that it was fitted on, before and after scaling."""

    temperature: float
    log_loss_before: float
    log_loss_after: float
    calibration_error_before: float
    calibration_error_after: float

    @classmethod
    def of(
        cls, T: float, y: Codes, uncalibrated: Array, calibrated: Array, sample_weight: Array | None
    ) -> TemperatureFit:
        """The scores of probabilities before and after temperature scaling by T."""
        return cls(
            temperature=T,
            log_loss_before=log_loss(y, uncalibrated, sample_weight),
            log_loss_after=log_loss(y, calibrated, sample_weight),
            calibration_error_before=calibration_error(y, uncalibrated, sample_weight),
            calibration_error_after=calibration_error(y, calibrated, sample_weight),
        )


def apply_temperature(P: Array, T: float) -> NDArray[np.float64]:
    """softmax(log P / T) (rows, K). T > 1 makes P less confident, T < 1 more; the order of classes stays."""
    if T == 1.0:
        return np.asarray(P, np.float64)
    Q = _logarithms(P)
    Q /= T
    np.exp(Q, out=Q)
    Q /= Q.sum(axis=1, keepdims=True)
    return Q


def lower_temperature(P: Value, T: float) -> Value:
    """The operations of `apply_temperature` for T other than 1."""
    return Softmax().lower(log(maximum(P, MIN_PROBABILITY)) / T)


def fit_temperature(P: Array, y: Codes, sample_weight: Array | None = None) -> float:
    """The T in [1/20, 20] that minimizes the smoothed log loss, or 1 if scaling does not lower it.

    The loss is convex in b = 1 / T: its derivative is E[L] - t·L and its second one Var[L], with L = log P under
    softmax(b L) and the smoothed targets t, each a mean over the rows. Newton's method, with bisection if a step would
    leave the interval.
    """
    L = _logarithms(P)
    w = _shares(len(y), sample_weight)
    target_mean = float(w @ _of_targets(L, y))

    def derivatives(b: float) -> tuple[float, float]:
        Q = np.exp(b * L)
        Q /= Q.sum(axis=1, keepdims=True)
        mean = np.einsum("ik,ik->i", Q, L)
        Q *= L
        variance = np.einsum("ik,ik->i", Q, L) - mean**2
        return float(w @ mean) - target_mean, float(w @ variance)

    low, high, b = 1.0 / MAX_TEMPERATURE, MAX_TEMPERATURE, 1.0
    tolerance = TOLERANCE if L.shape[1] < MANY_CLASSES else TOLERANCE_OF_MANY
    for _ in range(MAX_STEPS):
        slope, curvature = derivatives(b)
        low, high = (low, b) if slope > 0.0 else (b, high)
        step = b - slope / curvature if curvature > 0.0 else np.nan
        next_b = step if low < step < high else 0.5 * (low + high)
        done = abs(next_b - b) <= tolerance * b
        b = next_b
        if done:
            break
    T = 1.0 / b
    return (
        T
        if smoothed_log_loss(y, apply_temperature(P, T), sample_weight) < smoothed_log_loss(y, P, sample_weight)
        else 1.0
    )


def fit_mean_temperature(parts: Sequence[Array], y: Codes, sample_weight: Array | None = None) -> float:
    """The T in [1/20, 20] that minimizes the smoothed log loss of the mean of several P, each at that temperature.

    The mean is less confident than each of them, so its temperature is lower than theirs. Golden-section search of
    log T; Kiefer, "Sequential minimax search for a maximum", 1953.
    """

    def loss(log_T: float) -> float:
        mean = np.mean([apply_temperature(P, float(np.exp(log_T))) for P in parts], axis=0)
        return smoothed_log_loss(y, mean, sample_weight)

    low, high = -ln(MAX_TEMPERATURE), ln(MAX_TEMPERATURE)
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    of_left, of_right = loss(left), loss(right)
    while high - low > MEAN_TOLERANCE:
        if of_left < of_right:
            high, right, of_right = right, left, of_left
            left = high - GOLDEN * (high - low)
            of_left = loss(left)
        else:
            low, left, of_left = left, right, of_right
            right = low + GOLDEN * (high - low)
            of_right = loss(right)
    return float(np.exp((low + high) / 2.0))


def smoothed_log_loss(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The log loss against the smoothed targets, by which temperatures are compared."""
    logarithms = np.log(np.maximum(P, MIN_PROBABILITY, dtype=np.float64))
    return -float(_shares(len(y), sample_weight) @ _of_targets(logarithms, y))


def calibrated_log_loss(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The smoothed log loss after fitting the temperature on the same rows.

    It does not depend on the confidence, so it chooses the best epoch if probabilities are calibrated afterwards.

    Source: Berta, Holzmüller, Jordan and Bach, "Rethinking early stopping: refine, then calibrate", 2025.
    """
    return smoothed_log_loss(y, apply_temperature(P, fit_temperature(P, y, sample_weight)), sample_weight)


CALIBRATED_LOG_LOSS: Metric[ClassificationResamples] = Metric(
    "calibrated_log_loss",
    "classification",
    calibrated_log_loss,
    "log loss after temperature scaling on the same rows; lower is better",
    "calibrated log loss",
)


def _shares(n: int, sample_weight: Array | None) -> NDArray[np.float64]:
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, np.float64)
    return np.asarray(w / w.sum())


def _of_targets(L: NDArray[np.float64], y: Codes) -> NDArray[np.float64]:
    """t·L (rows,) for L (rows, K) and the smoothed targets t of the classes y (rows,)."""
    n = len(L)
    return np.asarray((n * L[np.arange(n), y] + L.mean(axis=1)) / (n + 1))


def _logarithms(P: Array) -> NDArray[np.float64]:
    """log P (rows, K), shifted such that the largest of each row is 0."""
    L: NDArray[Any] = np.maximum(P, MIN_PROBABILITY, dtype=np.float64)
    np.log(L, out=L)
    L -= L.max(axis=1, keepdims=True)
    return L


MIN_FACTOR = 0.2
"""The factor at least: a smaller one is noise of few rows."""


def regression_factor(
    total: Array, squares: Array, counts: Counts, mse: NDArray[np.float64], members: int
) -> NDArray[np.float64]:
    """The factor of the mean squared error of each target (targets,).

    `total` and `squares` (rows, targets) are sums of the members' predictions and of their squares, `mse` (targets,) is
    that of the out-of-fold predictions. 1 where no row was held out by two members.
    """
    several = counts >= 2
    if not several.any():
        return np.ones(len(mse))
    c = counts[several][:, None]
    variance = np.maximum(squares[several] - total[several] ** 2 / c, 0.0) / (c - 1)
    pair_gain = variance.mean(axis=0) * _mean_gain(counts)
    with np.errstate(over="ignore"):
        ratio = 1.0 - np.divide(pair_gain, mse, out=np.zeros_like(mse), where=mse > 0)
    return np.asarray(np.maximum(np.maximum(ratio, MIN_FACTOR) ** _exponent(counts, members), MIN_FACTOR))


def classification_factor(total: Array, logarithms: Array, counts: Counts, members: int) -> float:
    """The factor of the log loss; `total` and `logarithms` (rows, classes) sum the probabilities and their logarithms.

    1 where no row was held out by two members.
    """
    several = counts >= 2
    if not several.any():
        return 1.0
    c = counts[several][:, None]
    m = total[several] / c
    of_mean = -(m * np.log(np.maximum(m, MIN_PROBABILITY))).sum()
    of_one = -(m * logarithms[several] / c).sum()
    ratio = of_mean / of_one if of_one > 0 else 1.0
    return float(max(min(ratio, 1.0) ** _exponent(counts, members), MIN_FACTOR))


def _mean_gain(counts: Counts) -> float:
    """The mean of 1 - 1/c over the rows that several members held out."""
    return float(np.mean(1.0 - 1.0 / counts[counts >= 2]))


def _exponent(counts: Counts, members: int) -> float:
    """The gain from the out-of-fold means to the mean of all members, in gains of the rows of several members."""
    return max(float(np.mean(1.0 / counts)) - 1.0 / members, 0.0) / _mean_gain(counts)
