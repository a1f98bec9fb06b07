"""Metrics of counts and amounts, whose predictions are means above 0: deviances, and how well rows are ordered.

y, predictions and weights are as in regression.py. `exposure` (rows,) is what the metrics of rates are relative to.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from nncli.nn.arrays import Floats
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.metric import Metric
from nncli.targets.metrics.regression import RegressionResamples

GINI = "gini"
ROUNDING = 1e-9
DEVIANCE_NAMES = {1.0: "poisson_deviance", 2.0: "gamma_deviance"}
TWEEDIE_DEVIANCE = "tweedie_deviance"


def deviance_name(power: float) -> str:
    """The name of the deviance of a power of the variance."""
    return DEVIANCE_NAMES.get(power, TWEEDIE_DEVIANCE)


def deviances(y: Floats, m: Floats, power: float) -> Floats:
    """The unit deviance of each row (rows,) for means m: twice the log-likelihood that is lacking to that of m = y.

    NaN where it is undefined. Jørgensen, "The theory of dispersion models", 1997.
    """
    with np.errstate(all="ignore"):
        if power == 1.0:
            d = np.where(y > 0.0, y * np.log(y / m), 0.0) - y + m
        elif power == 2.0:
            d = np.log(m / y) + y / m - 1.0
        else:
            a, b = 1.0 - power, 2.0 - power
            d = y**b / (a * b) - y * m**a / a + m**b / b
        is_defined = (m > 0.0) & (y >= 0.0) & ((y > 0.0) | (power < 2.0))
        return np.where(is_defined, 2.0 * np.maximum(d, 0.0), np.nan)


def mean_deviance(y: Floats, prediction: Floats, sample_weight: Floats | None = None, *, power: float) -> float | None:
    """The mean unit deviance; None where a row has none."""
    d = deviances(y.astype(np.float64), prediction.astype(np.float64), power)
    if sample_weight is not None:
        d, sample_weight = d[sample_weight > 0.0], sample_weight[sample_weight > 0.0]
    return None if np.isnan(d).any() else float(np.average(d, weights=sample_weight))


def lorenz_curve(
    y: Floats, score: Floats, weight: Floats | None = None, exposure: Floats | None = None
) -> tuple[Floats, Floats]:
    """The shares of the exposure and of y (points,), from 0 to 1, of the rows with the lowest scores.

    Rows of the same score, but for rounding, are one step. A weight of 2 counts as two rows.
    """
    w = np.ones(len(y)) if weight is None else weight
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    last = np.append(np.diff(ordered) > ROUNDING * np.abs(ordered[1:]), True)
    shares = []
    for amounts in (w if exposure is None else w * exposure, w * y):
        total = np.concatenate([[0.0], np.cumsum(amounts[order])[last]])
        shares.append(total / total[-1])
    return shares[0], shares[1]


def gini(
    y: Floats, prediction: Floats, sample_weight: Floats | None = None, *, exposure: Floats | None = None
) -> float | None:
    """How well predictions order the rows: the area between the Lorenz curve and the diagonal, over that of y itself.

    1 for the order of y (of y / exposure), 0 for a random order, and for equal predictions. None if all y are equal.
    Frees, Meyers and Cummings, "Summarizing insurance scores using a Gini index", 2011.
    """
    e = np.ones(len(y)) if exposure is None else exposure
    areas = []
    for score in (prediction / e, y / e):
        if not (y if sample_weight is None else y * sample_weight).sum() > 0.0:
            return None
        x, share = lorenz_curve(y, score, sample_weight, exposure)
        areas.append(1.0 - float(np.sum(np.diff(x) * (share[1:] + share[:-1]))))
    return areas[0] / areas[1] if areas[1] > 1e-12 else None


def _bootstrap_deviance(r: RegressionResamples, power: float) -> Samples:
    return np.asarray((r.W @ deviances(r.y, r.prediction.astype(np.float64), power)) / r.total)


def deviance_metric(power: float) -> Metric[RegressionResamples]:
    """The mean deviance of a power; `metric:` can name those that have no parameter."""
    name = deviance_name(power)
    title = name.replace("_", " ").capitalize()
    variance = {
        1.0: "whose variance is proportional to the mean, also for negative_binomial and zero_inflated_poisson",
        2.0: "whose standard deviation is proportional to the mean, also for log_normal",
    }.get(power, "whose variance is proportional to the mean to the power of the loss, which nncli show prints")
    return Metric(
        name,
        "regression",
        partial(mean_deviance, power=power),
        f"mean {title} of counts or amounts, {variance}; lower is better",
        title,
        is_selectable=name != TWEEDIE_DEVIANCE,
        is_squared=True,
        bootstrap=partial(_bootstrap_deviance, power=power),
    )


def gini_metric(exposure: Floats | None) -> Metric[RegressionResamples]:
    """The Gini index of rows with an exposure, which a metric is not given; None for 1."""
    return Metric(
        GINI,
        "regression",
        partial(gini, exposure=exposure),
        "Gini index: how well predictions order the rows; 1 is perfect, 0 is random",
        "Gini index",
        higher_is_better=True,
        is_selectable=False,
    )


def amount_metrics(power: float, exposure: Floats | None) -> tuple[Metric[RegressionResamples], ...]:
    """The metrics of counts and amounts besides those of all numbers."""
    return (deviance_metric(power), gini_metric(exposure))
