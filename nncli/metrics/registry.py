"""The metrics by name, for tables, JSON files and the training loop.

What each one means stands beside it in nncli/metrics/classification.py and nncli/metrics/regression.py;
the names below are those functions' and those of the fields of the scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from nncli.errors import UsageError
from nncli.metrics import classification, regression
from nncli.metrics.calibration import calibrated_log_loss
from nncli.metrics.classification import ClassificationScores, ClassScore, classification_scores
from nncli.metrics.regression import RegressionScores, regression_scores
from nncli.text import closest_match, join_quoted, quote

__all__ = [
    "CLASSIFICATION_METRICS",
    "HIGHER_IS_BETTER",
    "REGRESSION_METRICS",
    "ClassScore",
    "ClassificationScores",
    "Metric",
    "RegressionScores",
    "classification_metric",
    "classification_scores",
    "regression_metric",
    "regression_scores",
]

Metric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float]
"""(y, P, weight) or (y, prediction, weight) -> one number, NaN where it is undefined."""

MaybeMetric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float | None]

_CLASSIFICATION: Mapping[str, MaybeMetric] = MappingProxyType(
    {
        "accuracy": classification.accuracy,
        "balanced_accuracy": classification.balanced_accuracy,
        "macro_f1": classification.macro_f1,
        "roc_auc": classification.roc_auc,
        "log_loss": classification.log_loss,
        "brier": classification.brier,
        "calibration_error": classification.calibration_error,
        "calibrated_log_loss": calibrated_log_loss,
    }
)

# pinball is not here: it needs a quantile, and where there is one it is the loss itself
_REGRESSION: Mapping[str, MaybeMetric] = MappingProxyType(
    {
        "rmse": regression.rmse,
        "mae": regression.mae,
        "median_absolute_error": regression.median_absolute_error,
        "r2": regression.r2,
        "mape": regression.mape,
    }
)

CLASSIFICATION_METRICS: tuple[str, ...] = tuple(_CLASSIFICATION)
REGRESSION_METRICS: tuple[str, ...] = tuple(_REGRESSION)

HIGHER_IS_BETTER: frozenset[str] = frozenset({"accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "r2"})
"""Of these more is better; of every other metric, and of the loss, less is."""


def classification_metric(name: str) -> Metric:
    """The metric of that name as a function of (y, P, weight), NaN where it is undefined.

    Raises:
        UsageError: there is no such metric for classes.
    """
    return _named(name, _CLASSIFICATION, "classification")


def regression_metric(name: str) -> Metric:
    """The metric of that name as a function of (y, prediction, weight), NaN where it is undefined.

    Raises:
        UsageError: there is no such metric for numbers.
    """
    return _named(name, _REGRESSION, "regression")


def _named(name: str, known: Mapping[str, MaybeMetric], task: str) -> Metric:
    if name not in known:
        guess = closest_match(name, known)
        raise UsageError(
            f"there is no metric {quote(name)} for {task}",
            hint=f"Did you mean {quote(guess)}?" if guess else f"Choose from {join_quoted(known)}.",
        )
    metric = known[name]

    def number(y: NDArray[Any], prediction: NDArray[Any], weight: NDArray[Any] | None) -> float:
        value = metric(y, prediction, weight)
        return math.nan if value is None else value

    return number
