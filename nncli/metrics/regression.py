"""How far predicted numbers are from the true ones: pure functions of (y, prediction, weight), in float64.

Everywhere `y` and `prediction` are (rows,) and `weight` is (rows,) of row weights or None for ones.

The caller sees to it that there is at least one row, that all numbers are finite, and that the weights are
not negative and do not all vanish. A row of weight 0 is as good as absent, one of weight 2 as good as two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.utils.median import median

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RegressionScores:
    """All scores of one predicted column, in its own units, their square, or none; None where undefined.

    `pinball` is there only when a quantile was predicted.
    """

    target: str
    rmse: float
    mae: float
    median_absolute_error: float
    r2: float | None
    mape: float | None
    pinball: float | None

    def scalars(self) -> tuple[tuple[str, float | None], ...]:
        """The single numbers, each with its name, in the order to show them; None is an undefined score."""
        scores = (
            ("rmse", self.rmse),
            ("mae", self.mae),
            ("median_absolute_error", self.median_absolute_error),
            ("r2", self.r2),
            ("mape", self.mape),
        )
        return scores if self.pinball is None else (*scores, ("pinball", self.pinball))


def regression_scores(
    target: str,
    y: Floats,
    prediction: Floats,
    sample_weight: Floats | None = None,
    quantile: float | None = None,
) -> RegressionScores:
    """Every score of `prediction` for the column `target`; `quantile` in (0, 1) adds the pinball loss."""
    return RegressionScores(
        target=target,
        rmse=rmse(y, prediction, sample_weight),
        mae=mae(y, prediction, sample_weight),
        median_absolute_error=median_absolute_error(y, prediction, sample_weight),
        r2=r2(y, prediction, sample_weight),
        mape=mape(y, prediction, sample_weight),
        pinball=None if quantile is None else pinball(y, prediction, sample_weight, quantile=quantile),
    )


def rmse(y: Floats, prediction: Floats, sample_weight: Floats | None = None) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.average(np.square(_error(y, prediction)), weights=sample_weight)))


def mae(y: Floats, prediction: Floats, sample_weight: Floats | None = None) -> float:
    """Mean absolute error."""
    return float(np.average(np.abs(_error(y, prediction)), weights=sample_weight))


def median_absolute_error(y: Floats, prediction: Floats, sample_weight: Floats | None = None) -> float:
    """Median of the absolute errors.

    With weights, the point which has half of the weight on either side; when a whole stretch between two
    errors does so, its middle, as the plain median of an even count is the middle of the two in between.
    """
    error = np.abs(_error(y, prediction))
    if sample_weight is None:
        return median(error)
    error, w = error[sample_weight > 0], sample_weight[sample_weight > 0].astype(np.float64)
    order = np.argsort(error)
    below = np.cumsum(w[order])
    # sums of weights such as 0.1 are rounded: half must still be met when it is missed by that much
    half, slack = below[-1] / 2, below[-1] * len(w) * np.finfo(np.float64).eps
    lower = np.searchsorted(below, half - slack, side="left")
    upper = np.searchsorted(below, half + slack, side="right")
    return float((error[order[lower]] + error[order[min(upper, len(w) - 1)]]) / 2)


def r2(y: Floats, prediction: Floats, sample_weight: Floats | None = None) -> float | None:
    """Coefficient of determination: 1 - squared error / squared distance of `y` from its mean.

    1 is perfect and 0 is no better than always saying the mean. None when all of `y` is one value.
    """
    y = y.astype(np.float64)
    if _is_constant(y if sample_weight is None else y[sample_weight > 0]):
        return None
    residual = np.average(np.square(_error(y, prediction)), weights=sample_weight)
    spread = np.average(np.square(y - np.average(y, weights=sample_weight)), weights=sample_weight)
    # a spread too small to square is as undefined as none
    return float(1 - residual / spread) if spread > 0 else None


def mape(y: Floats, prediction: Floats, sample_weight: Floats | None = None) -> float | None:
    """Mean of |error / y| as a fraction (0.1 is ten per cent).

    None when any `y` is 0: the error is then no fraction of it, and leaving the row out would flatter.
    """
    counted = np.ones(len(y), dtype=np.bool_) if sample_weight is None else sample_weight > 0
    size = np.abs(y[counted].astype(np.float64))
    if not size.all():
        return None
    error = np.abs(_error(y[counted], prediction[counted]))
    return float(np.average(error / size, weights=None if sample_weight is None else sample_weight[counted]))


def pinball(y: Floats, prediction: Floats, sample_weight: Floats | None = None, *, quantile: float) -> float:
    """Mean of max(quantile * e, (quantile - 1) * e) with e = y - prediction; `quantile` in (0, 1).

    Least when `prediction` is that quantile of `y` given the inputs. Source: Koenker and Bassett (1978).
    """
    e = -_error(y, prediction)
    return float(np.average(np.maximum(quantile * e, (quantile - 1) * e), weights=sample_weight))


def _error(y: Floats, prediction: Floats) -> NDArray[np.float64]:
    return np.subtract(prediction, y, dtype=np.float64)


def _is_constant(y: Floats) -> bool:
    # asking for a variance of 0 would not do: the mean of equal numbers may be off by a rounding
    return bool(y.min() == y.max())
