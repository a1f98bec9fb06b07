"""Regression metrics: pure functions of (y, prediction, weight) in float64, and their entries in the registry.

`y` and `prediction` are (rows,) and `weight` is (rows,) of row weights or None for ones.

The caller makes sure that there is at least one row, that all numbers are finite, and that the weights are not negative
and not all 0. A row of weight 0 counts as absent, one of weight 2 as two rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.base.median import weighted_median
from nncli.nn.arrays import Array, Floats
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.metric import Metric, MetricFunction, ScoreValues


@dataclass(frozen=True)
class RegressionScores(ScoreValues):
    """All scores of one predicted column, in its own units, their square, or none.

    `pinball` is among them only if a quantile was predicted.
    """

    target: str

    @property
    def title(self) -> str:
        """The name of the target."""
        return self.target


def regression_scores(
    target: str,
    y: Array,
    prediction: Array,
    sample_weight: Array | None = None,
    metrics: tuple[Metric[RegressionResamples], ...] | None = None,
) -> RegressionScores:
    """The scores of `prediction` for the column `target`, by default every one of `REGRESSION_METRICS`."""
    metrics = REGRESSION_METRICS if metrics is None else metrics
    return RegressionScores(tuple((m.name, m.function(y, prediction, sample_weight)) for m in metrics), target)


def rmse(y: Array, prediction: Array, sample_weight: Array | None = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.average(np.square(_error(y, prediction)), weights=sample_weight)))


def mae(y: Array, prediction: Array, sample_weight: Array | None = None) -> float:
    """Mean absolute error."""
    return float(np.average(np.abs(_error(y, prediction)), weights=sample_weight))


def median_absolute_error(y: Array, prediction: Array, sample_weight: Array | None = None) -> float:
    """Median of the absolute errors."""
    return weighted_median(np.abs(_error(y, prediction)), sample_weight)


def r2(y: Array, prediction: Array, sample_weight: Array | None = None) -> float | None:
    """Coefficient of determination: 1 - squared error / squared distance of `y` from its mean.

    1 is perfect and 0 is no better than predicting the mean. None if all of `y` is one value.
    """
    y = y.astype(np.float64)
    if _is_constant(y if sample_weight is None else y[sample_weight > 0]):
        return None
    residual = np.average(np.square(_error(y, prediction)), weights=sample_weight)
    variance = np.average(np.square(y - np.average(y, weights=sample_weight)), weights=sample_weight)
    # a variance that underflows to 0 leaves the score undefined as well
    return float(1 - residual / variance) if variance > 0 else None


def mape(y: Array, prediction: Array, sample_weight: Array | None = None) -> float | None:
    """Mean of |error / y| as a fraction (0.1 is ten per cent).

    None if any `y` is 0: the ratio is undefined there, and leaving the row out would flatter.
    """
    counted = np.ones(len(y), dtype=np.bool_) if sample_weight is None else sample_weight > 0
    size = np.abs(y[counted].astype(np.float64))
    if not size.all():
        return None
    error = np.abs(_error(y[counted], prediction[counted]))
    return float(np.average(error / size, weights=None if sample_weight is None else sample_weight[counted]))


def pinball(y: Array, prediction: Array, sample_weight: Array | None = None, *, quantile: float) -> float:
    """Mean of max(quantile * e, (quantile - 1) * e) with e = y - prediction; `quantile` in (0, 1).

    Minimal if `prediction` is that quantile of `y` given the inputs. Source: Koenker and Bassett (1978).
    """
    e = -_error(y, prediction)
    return float(np.average(np.maximum(quantile * e, (quantile - 1) * e), weights=sample_weight))


@dataclass(frozen=True)
class RegressionResamples:
    """Predictions with the weights W (resamples, rows) of each resample, and the sums that several metrics need."""

    y: NDArray[np.float64]
    prediction: Array
    W: Samples

    @cached_property
    def e(self) -> NDArray[np.float64]:
        return np.asarray(self.y - self.prediction)

    @cached_property
    def size(self) -> NDArray[np.float64]:
        return np.asarray(np.abs(self.e))

    @cached_property
    def total(self) -> Samples:
        return np.asarray(self.W.sum(axis=1))

    @cached_property
    def squares(self) -> Samples:
        return np.asarray(self.W @ np.square(self.e))


def _bootstrap_median_absolute_error(r: RegressionResamples) -> Samples:
    n, order = len(r.y), np.argsort(r.size)
    below = np.cumsum(r.W[:, order], axis=1)
    half = below[:, -1:] / 2
    slack = below[:, -1:] * n * np.finfo(np.float64).eps
    lower = (below < half - slack).sum(axis=1).clip(max=n - 1)
    upper = (below <= half + slack).sum(axis=1).clip(max=n - 1)
    return np.asarray((r.size[order[lower]] + r.size[order[upper]]) / 2)


def _bootstrap_r2(r: RegressionResamples) -> Samples:
    centered = r.y - r.y.mean()
    second_moment = r.W @ np.square(centered)
    variance = second_moment - np.square(r.W @ centered) / r.total
    varies = variance > np.finfo(np.float64).eps * second_moment
    return np.where(varies, 1 - r.squares / np.where(varies, variance, 1), np.nan)


def _bootstrap_mape(r: RegressionResamples) -> Samples:
    return np.asarray(r.W @ np.abs(r.e / np.where(r.y == 0, np.nan, r.y)) / r.total)


def _bootstrap_pinball(r: RegressionResamples, quantile: float) -> Samples:
    return np.asarray(r.W @ np.maximum(quantile * r.e, (quantile - 1) * r.e) / r.total)


def _entry(function: MetricFunction, title: str, description: str, **options: Any) -> Metric[RegressionResamples]:
    """A metric of the registry, which has the name of its function."""
    return Metric(function.__name__, "regression", function, description, title, **options)


REGRESSION_METRICS: tuple[Metric[RegressionResamples], ...] = (
    _entry(
        rmse,
        "RMSE",
        "root mean squared error, in the target's units; lower is better",
        bootstrap=lambda r: np.sqrt(r.squares / r.total),
    ),
    _entry(
        mae,
        "MAE",
        "mean absolute error, in the target's units; lower is better",
        bootstrap=lambda r: r.W @ r.size / r.total,
    ),
    _entry(
        median_absolute_error,
        "median absolute error",
        "median absolute error, in the target's units; lower is better",
        bootstrap=_bootstrap_median_absolute_error,
    ),
    _entry(
        r2,
        "R²",
        "share of the variance that is explained; 1 is perfect, 0 is the mean",
        higher_is_better=True,
        bootstrap=_bootstrap_r2,
    ),
    _entry(
        mape, "MAPE", "mean absolute error as a fraction of the true value; lower is better", bootstrap=_bootstrap_mape
    ),
)
"""The metrics of every regression, in the order in which they are shown. A new metric is a new entry here."""


def pinball_metric(quantile: float) -> Metric[RegressionResamples]:
    """The pinball loss of that quantile; `metric:` cannot name it, since where there is a quantile it is the loss."""
    return Metric(
        "pinball",
        "regression",
        partial(pinball, quantile=quantile),
        "pinball loss of the predicted quantile; lower is better",
        "pinball loss",
        is_selectable=False,
        bootstrap=partial(_bootstrap_pinball, quantile=quantile),
    )


def regression_metrics(quantile: float | None) -> tuple[Metric[RegressionResamples], ...]:
    """The metrics of a regression, with the pinball loss if a quantile is predicted."""
    return REGRESSION_METRICS if quantile is None else (*REGRESSION_METRICS, pinball_metric(quantile))


def _error(y: Array, prediction: Array) -> NDArray[np.float64]:
    return np.subtract(prediction, y, dtype=np.float64)


def _is_constant(y: Array) -> bool:
    # a variance of 0 is no test for it: the mean of equal numbers may be off by a rounding
    return bool(y.min() == y.max())


def pinball_losses(y: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """The pinball loss of each row (rows,), averaged over the levels. Source: Koenker and Bassett (1978)."""
    e, q = y[:, None] - quantiles, np.array(levels)
    return np.asarray(np.maximum(q * e, (q - 1.0) * e).mean(axis=1))


def mean_pinball_metric(levels: Sequence[float], quantiles: Floats | None) -> Metric[RegressionResamples]:
    """The mean pinball loss of the `quantiles` of the scored rows, which a metric is not given; undefined for None."""
    return Metric(
        "pinball",
        "regression",
        partial(_mean_pinball, quantiles=quantiles, levels=levels),
        "mean pinball loss of the predicted quantiles; lower is better",
        "pinball loss",
        is_selectable=False,
        bootstrap=partial(_bootstrap_mean_pinball, quantiles=quantiles, levels=levels),
    )


def _mean_pinball(
    y: Floats, prediction: Floats, weight: Floats | None = None, *, quantiles: Floats | None, levels: Sequence[float]
) -> float | None:
    return None if quantiles is None else float(np.average(pinball_losses(y, quantiles, levels), weights=weight))


def _bootstrap_mean_pinball(r: RegressionResamples, quantiles: Floats | None, levels: Sequence[float]) -> Samples:
    if quantiles is None:
        return np.full(len(r.W), np.nan)
    return np.asarray(r.W @ pinball_losses(r.y, quantiles, levels) / r.total)


def crps_metric(losses: Floats | None) -> Metric[RegressionResamples]:
    """The mean CRPS, from that of the scored rows (rows,), which a metric is not given; undefined for None."""

    def mean(y: Floats, prediction: Floats, weight: Floats | None = None) -> float | None:
        return None if losses is None else float(np.average(losses, weights=weight))

    def bootstrap(r: RegressionResamples) -> Samples:
        return np.full(len(r.W), np.nan) if losses is None else np.asarray(r.W @ losses / r.total)

    description = "continuous ranked probability score of the predicted distributions; lower is better"
    return Metric("crps", "regression", mean, description, "CRPS", is_selectable=False, bootstrap=bootstrap)
