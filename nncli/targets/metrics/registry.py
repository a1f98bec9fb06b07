"""All metrics by name, for configurations, tables, JSON files and the training loop."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nncli.base import plugins
from nncli.base.errors import UsageError
from nncli.base.spec import Task
from nncli.base.text import closest_match, join_quoted, quote
from nncli.targets.metrics.amounts import deviance_metric, gini_metric
from nncli.targets.metrics.classification import CLASSIFICATION_METRICS, POSITIVE_CLASS_METRICS, cost_metric
from nncli.targets.metrics.labels import CALIBRATED_LABEL_LOG_LOSS, LABEL_METRICS
from nncli.targets.metrics.metric import Metric as Metric
from nncli.targets.metrics.metric import plugin_metrics
from nncli.targets.metrics.ordinal import ORDINAL_METRICS
from nncli.targets.metrics.regression import REGRESSION_METRICS, crps_metric, pinball_metric
from nncli.targets.metrics.survival import SURVIVAL_METRICS
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS

BoundMetric = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float]
"""(y, predictions, weight) -> one number, NaN where it is undefined."""

COST: Metric[Any] = cost_metric(np.zeros((2, 2)))
"""The mean cost of a row, whatever the costs are."""

RELATIVE_LOSS: Metric[Any] = Metric(
    name="relative_loss",
    task="several",
    function=lambda y, values, weight: None,  # the targets say what is computed of which columns
    description="Mean over several targets of the squared error or the log loss, divided by that of the best constant.",
    title="relative loss",
)
"""The score of several targets together."""

_ALL: tuple[Metric[Any], ...] = (
    COST,
    *CLASSIFICATION_METRICS,
    CALIBRATED_LOG_LOSS,
    *ORDINAL_METRICS,
    *REGRESSION_METRICS,
    pinball_metric(0.5),
    crps_metric(None),
    *map(deviance_metric, (1.0, 2.0, 1.5)),
    gini_metric(None),
    *LABEL_METRICS,
    CALIBRATED_LABEL_LOG_LOSS,
    *SURVIVAL_METRICS,
    RELATIVE_LOSS,
)

PINBALL, CRPS = "pinball", "crps"
"""The metrics of losses of quantiles and of distributions."""
BUILT_IN = {metric.name: metric for metric in reversed(_ALL)}
"""The metrics that are built in; of names that classes and labels have in common, such as log_loss, that of classes."""
Metric.built_in = frozenset(BUILT_IN)
METRICS: Mapping[str, Metric[Any]] = ChainMap(BUILT_IN, plugins.loaded("metrics"))
"""Every metric by its name, with those of plugins that are loaded."""


OF_POSITIVE_CLASS = frozenset(metric.name for metric in POSITIVE_CLASS_METRICS)
"""The metrics of the second of two classes."""


def metric_names(*tasks: Task) -> tuple[str, ...]:
    """The metrics that a configuration for these tasks may name."""
    every = (*_ALL, *plugin_metrics(*tasks))
    return tuple(metric.name for metric in every if metric.task in tasks and metric.is_selectable)


def metric_function(name: str, *tasks: Task) -> BoundMetric:
    """The metric of that name as a function of (y, predictions, weight), NaN where it is undefined.

    Raises:
        UsageError: there is no such metric for these tasks.
    """
    names = metric_names(*tasks)
    if name not in names and (of_plugin := plugins.find("metrics", name)) is not None:
        if of_plugin.task not in tasks:
            raise UsageError(f"the metric {quote(name)} is for {of_plugin.task}, not for {tasks[-1]}")
        names = (*names, name)
    if name not in names:
        names = tuple(dict.fromkeys((*names, *plugins.names("metrics"))))
        guess = closest_match(name, names)
        raise UsageError(
            f"there is no metric {quote(name)} for {tasks[-1]}",
            hint=f"Did you mean {quote(guess)}?" if guess else f"Choose from {join_quoted(names)}.",
        )
    every = (*_ALL, *plugin_metrics(*tasks))
    function = next(metric for metric in every if metric.name == name and metric.task in tasks).function

    def bound(y: NDArray[Any], predictions: NDArray[Any], weight: NDArray[Any] | None) -> float:
        value = function(y, predictions, weight)
        return math.nan if value is None else value

    return bound


def metric_of(name: str, task: Task) -> Metric[Any]:
    """The metric of that name for a task; metrics of classes and of labels may have the same name."""
    return next((metric for metric in _ALL if (metric.name, metric.task) == (name, task)), METRICS[name])


def metric_title(name: str) -> str:
    """A metric or a loss as people write it within a sentence, such as `log loss` and `RMSE`."""
    return METRICS[name].title if name in METRICS else name.replace("_", " ")


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


def with_class(name: str, labels: Sequence[str]) -> str:
    """The name of a metric, with the class that it is of if that is one of two `labels`."""
    return f"{name} of {labels[1]}" if len(labels) == 2 and name in OF_POSITIVE_CLASS else name
