"""How good a run is on the rows that it is judged by: every score with its interval, and beside the trivial guess."""

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
from nncli.metrics.classification import CLASSIFICATION_METRICS, ClassificationResamples
from nncli.metrics.metric import resampled_scores
from nncli.metrics.registry import has_baseline, higher_is_better
from nncli.metrics.regression import RegressionResamples, regression_metrics
from nncli.model import Predictions
from nncli.scoring import headlines, score


@dataclass(frozen=True)
class ScoreWithInterval:
    """A score with its interval, the trivial guess's, and the interval of how much better the model is on the very same
    rows: above 0 it is better. None is undefined or not known; `target` is None where there is but one.

    The calibration error has its value alone. A resample looks worse calibrated than all rows do, since chance moves
    the bins apart and every distance counts as positive: the interval would lie above what it is about.
    """

    target: str | None
    name: str
    value: float | None
    interval: ConfidenceInterval | None
    baseline: float | None
    improvement: ConfidenceInterval | None


@dataclass(frozen=True)
class ScoresWithIntervals:
    """The scores of judged rows, and how their rows were resampled."""

    resampling: BootstrapResampler
    scores: tuple[ScoreWithInterval, ...]

    def find(self, name: str) -> ScoreWithInterval:
        """The score of that name, of the first target."""
        return next(one for one in self.scores if one.name == name)


def score_with_intervals(judged: HeldOutPredictions) -> ScoresWithIntervals:
    """Every score of the judged rows, from resamples that model and guess share; rows of one group stay together."""
    resampling = BootstrapResampler.of(len(judged), judged.manifest.seed, groups_of(judged))
    values = headlines(score(judged.predictions, judged.y, judged.weights, judged.loss))
    guesses = headlines(score(judged.baseline, judged.y, judged.weights, judged.loss))
    model, trivial = (_samples(judged, said, resampling) for said in (judged.predictions, judged.baseline))
    names = judged.predictions.target.names
    of_each = len(values) if judged.predictions.target.task == "classification" else len(values) // len(names)
    scores = []
    for j, ((title, value), (_, guess)) in enumerate(zip(values, guesses, strict=True)):
        target = names[j // of_each] if len(names) > 1 else None
        name = title if target is None else title.removesuffix(f"_{target}")
        sign = 1.0 if higher_is_better(name) else -1.0
        interval = gain = None
        if not has_baseline(name):
            guess = None
        elif value is not None:
            interval = resampling.interval(model[:, j], value)
        if value is not None and guess is not None:
            gain = resampling.interval(sign * (model[:, j] - trivial[:, j]), sign * (value - guess))
        scores.append(ScoreWithInterval(target, name, value, interval, guess, gain))
    return ScoresWithIntervals(resampling, tuple(scores))


def groups_of(judged: HeldOutPredictions) -> NDArray[np.int64] | None:
    """Which judged rows belong together, by any numbers (rows,); None where every row stands by itself."""
    column = judged.config.data.group
    if column is None or column not in judged.table.names:
        return None
    cells = judged.table.column(column).cast(pl.String).fill_null("")
    return cells.rank("dense").to_numpy().astype(np.int64)


def _samples(judged: HeldOutPredictions, said: Predictions, resampling: BootstrapResampler) -> Samples:
    """(resamples, scores), in the order of `headlines`."""
    rows = resampling.rows
    y, values = judged.y[rows], said.values[rows]
    weight = None if judged.weights is None else judged.weights[rows]

    def classification(counts: Samples) -> Samples:
        W = counts if weight is None else counts * weight
        resamples = ClassificationResamples(y, values, W)
        return resampled_scores(CLASSIFICATION_METRICS, resamples, y, values, W)

    def regression(counts: Samples) -> Samples:
        W = counts if weight is None else counts * weight
        metrics = regression_metrics(judged.loss.quantile)
        return np.hstack(
            [
                resampled_scores(metrics, RegressionResamples(y[:, j], values[:, j], W), y[:, j], values[:, j], W)
                for j in range(values.shape[1])
            ]
        )

    return resampling.samples(classification if said.target.task == "classification" else regression)
