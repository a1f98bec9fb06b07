"""Scores of predictions with intervals, and those of the baseline: the mean or the class shares."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.errors import UsageError
from nncli.base.text import json_safe, quote
from nncli.models.predictions import Predictions
from nncli.nn.losses import Loss
from nncli.targets.decision import Decision, decide
from nncli.targets.metrics.bootstrap import BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.classification import (
    POSITIVE_CLASS_METRICS,
    ClassificationScores,
    classification_scores,
    one_hot,
    shown_metrics,
)
from nncli.targets.metrics.classification_resamples import ClassificationResamples
from nncli.targets.metrics.intervals import MEANS_OF_CLASSES, OF_POSITIVE_CLASS, difference_interval, score_interval
from nncli.targets.metrics.metric import Metric, resampled_scores
from nncli.targets.metrics.quantiles import mean_pinball_metric, weighted_quantiles
from nncli.targets.metrics.registry import METRICS, BoundMetric, has_baseline, higher_is_better, metric_function
from nncli.targets.metrics.regression import (
    REGRESSION_METRICS,
    RegressionResamples,
    RegressionScores,
    regression_metrics,
    regression_scores,
)
from nncli.targets.target import Target

Scores: TypeAlias = ClassificationScores | tuple[RegressionScores, ...]
"""Scores of a classification target, or of each regression target."""

Truth: TypeAlias = npt.NDArray[Any]
"""True targets: class codes (rows,), or numbers (rows, targets) in their own units."""


def score(predictions: Predictions, y: Truth, weights: npt.NDArray[np.float64] | None, loss: Loss) -> Scores:
    """Compute every metric of the task. `weights` (rows,) are sample weights, or None."""
    target = predictions.target
    if target.task == "classification":
        classes = None if predictions.decision is None else predictions.classes
        return classification_scores(y, predictions.values, target.labels, weights, classes)
    with np.errstate(over="ignore", invalid="ignore"):  # errors beyond measure sum up to infinity
        return tuple(
            regression_scores(
                name, y[:, j], predictions.values[:, j], weights, _regression_metrics(predictions, loss, j)
            )
            for j, name in enumerate(target.names)
        )


def _regression_metrics(predictions: Predictions, loss: Loss, j: int) -> tuple[Metric[RegressionResamples], ...]:
    """The metrics of target `j`, with the pinball loss if the loss predicts quantiles."""
    if not loss.quantile_levels:
        return regression_metrics(loss.quantile)
    quantiles = None if predictions.quantiles is None else predictions.quantiles[:, j]
    return (*REGRESSION_METRICS, mean_pinball_metric(loss.quantile_levels, quantiles))


def baseline_predictions(
    target: Target,
    training: Truth,
    weights: npt.NDArray[np.float64] | None,
    rows: int,
    levels: tuple[float, ...] = (),
) -> Predictions:
    """Predictions of the baseline for `rows` rows: the class shares, or the mean, of the training rows.

    With `levels`, its quantiles are those of the training rows.
    """
    if target.task == "classification":
        counts = np.bincount(training, weights, minlength=len(target.labels)).astype(np.float64)
        values = counts / counts.sum()
    else:
        values = np.average(training, axis=0, weights=weights)
    baseline = Predictions(target, np.broadcast_to(values, (rows, len(values))))
    if not levels:
        return baseline
    quantiles = weighted_quantiles(training, levels, weights)
    return replace(baseline, quantiles=np.broadcast_to(quantiles, (rows, *quantiles.shape)), levels=levels)


def single_metric(target: Target, name: str, decision: Decision | None = None) -> BoundMetric:
    """A metric as a function of (y, values, weights); the mean over several targets. NaN when undefined.

    A `decision` makes classes of the probabilities.

    Raises:
        UsageError: there is no such metric for the target.
    """
    metric = metric_function(name, target.task)
    if target.task == "classification":
        if name in {metric.name for metric in POSITIVE_CLASS_METRICS} and len(target.labels) != 2:
            message = f"{name} needs two classes, and {quote(target.name)} has {len(target.labels):,}"
            raise UsageError(message, hint="Use macro_f1 or balanced_accuracy.")
        if decision is None or not METRICS[name].of_classes:
            return metric
        labels = target.labels
        return lambda y, P, weights: metric(y, one_hot(decide(P, labels, decision), len(labels)), weights)

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
    return {**document, "per_class": [asdict(one) for one in scores.by_class]}


@dataclass(frozen=True)
class Averaging:
    """The expected gain from the out-of-fold predictions to the mean of all members; see targets/metrics/averaging.py.

    `factors` are those of the mean squared error of each target, or the one of the log loss, which is also used for
    error rates. `rows` were held out by several members.
    """

    factors: tuple[float, ...]
    rows: int

    def apply(self, scores: Scores) -> Scores:
        """The scores that are expected of the mean of all members."""
        if isinstance(scores, ClassificationScores):
            values = tuple((name, self.score(name, value)) for name, value in scores.values)
            return replace(scores, values=values)
        return tuple(
            replace(part, values=tuple((name, self.score(name, value, j)) for name, value in part.values))
            for j, part in enumerate(scores)
        )

    def score(self, name: str, value: float | None, target: int = 0) -> float | None:
        """The score of that name: its distance from a perfect score is multiplied by the factor.

        An error in the units of the target goes with the root of the squared error.
        """
        factor = self.factors[target]
        if value is None or not has_baseline(name):  # the calibration error has no baseline, and no such gain
            return value
        if higher_is_better(name):
            return 1.0 - (1.0 - value) * factor
        return value * (factor if name in ("log_loss", "brier") else factor**0.5)


@dataclass(frozen=True)
class ScoreWithInterval:
    """A score with its interval, the baseline's score, and the interval of the improvement over the baseline.

    The improvement is positive where the model is better. None stands for unknown; `target` is None if there is one
    target only. The calibration error has no interval: resampling biases it upwards, so that the interval would lie
    above the value.
    """

    target: str | None
    name: str
    value: float | None
    interval: ConfidenceInterval | None
    baseline: float | None
    improvement: ConfidenceInterval | None


@dataclass(frozen=True)
class ScoresWithIntervals:
    """The scores, and the resampling of the rows."""

    resampling: BootstrapResampler
    scores: tuple[ScoreWithInterval, ...]

    def find(self, name: str) -> ScoreWithInterval:
        """The score of this name, of the first target."""
        return next(score for score in self.scores if score.name == name)


@dataclass(frozen=True)
class ScoredRows:
    """Predictions of rows with their true targets `y`, sample weights, and group numbers (rows,) or None.

    `averaging` is None unless the predictions are out-of-fold predictions of an ensemble.
    """

    predictions: Predictions
    baseline: Predictions
    y: Truth
    weights: npt.NDArray[np.float64] | None
    loss: Loss
    groups: npt.NDArray[np.int64] | None = None
    averaging: Averaging | None = None

    @property
    def scores(self) -> Scores:
        """Every metric of the predictions."""
        scores = score(self.predictions, self.y, self.weights, self.loss)
        return scores if self.averaging is None else self.averaging.apply(scores)

    def card(self) -> ScoreCard:
        """The scores without intervals."""
        baseline = score(self.baseline, self.y, self.weights, self.loss)
        return ScoreCard(rows=len(self.y), model=self.scores, baseline=baseline)

    def with_intervals(self, seed: int) -> ScoresWithIntervals:
        """All scores with intervals; model and baseline share the resamples, and groups are resampled as a whole."""
        resampling = BootstrapResampler.of(len(self.y), seed, self.groups)
        values = headlines(self.scores)
        baselines = headlines(score(self.baseline, self.y, self.weights, self.loss))
        model, baseline = (self._samples(predictions, resampling) for predictions in (self.predictions, self.baseline))
        names = self.predictions.target.names
        per_target = len(values) if self.predictions.target.task == "classification" else len(values) // len(names)
        class_rows = self._class_rows()
        scores = []
        for j, ((title, value), (_, baseline_value)) in enumerate(zip(values, baselines, strict=True)):
            target = names[j // per_target] if len(names) > 1 else None
            name = title if target is None else title.removesuffix(f"_{target}")
            samples = self._corrected(name, model[:, j], j // per_target)
            sign = 1.0 if higher_is_better(name) else -1.0
            interval = improvement = None
            if not has_baseline(name):
                baseline_value = None
            elif value is not None:
                interval = score_interval(METRICS[name], value, samples, resampling, class_rows.get(name))
            if value is not None and baseline_value is not None:
                improvement = difference_interval(
                    sign * (value - baseline_value), sign * (samples - baseline[:, j]), resampling
                )
            scores.append(ScoreWithInterval(target, name, value, interval, baseline_value, improvement))
        return ScoresWithIntervals(resampling, tuple(scores))

    def _class_rows(self) -> dict[str, int]:
        """The rows of the class that a rate of classes depends on: the positive class, or the rarest there is."""
        if self.predictions.target.task != "classification":
            return {}
        counts = np.bincount(self.y, minlength=2)
        rarest = int(counts[counts > 0].min())
        positive = int(counts[1]) or rarest
        return dict.fromkeys(MEANS_OF_CLASSES, rarest) | dict.fromkeys(OF_POSITIVE_CLASS, positive)

    def _corrected(self, name: str, samples: Samples, target: int) -> Samples:
        """The samples of a score with the gain by averaging."""
        if self.averaging is None:
            return samples
        zero, one = self.averaging.score(name, 0.0, target), self.averaging.score(name, 1.0, target)
        assert zero is not None
        assert one is not None
        return zero + (one - zero) * samples  # the gain is linear in the score

    def _samples(self, predictions: Predictions, resampling: BootstrapResampler) -> Samples:
        """(resamples, scores), in the order of `headlines`."""
        rows = resampling.rows
        taken = predictions.take(rows)
        y, values = self.y[rows], taken.values
        weight = None if self.weights is None else self.weights[rows]
        classes = None if predictions.decision is None else predictions.classes[rows]

        def classification(counts: Samples) -> Samples:
            metrics = shown_metrics(np.bincount(self.y, self.weights, minlength=values.shape[1]))
            W = counts if weight is None else counts * weight
            resamples = ClassificationResamples(y, values, W, classes)
            return resampled_scores(metrics, resamples, y, values, W)

        def regression(counts: Samples) -> Samples:
            W = counts if weight is None else counts * weight
            scores = []
            for j, (actual, predicted) in enumerate(zip(y.T, values.T, strict=True)):
                resamples = RegressionResamples(actual, predicted, W)
                metrics = _regression_metrics(taken, self.loss, j)
                scores.append(resampled_scores(metrics, resamples, actual, predicted, W))
            return np.hstack(scores)

        return resampling.samples(classification if predictions.target.task == "classification" else regression)


@dataclass(frozen=True)
class ScoreCard:
    """Scores of the model and of the baseline on the same rows.

    `intervals` are None for training rows. The scores are `optimistic` if these rows chose the epoch of the model.
    """

    rows: int
    model: Scores
    baseline: Scores
    intervals: ScoresWithIntervals | None = None
    averaging: Averaging | None = None
    optimistic: bool = False


def validation_card(rows: ScoredRows, seed: int, *, optimistic: bool) -> ScoreCard:
    """The scores of validation rows, with intervals."""
    intervals = rows.with_intervals(seed)
    return replace(rows.card(), intervals=intervals, averaging=rows.averaging, optimistic=optimistic)


def scores_json(scores: ScoreCard | None) -> dict[str, object] | None:
    """The scores as a section of metrics.json."""
    if scores is None:
        return None
    document: dict[str, object] = {
        "rows": scores.rows,
        "metrics": to_json(scores.model),
        "baseline": to_json(scores.baseline),
    }
    if scores.intervals is not None:
        document |= {"intervals": _intervals_json(scores.intervals), "optimistic": scores.optimistic}
    if scores.averaging is not None:
        document["averaging"] = {"factors": list(scores.averaging.factors), "rows": scores.averaging.rows}
    return document


def _intervals_json(scores: ScoresWithIntervals) -> dict[str, Any]:
    """{"rmse": [low, high], …}; for several targets, an object for each by its name under `targets`."""
    each: dict[str | None, dict[str, list[float]]] = {}
    for one in scores.scores:
        if one.interval is not None:
            each.setdefault(one.target, {})[one.name] = [one.interval.low, one.interval.high]
    return each.get(None, {}) if each.keys() <= {None} else {"targets": each}
