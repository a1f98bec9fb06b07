"""What a search gained over trial 0, and whether that is more than chance, given how many trials were tried.

Scores of trials are of held-out rows, but the best trial was chosen by the same rows: of many equal trials one looks
better by chance. nncli/metrics/selection.py has the corrections. A pruned trial was tried too. Whether the gain is more
than chance is tested with the rows of the folds that it was trained on; in the bootstrap, it has the losses of the best
trial on the other rows, so that it is chosen where it is better than that one on the rows where both are known. A
failed trial has no predictions and could not have been chosen.

The test takes the trials as they are. But a sampler proposes trials near those that scored well on the same rows, so
that a search climbs the noise as well: in simulated searches of 60 trials in 6 smooth parameters without any effect,
27 % have a p-value below 0.05 if trials follow the best one, and 5 to 7 % if they are random. The bootstrap is wider,
since it scores the choice on rows that it did not see: in 2 % its interval lies above 0. A gain therefore counts as
more than chance only if both say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.data.encoders.target import Target
from nncli.metrics.bootstrap import MAX_ROWS, BootstrapResampler, ConfidenceInterval, Samples
from nncli.metrics.classification_resamples import ClassificationResamples
from nncli.metrics.intervals import MIN_ROWS
from nncli.metrics.metric import resampled_scores
from nncli.metrics.registry import METRICS
from nncli.metrics.regression import RegressionResamples
from nncli.metrics.selection import Gains, gains_of_choices, gains_of_means, max_sign_flip_test, resampling_units
from nncli.nn.arrays import Floats
from nncli.predictions import Predictions
from nncli.scoring import Truth
from nncli.spec import Spec
from nncli.text import format_number
from nncli.tuning.held_out_predictions import SearchRows, TrialPredictions
from nncli.tuning.objective import ABSOLUTE_ERRORS, PINBALL, Objective
from nncli.tuning.trials import Trial

Reader: TypeAlias = Callable[[Trial], TrialPredictions]

MAX_CELLS = 1 << 26
"""Gains in memory: 256 MB of float32."""
FEW_RESAMPLES = 200
"""Resamples of a metric that is no mean of losses of rows."""
LEVEL = 0.05
"""Significance level."""
SMALLEST_P = 0.0001
"""The smallest p-value that is shown."""


class Gain(Spec):
    """The gain of the best trial over trial 0 in units of the metric, positive where it is better.

    `apparent` is that of the recorded scores, and `estimate` with the interval from `low` to `high` is corrected for
    the choice among the `trials` that were tried, trial 0 included. `p` is the probability of a gain as clear if no
    trial were better, tested by the `loss` of each of the `rows`. None is unknown.
    """

    trial: int
    apparent: float
    trials: int
    rows: int
    loss: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None

    @property
    def is_significant(self) -> bool:
        """Whether the gain is more than chance: the p-value is small, and the interval lies above 0."""
        return self.p is not None and self.p < LEVEL and self.low is not None and self.low > 0.0

    @property
    def p_text(self) -> str:
        """The p-value as text."""
        if self.p is not None and self.p < SMALLEST_P:
            return f"p < {SMALLEST_P:g}"
        return f"p = {format_number(self.p)}"

    @property
    def interval_text(self) -> str:
        """The ends of the interval as text."""
        return "not known" if self.low is None else f"{format_number(self.low)} to {format_number(self.high)}"

    @property
    def sentence(self) -> str:
        """The gain with its interval, and whether it is more than chance."""
        chance = "more than chance" if self.is_significant else "it may be chance"
        return (
            f"corrected for the choice among {self.trials:,} trials, the gain is {format_number(self.estimate)} "
            f"(95 % interval {self.interval_text}): {chance}, {self.p_text}"
        )


def gain_of(
    trials: Sequence[Trial], best: Trial, rows: SearchRows, read: Reader, objective: Objective, seed: int
) -> Gain:
    """The gain of the `best` of all `trials` over trial 0. `read` reads the predictions of one.

    Raises:
        RunError: the directory of a trial is damaged.
    """
    tried = [trial for trial in trials if trial.state in ("complete", "pruned")]
    gain = Gain(
        trial=best.number,
        apparent=objective.loss_of(tried[0].score or 0.0) - objective.loss_of(best.score or 0.0),
        trials=len(tried),
        rows=len(rows),
        loss=_row_loss(objective, rows.target),
    )
    if best.number == 0:
        return gain
    comparison = _Comparison.of(tried, best, rows, read, objective, seed)
    samples, resampling = comparison.samples()
    estimate, interval = _interval(samples, resampling)
    ends = {} if interval is None else {"low": interval.low, "high": interval.high}
    return gain.model_copy(update={"estimate": estimate, **ends, "p": comparison.p_value()})


def _interval(samples: Samples, resampling: BootstrapResampler) -> tuple[float | None, ConfidenceInterval | None]:
    """The mean of the samples and their middle 95 %; None for too few rows or groups."""
    defined = samples[np.isfinite(samples)]
    if resampling.groups < MIN_ROWS or 2 * len(defined) < len(samples):
        return None, None
    estimate = float(defined.mean())
    return estimate, resampling.interval(samples, estimate)


@dataclass(frozen=True)
class _Comparison:
    """Trials, of which the first is trial 0, and their gains (trials, units) on the rows where they are known."""

    trials: tuple[Trial, ...]
    best: int
    gains: Gains
    unit: npt.NDArray[np.int64]
    first: TrialPredictions
    best_predictions: TrialPredictions
    rows: SearchRows
    read: Reader
    objective: Objective
    seed: int

    @classmethod
    def of(
        cls, trials: Sequence[Trial], best: Trial, rows: SearchRows, read: Reader, objective: Objective, seed: int
    ) -> _Comparison:
        truth, n = rows.truth, len(rows)
        limit = max(MIN_ROWS, min(MAX_ROWS, MAX_CELLS // len(trials)))
        unit = resampling_units(n, truth.groups, seed, limit)
        gains = np.zeros((len(trials), int(unit.max()) + 1), np.float32)
        first = read(trials[0])
        losses, weights = objective.row_losses(first.predictions, truth), _weights(truth.weights, n)
        kept = [0]
        for i, trial in enumerate(trials[1:], start=1):
            own = read(trial)
            with np.errstate(all="ignore"):
                difference = weights * (losses - objective.row_losses(own.filled(first), truth))
                sums = np.bincount(unit, difference).astype(np.float32)
            if np.isfinite(sums).all():  # else its loss is infinite, and it was no candidate
                gains[i] = sums
                kept.append(i)
        trials = tuple(trials[i] for i in kept)
        place = next(i for i, trial in enumerate(trials) if trial.number == best.number)
        return cls(trials, place, gains[kept], unit, first, read(best), rows, read, objective, seed)

    def p_value(self) -> float:
        """The p-value of the best trial, adjusted for all."""
        return float(max_sign_flip_test(self.gains, self.seed)[self.best])

    def samples(self) -> tuple[Samples, BootstrapResampler]:
        """The gain of the choice of each resample, and how the rows were drawn."""
        if _is_mean(self.objective, self.rows.target):
            return self._samples_of_means(), BootstrapResampler.of(self.gains.shape[1], self.seed)
        return self._samples_of_scores()

    def _samples_of_means(self) -> Samples:
        truth, objective = self.rows.truth, self.objective
        w = _weights(truth.weights, len(self.unit))
        first, best = (w * objective.row_losses(one.predictions, truth) for one in (self.first, self.best_predictions))
        gains = self.gains.copy()
        for folds in {len(trial.folds) for trial in self.trials if trial.state == "pruned"}:
            rest = np.bincount(self.unit, np.where(self.rows.fold_of < folds, 0.0, first - best))
            pruned = [i for i, one in enumerate(self.trials) if one.state == "pruned" and len(one.folds) == folds]
            gains[pruned] += rest.astype(np.float32)
        reference, weight = (np.bincount(self.unit, of_rows).astype(np.float64) for of_rows in (first, w))
        return gains_of_means(gains, reference, weight, self.seed, np.sqrt if objective.metric == "rmse" else _identity)

    def _samples_of_scores(self) -> tuple[Samples, BootstrapResampler]:
        truth = self.rows.truth
        resampling = replace(BootstrapResampler.of(len(self.unit), self.seed, truth.groups), resamples=FEW_RESAMPLES)
        y, rows = truth.y[resampling.rows], resampling.rows
        weights = _weights(truth.weights, len(self.unit))[rows]
        losses = np.empty((2, FEW_RESAMPLES, len(self.trials)))
        for i, trial in enumerate(self.trials):
            predictions = self.read(trial).filled(self.best_predictions).take(rows)

            def score(counts: Samples, one: Predictions = predictions) -> Samples:
                bags = (counts, counts == 0)
                return np.hstack([_losses(self.objective, one, y, weights * bag) for bag in bags])

            losses[:, :, i] = resampling.samples(score).T
        return gains_of_choices(*losses), resampling


def _losses(objective: Objective, predictions: Predictions, y: Truth, W: Samples) -> Samples:
    """(resamples, 1): what the search minimizes, for every row of weights in `W` (resamples, rows)."""
    metric = METRICS[objective.metric]
    values = predictions.values
    if predictions.target.task == "classification":
        classes = None if predictions.decision is None else predictions.classes
        if metric.of_classes and classes is not None:
            values = np.eye(values.shape[1])[classes]
        resamples = ClassificationResamples(y, values, W, classes)
        scores = resampled_scores((metric,), resamples, y, values, W)
    else:
        each = [
            resampled_scores((metric,), RegressionResamples(actual, predicted, W), actual, predicted, W)
            for actual, predicted in zip(y.T, values.T, strict=True)
        ]
        scores = np.mean(each, axis=0)
    return -scores if metric.higher_is_better else scores


def _is_mean(objective: Objective, target: Target) -> bool:
    """Whether the metric is the mean of the losses of rows, or the root of it."""
    if target.task == "classification":
        return objective.metric in ("log_loss", "accuracy")
    return objective.metric == PINBALL or (objective.metric in ("rmse", "mae") and len(target.names) == 1)


def _row_loss(objective: Objective, target: Target) -> str:
    """The name of the loss of rows by which trials are tested."""
    if target.task == "classification":
        return "classification error" if objective.metric == "accuracy" else "log loss"
    if objective.metric == PINBALL:
        return "pinball loss"
    return "absolute error" if objective.metric in ABSOLUTE_ERRORS else "squared error"


def _weights(weights: Floats | None, n: int) -> Floats:
    return np.ones(n) if weights is None else weights


def _identity(mean: Samples) -> Samples:
    return mean
