"""Scores of several predicted quantiles, and weighted quantiles of a sample.

`y` is (rows,), `quantiles` (rows, levels) and `weight` (rows,) of row weights or None for ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.metric import Metric
from nncli.targets.metrics.regression import RegressionResamples

Floats = NDArray[np.float64]


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


def weighted_quantiles(values: Floats, levels: Sequence[float], weight: Floats | None = None) -> Floats:
    """The quantiles (columns, levels) of each column of `values` (rows, columns), a weight of 2 counting as two rows.

    A quantile is the smallest value that at least its share of the weight does not exceed.
    """
    q = np.asarray(levels)
    return np.stack([np.quantile(column, q, weights=weight, method="inverted_cdf") for column in values.T])
