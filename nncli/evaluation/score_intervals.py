"""Scores of a run with bootstrap confidence intervals, and the improvement over the baseline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.metrics.bootstrap import (
    BootstrapResampler,
    ConfidenceInterval,
    Samples,
)
from nncli.metrics.classification import shown_metrics
from nncli.metrics.classification_resamples import ClassificationResamples
from nncli.metrics.metric import resampled_scores
from nncli.metrics.registry import has_baseline, higher_is_better
from nncli.metrics.regression import RegressionResamples, regression_metrics
from nncli.model import Predictions
from nncli.scoring import headlines, score


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


def score_with_intervals(held_out: HeldOutPredictions) -> ScoresWithIntervals:
    """All scores with intervals; model and baseline share the resamples, and groups are resampled as a whole."""
    resampling = BootstrapResampler.of(len(held_out), held_out.manifest.seed, groups_of(held_out))
    values = headlines(score(held_out.predictions, held_out.y, held_out.weights, held_out.loss))
    baselines = headlines(score(held_out.baseline, held_out.y, held_out.weights, held_out.loss))
    model, baseline = (
        _samples(held_out, predictions, resampling) for predictions in (held_out.predictions, held_out.baseline)
    )
    names = held_out.predictions.target.names
    per_target = len(values) if held_out.predictions.target.task == "classification" else len(values) // len(names)
    scores = []
    for j, ((title, value), (_, baseline_value)) in enumerate(zip(values, baselines, strict=True)):
        target = names[j // per_target] if len(names) > 1 else None
        name = title if target is None else title.removesuffix(f"_{target}")
        sign = 1.0 if higher_is_better(name) else -1.0
        interval = improvement = None
        if not has_baseline(name):
            baseline_value = None
        elif value is not None:
            interval = resampling.interval(model[:, j], value)
        if value is not None and baseline_value is not None:
            improvement = resampling.interval(sign * (model[:, j] - baseline[:, j]), sign * (value - baseline_value))
        scores.append(ScoreWithInterval(target, name, value, interval, baseline_value, improvement))
    return ScoresWithIntervals(resampling, tuple(scores))


def groups_of(held_out: HeldOutPredictions) -> NDArray[np.int64] | None:
    """The group number of each row (rows,); None if the rows are independent."""
    column = held_out.config.data.group
    if column is None or column not in held_out.table.names:
        return None
    cells = held_out.table.column(column).cast(pl.String).fill_null("")
    return cells.rank("dense").to_numpy().astype(np.int64)


def _samples(held_out: HeldOutPredictions, predictions: Predictions, resampling: BootstrapResampler) -> Samples:
    """(resamples, scores), in the order of `headlines`."""
    rows = resampling.rows
    y, values = held_out.y[rows], predictions.values[rows]
    weight = None if held_out.weights is None else held_out.weights[rows]

    def classification(counts: Samples) -> Samples:
        metrics = shown_metrics(np.bincount(held_out.y, held_out.weights, minlength=values.shape[1]))
        W = counts if weight is None else counts * weight
        resamples = ClassificationResamples(y, values, W)
        return resampled_scores(metrics, resamples, y, values, W)

    def regression(counts: Samples) -> Samples:
        W = counts if weight is None else counts * weight
        metrics = regression_metrics(held_out.loss.quantile)
        return np.hstack(
            [
                resampled_scores(metrics, RegressionResamples(y[:, j], values[:, j], W), y[:, j], values[:, j], W)
                for j in range(values.shape[1])
            ]
        )

    return resampling.samples(classification if predictions.target.task == "classification" else regression)
