"""Scores of predictions, in the target's own units, and of the baseline: the mean or the class shares."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.encoders.target import Target
from nncli.errors import UsageError
from nncli.metrics.classification import POSITIVE_CLASS_METRICS, ClassificationScores, classification_scores
from nncli.metrics.registry import BoundMetric, metric_function
from nncli.metrics.regression import RegressionScores, regression_scores
from nncli.model import Predictions
from nncli.nn.losses import Loss
from nncli.text import json_safe, quote

Scores: TypeAlias = ClassificationScores | tuple[RegressionScores, ...]
"""Scores of a classification target, or of each regression target."""

Truth: TypeAlias = npt.NDArray[Any]
"""True targets: class codes (rows,), or numbers (rows, targets) in their own units."""


def score(predictions: Predictions, y: Truth, weights: npt.NDArray[np.float64] | None, loss: Loss) -> Scores:
    """Compute every metric of the task. `weights` (rows,) are sample weights, or None."""
    target = predictions.target
    if target.task == "classification":
        return classification_scores(y, predictions.values, target.labels, weights)
    with np.errstate(over="ignore", invalid="ignore"):  # errors beyond measure sum up to infinity
        return tuple(
            regression_scores(name, y[:, j], predictions.values[:, j], weights, loss.quantile)
            for j, name in enumerate(target.names)
        )


def baseline_predictions(
    target: Target, training: Truth, weights: npt.NDArray[np.float64] | None, rows: int
) -> Predictions:
    """Predictions of the baseline for `rows` rows: the class shares, or the mean, of the training rows."""
    if target.task == "classification":
        counts = np.bincount(training, weights, minlength=len(target.labels)).astype(np.float64)
        values = counts / counts.sum()
    else:
        values = np.average(training, axis=0, weights=weights)
    return Predictions(target, np.broadcast_to(values, (rows, len(values))))


def single_metric(target: Target, name: str) -> BoundMetric:
    """A metric as a function of (y, values, weights); the mean over several targets. NaN when undefined.

    Raises:
        UsageError: there is no such metric for the target.
    """
    metric = metric_function(name, target.task)
    if target.task == "classification":
        if name in {metric.name for metric in POSITIVE_CLASS_METRICS} and len(target.labels) != 2:
            message = f"{name} needs two classes, and {quote(target.name)} has {len(target.labels):,}"
            raise UsageError(message, hint="Use macro_f1 or balanced_accuracy.")
        return metric

    def mean(y: Truth, values: Truth, weights: npt.NDArray[np.float64] | None) -> float:
        return float(np.mean([metric(y[:, j], values[:, j], weights) for j in range(y.shape[1])]))

    return mean


def headlines(scores: Scores) -> list[tuple[str, float | None]]:
    """The metrics that are a single number, by name; `name_TARGET` for several targets."""
    if isinstance(scores, ClassificationScores):
        return list(scores.values)
    if len(scores) == 1:
        return list(scores[0].values)
    return [(f"{name}_{part.target}", value) for part in scores for name, value in part.values]


def to_json(scores: Scores) -> dict[str, Any]:
    """The metrics as a JSON object; for several targets, an object for each by its name. Infinity becomes null."""
    if isinstance(scores, ClassificationScores):
        return {**dict(scores.values), **_classes_json(scores)}
    each = {part.target: {name: json_safe(value) for name, value in part.values} for part in scores}
    return each[scores[0].target] if len(scores) == 1 else {"targets": each}


def _classes_json(scores: ClassificationScores) -> dict[str, Any]:
    """The labels, the confusion matrix (of many classes the most frequent confusions), and the scores of each class."""
    document: dict[str, Any] = {"labels": scores.labels, "confusion_matrix": scores.confusion_matrix}
    if scores.confusion_matrix is None:
        document["confusions"] = [
            {"actual": scores.labels[pair.actual], "predicted": scores.labels[pair.predicted], "rows": pair.rows}
            for pair in scores.confusions
        ]
    return {**document, "per_class": [asdict(one) for one in scores.per_class]}


@dataclass(frozen=True)
class ScoreCard:
    """Scores of the model and of the baseline on the same rows."""

    rows: int
    model: Scores
    baseline: Scores


def score_card(
    predictions: Predictions, baseline: Predictions, y: Truth, weights: npt.NDArray[np.float64] | None, loss: Loss
) -> ScoreCard:
    """Score the predictions of a model and of the baseline."""
    return ScoreCard(
        rows=len(y), model=score(predictions, y, weights, loss), baseline=score(baseline, y, weights, loss)
    )


def scores_json(scores: ScoreCard | None) -> dict[str, object] | None:
    """The scores as a section of metrics.json."""
    if scores is None:
        return None
    return {"rows": scores.rows, "metrics": to_json(scores.model), "baseline": to_json(scores.baseline)}
