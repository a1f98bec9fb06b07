"""The metric: one typed entry that tables, metrics.json, YAML and reports draw from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from nncli.base import plugins
from nncli.base.spec import Task
from nncli.base.text import json_safe
from nncli.targets.metrics.bootstrap import Samples

MetricFunction = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None], float | None]
"""(y, predictions, weight) -> one number, or None where it is undefined."""

R = TypeVar("R")


@dataclass(frozen=True)
class Metric(plugins.NamedPart, Generic[R]):
    """A metric with its name, its function, and how it is shown.

    `title` is how people write it within a sentence.
    `is_selectable`: `metric:` in the configuration may name it. `has_baseline`: a comparison with the baseline, and a
    bootstrap interval, mean something.
    `is_squared`: an error on the scale of a squared one, such as a likelihood, not in the units of the target.
    `of_classes`: the metric is of the predicted classes alone; its predictions are scores (rows, classes) of which the
    largest is that of the predicted class.
    `bootstrap` computes the metric for many resamples at once, from the sums that metrics share; without one the
    function is called for each resample.
    """

    plugin_kind: ClassVar[str] = "metrics"

    name: str
    task: Task
    function: MetricFunction
    description: str
    title: str
    higher_is_better: bool = False
    is_selectable: bool = True
    has_baseline: bool = True
    is_squared: bool = False
    of_classes: bool = False
    bootstrap: Callable[[R], Samples] | None = None

    @property
    def is_rate(self) -> bool:
        """Whether the metric is between 0 and 1, and 1 is perfect."""
        return self.higher_is_better and self.name not in ("r2", "gini", "quadratic_kappa", *plugins.loaded("metrics"))


def plugin_metrics(*tasks: Task) -> tuple[Metric[Any], ...]:
    """The metrics of plugins that are loaded and for one of these tasks: tables show them after all others."""
    return tuple(metric for metric in plugins.loaded("metrics").values() if metric.task in tasks)


@dataclass(frozen=True)
class ScoreValues:
    """Scores by name, in the order in which they are shown; None where a score is undefined."""

    decisive: ClassVar[tuple[str, ...]] = (
        *("rmse", "mae", "pinball", "crps"),
        *("poisson_deviance", "gamma_deviance", "tweedie_deviance"),
    )
    """Scores of which one must be better than that of the baseline."""
    baseline: ClassVar[str] = ""
    """What the baseline predicts, in messages; empty for the mean of a number."""

    values: tuple[tuple[str, float | None], ...]

    def __getitem__(self, name: str) -> float:
        """The score of that name, NaN where it is undefined."""
        value = dict(self.values)[name]
        return np.nan if value is None else value

    @property
    def title(self) -> str | None:
        """The name of the number whose scores these are; None for classes."""
        return None

    def json(self) -> dict[str, Any]:
        """The scores as a JSON object. Infinity becomes null."""
        return {name: json_safe(value) for name, value in self.values}


def resampled_scores(
    metrics: tuple[Metric[R], ...],
    resamples: R,
    y: NDArray[Any],
    predictions: NDArray[Any],
    W: Samples,
) -> Samples:
    """(resamples, metrics): each metric for every row of weights in `W` (resamples, rows), NaN where undefined.

    `resamples` holds y, predictions and W with the sums that the metrics' `bootstrap` functions share.
    """

    def one_by_one(function: MetricFunction) -> Samples:
        values = [function(y, predictions, w) if w.any() else None for w in W]
        return np.array([np.nan if value is None else value for value in values])

    return np.column_stack([one_by_one(m.function) if m.bootstrap is None else m.bootstrap(resamples) for m in metrics])
