"""All metrics by name, for configurations, tables, JSON files and the training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from nncli.base.errors import UsageError
from nncli.base.spec import Task
from nncli.base.text import closest_match, join_quoted, quote
from nncli.targets.metrics.calibration import CALIBRATED_LOG_LOSS
from nncli.targets.metrics.classification import CLASSIFICATION_METRICS
from nncli.targets.metrics.metric import Metric
from nncli.targets.metrics.regression import REGRESSION_METRICS, pinball_metric

BoundMetric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float]
"""(y, predictions, weight) -> one number, NaN where it is undefined."""

_ALL: tuple[Metric[Any], ...] = (*CLASSIFICATION_METRICS, CALIBRATED_LOG_LOSS, *REGRESSION_METRICS, pinball_metric(0.5))

METRICS: Mapping[str, Metric[Any]] = MappingProxyType({metric.name: metric for metric in _ALL})
"""Every metric by its name."""


def metric_names(task: Task) -> tuple[str, ...]:
    """The metrics that a configuration for this task may name."""
    return tuple(metric.name for metric in METRICS.values() if metric.task == task and metric.is_selectable)


def metric_function(name: str, task: Task) -> BoundMetric:
    """The metric of that name as a function of (y, predictions, weight), NaN where it is undefined.

    Raises:
        UsageError: there is no such metric for this task.
    """
    names = metric_names(task)
    if name not in names:
        guess = closest_match(name, names)
        raise UsageError(
            f"there is no metric {quote(name)} for {task}",
            hint=f"Did you mean {quote(guess)}?" if guess else f"Choose from {join_quoted(names)}.",
        )
    function = METRICS[name].function

    def bound(y: NDArray[Any], predictions: NDArray[Any], weight: NDArray[Any] | None) -> float:
        value = function(y, predictions, weight)
        return math.nan if value is None else value

    return bound


def higher_is_better(name: str) -> bool:
    """Whether a higher value of the metric is better; False for a loss, which is no metric."""
    return name in METRICS and METRICS[name].higher_is_better


def is_better(name: str, value: float, other: float | None) -> bool:
    """Whether a value of the metric is better than another one; NaN never is, and any number is better than None."""
    if other is None:
        return not math.isnan(value)
    return value > other if higher_is_better(name) else value < other


def has_baseline(name: str) -> bool:
    """Whether the baseline's value of the metric is shown beside the model's; see `Metric.has_baseline`."""
    return name not in METRICS or METRICS[name].has_baseline
