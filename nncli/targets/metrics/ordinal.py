"""Metrics of ordered classes: pure functions of (y, P, weight), as those of classes, of which the codes are ranks."""

from __future__ import annotations

from typing import Any

import numpy as np

from nncli.nn.arrays import Array, Codes
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.metric import Metric


def rank_mae(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The mean absolute error in ranks: by how many classes a prediction is off."""
    return float(np.average(np.abs(P.argmax(axis=1) - y), weights=sample_weight))


def quadratic_kappa(y: Codes, P: Array, sample_weight: Array | None = None) -> float | None:
    """Cohen's kappa with weights that grow with the square of the distance in ranks; None if all ranks are equal.

    1 is perfect, and 0 is what predictions with the same shares have by chance. Cohen, "Weighted kappa", 1968.
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    kappa = float(_kappa(y, P.argmax(axis=1), w[None])[0])
    return None if np.isnan(kappa) else kappa


def _kappa(y: Codes, predicted: Codes, W: Samples) -> Samples:
    """Kappa (resamples,) for each row of weights: 1 - the mean squared distance by that of independent ranks."""
    a, b, total = y.astype(np.float64), predicted.astype(np.float64), W.sum(axis=1)
    a_mean, b_mean = W @ a / total, W @ b / total
    by_chance = W @ (a * a + b * b) / total - 2.0 * a_mean * b_mean
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(by_chance > 0.0, 1.0 - W @ np.square(a - b) / total / by_chance, np.nan))


def _entry(function: Any, title: str, description: str, **options: Any) -> Metric[ClassificationResamples]:
    return Metric(function.__name__, "ordinal", function, description, title, of_classes=True, **options)


ORDINAL_METRICS: tuple[Metric[ClassificationResamples], ...] = (
    _entry(
        rank_mae,
        "MAE in ranks",
        "mean absolute error in ranks, of ordered classes: by how many classes a prediction is off; lower is better",
        bootstrap=lambda r: r.W @ np.abs(r.predicted_class - r.y).astype(np.float64) / r.total,
    ),
    _entry(
        quadratic_kappa,
        "quadratic weighted kappa",
        "Cohen's kappa of ordered classes, weighted by the squared distance in ranks; 1 is perfect, 0 is chance",
        higher_is_better=True,
        bootstrap=lambda r: _kappa(r.y, r.predicted_class, r.W),
    ),
)
"""The metrics that ordered classes have besides those of classes, in the order in which they are shown."""
