"""The trials of a search beside trial 0, row by row: the gains of each, and what is tested and resampled of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats
from nncli.targets.base import Truth
from nncli.targets.metrics.bootstrap import MAX_ROWS, BootstrapResampler, Samples
from nncli.targets.metrics.intervals import MIN_ROWS
from nncli.targets.metrics.selection import (
    Gains,
    gains_of_choices,
    gains_of_means,
    max_sign_flip_test,
    resampling_units,
)
from nncli.tuning.trials.finished_trial import SearchRows, TrialPredictions
from nncli.tuning.trials.objective import Objective
from nncli.tuning.trials.trials import Trial

Reader: TypeAlias = Callable[[Trial], TrialPredictions]

MAX_CELLS = 1 << 26
"""Gains in memory: 256 MB of float32."""
SCORE_RESAMPLES = 200
"""Resamples of a metric that is no mean of losses of rows."""
LARGEST_GAIN = 1e15
"""The largest gain of a unit, in units of the mean loss of trial 0, so that no sum overflows."""


@dataclass(frozen=True)
class GainSamples:
    """The gain of the choice of each resample, and how the rows were drawn.

    `luck` is the standard deviation of the best trial's gain by the luck of trainings, which resamples do not show.
    """

    values: Samples
    resampling: BootstrapResampler
    luck: float


@dataclass(frozen=True)
class FoldGains:
    """The mean gain of a trial in each fold (folds,), and the variances (folds,) of these means by the rows alone."""

    means: Floats
    variances: Floats

    @classmethod
    def of(
        cls, gains: Floats, weights: Floats, fold_of: npt.NDArray[np.int64], groups: npt.NDArray[np.int64] | None
    ) -> FoldGains:
        """Of the weighted gains (rows,), the weights (rows,), and the fold and the group of each row.

        A fold without weight, or with a single row or group, has NaN.
        """
        folds = int(fold_of.max()) + 1
        if groups is not None:  # rows of a group are one unit in each fold
            _, unit = np.unique(groups * folds + fold_of, return_inverse=True)
            first = np.zeros(int(unit.max()) + 1, np.int64)
            first[unit] = fold_of
            sums = (np.bincount(unit, each).astype(np.float64) for each in (gains, weights))
            (gains, weights), fold_of = sums, first
        n, total = np.bincount(fold_of, minlength=folds), np.bincount(fold_of, weights, minlength=folds)
        with np.errstate(all="ignore"):
            means = np.bincount(fold_of, gains, minlength=folds) / total
            squares = np.bincount(fold_of, np.square(gains - weights * means[fold_of]), minlength=folds)
            return cls(means, n / (n - 1.0) * squares / np.square(total))


@dataclass(frozen=True)
class FoldVariance:
    """The variance between folds, and the degrees of freedom of its estimate."""

    variance: float
    degrees_of_freedom: float


def estimate_fold_variance(trials: Sequence[FoldGains]) -> FoldVariance | None:
    """The variance between folds, pooled over trials; None where it cannot be known, as for one fold.

    Of trials with the luck of one reference, the gains have the correlation 1/2, which lowers the degrees of freedom.
    """
    if not trials or len(trials[0].means) < 2:
        return None
    means, variances = np.stack([one.means for one in trials]), np.stack([one.variances for one in trials])
    if not (np.isfinite(means).all() and np.isfinite(variances).all()):
        return None
    excess = means.var(axis=1, ddof=1) - variances.mean(axis=1)
    count, folds = means.shape
    return FoldVariance(max(0.0, float(excess.mean())), (folds - 1) * 4.0 * count / (count + 3.0))


NO_VARIANCE = FoldVariance(0.0, inf)


@dataclass(frozen=True)
class TrialComparison:
    """Trials, of which the first is trial 0, and their gains (trials, units) on the rows where they are known.

    `gains` are in units of `scale`, the mean loss of trial 0. `differing` is the number of rows or groups in which the
    losses of the best trial differ from those of trial 0. `fold_variance` is None if it cannot be known.
    """

    trials: tuple[Trial, ...]
    best: int
    gains: Gains
    scale: float
    unit: npt.NDArray[np.int64]
    differing: int
    fold_variance: FoldVariance | None
    first: TrialPredictions
    best_predictions: TrialPredictions
    rows: SearchRows
    read: Reader
    objective: Objective
    seed: int

    @classmethod
    def of(
        cls, trials: Sequence[Trial], best: Trial, rows: SearchRows, read: Reader, objective: Objective, seed: int
    ) -> TrialComparison:
        """Compare the trials.

        Raises:
            RunError: the directory of a trial is damaged.
        """
        truth, n = rows.truth, len(rows)
        limit = max(MIN_ROWS, min(MAX_ROWS, MAX_CELLS // len(trials)))
        unit = resampling_units(n, truth.groups, seed, limit)
        gains = np.zeros((len(trials), int(unit.max()) + 1), np.float32)
        first, weights = read(trials[0]), row_weights(truth.weights, n)
        losses = objective.row_losses(first.predictions, truth)
        scale = _scale(losses, weights)
        kept, by_fold, differing = [0], dict[int, FoldGains](), 0
        for i, trial in enumerate(trials[1:], start=1):
            own = read(trial)
            with np.errstate(all="ignore"):
                difference = weights * ((losses - objective.row_losses(own.filled(first), truth)) / scale)
                sums = np.bincount(unit, difference)
            is_best = trial.number == best.number
            if not (np.isfinite(sums).all() or is_best):
                continue  # its loss is infinite, so that it is no candidate
            gains[i] = np.nan_to_num(sums, nan=-LARGEST_GAIN).clip(-LARGEST_GAIN, LARGEST_GAIN)
            kept.append(i)
            if own.known.all() and gains[i].any():
                by_fold[i] = FoldGains.of(difference, weights, rows.fold_of, truth.groups)
            if is_best:
                changed = difference != 0.0
                differing = int(changed.sum()) if truth.groups is None else len(np.unique(truth.groups[changed]))
        ranked = sorted(by_fold, key=lambda i: -gains[i].sum(dtype=np.float64))
        variance = estimate_fold_variance([by_fold[i] for i in ranked[: -(-len(ranked) // 2)]])
        trials = tuple(trials[i] for i in kept)
        place = next(i for i, trial in enumerate(trials) if trial.number == best.number)
        found = (trials, place, gains[kept], scale, unit, differing, variance)
        return cls(*found, first, read(best), rows, read, objective, seed)

    def p_value(self) -> float:
        """The familywise-adjusted p-value of the best trial."""
        luck = self.fold_variance or NO_VARIANCE
        return float(max_sign_flip_test(self.gains, self.seed, self._luck, luck.degrees_of_freedom)[self.best])

    @property
    def _luck(self) -> Floats:
        """The variance (trials,) of the sum of each trial's gains by the luck of its trainings."""
        rows = self.rows
        squares = np.square(np.bincount(rows.fold_of, row_weights(rows.truth.weights, len(rows))))
        folds = [len(squares) if trial.state == "complete" else len(trial.folds) for trial in self.trials]
        return (self.fold_variance or NO_VARIANCE).variance * np.array([float(squares[:k].sum()) for k in folds])

    def samples(self) -> GainSamples:
        """The gain of the choice of each resample."""
        if self.rows.target.is_mean_of_rows(self.objective.metric):
            return self._samples_of_means()
        return self._samples_of_scores()

    def _samples_of_means(self) -> GainSamples:
        truth, objective, scale = self.rows.truth, self.objective, self.scale
        w = row_weights(truth.weights, len(self.unit))
        each = (objective.row_losses(one.predictions, truth) / scale for one in (self.first, self.best_predictions))
        first, best = (w * losses for losses in each)
        gains = self.gains.copy()
        for folds in {len(trial.folds) for trial in self.trials if trial.state == "pruned"}:
            rest = np.bincount(self.unit, np.where(self.rows.fold_of < folds, 0.0, first - best))
            pruned = [i for i, one in enumerate(self.trials) if one.state == "pruned" and len(one.folds) == folds]
            gains[pruned] += rest.astype(np.float32)
        reference, weight = (np.bincount(self.unit, of_rows).astype(np.float64) for of_rows in (first, w))
        is_root = objective.metric == "rmse"
        values = gains_of_means(gains, reference, weight, self.seed, np.sqrt if is_root else lambda mean: mean)
        factor = sqrt(scale) if is_root else scale
        luck = sqrt(self._luck[self.best]) / w.sum()
        if is_root:  # the derivative of the root of the mean
            luck /= sqrt(first.sum() / w.sum()) + sqrt(best.sum() / w.sum())
        return GainSamples(values * factor, BootstrapResampler.of(len(weight), self.seed), luck * factor)

    def _samples_of_scores(self) -> GainSamples:
        truth = self.rows.truth
        resampling = replace(BootstrapResampler.of(len(self.unit), self.seed, truth.groups), resamples=SCORE_RESAMPLES)
        y, rows = truth.y[resampling.rows], resampling.rows
        weights = row_weights(truth.weights, len(self.unit))[rows]
        losses = np.empty((2, SCORE_RESAMPLES, len(self.trials)))
        for i, trial in enumerate(self.trials):
            predictions = self.read(trial).filled(self.best_predictions).take(rows)

            def score(counts: Samples, one: Predictions = predictions) -> Samples:
                bags = (counts, counts == 0)
                return np.hstack([_losses(self.objective, one, y, weights * bag) for bag in bags])

            losses[:, :, i] = resampling.samples(score).T
        # The luck is to the chance of the rows as it is in the losses of rows.
        of_rows = float(np.nan_to_num(np.nanstd(losses[0, :, 0] - losses[0, :, self.best])))
        squares = float(np.square(self.gains[self.best], dtype=np.float64).sum())
        ratio = sqrt(self._luck[self.best] / squares) if squares else 0.0
        luck = of_rows * ratio * sqrt(len(rows) / len(self.unit))
        return GainSamples(gains_of_choices(*losses), resampling, luck)


def row_weights(weights: Floats | None, n: int) -> Floats:
    """The weights (n,) of rows."""
    return np.ones(n) if weights is None else weights


def _scale(losses: Floats, weights: Floats) -> float:
    """The mean loss of trial 0; 1 if it is 0 or infinite."""
    with np.errstate(all="ignore"):
        scale = float(np.average(losses, weights=weights)) if weights.any() else 0.0
    return scale if 0.0 < scale < np.inf else 1.0


def _losses(objective: Objective, predictions: Predictions, y: Truth, W: Samples) -> Samples:
    """(resamples, 1): what the search minimizes, for every row of weights in `W` (resamples, rows)."""
    scores: Samples = np.mean(predictions.target.samples(predictions, y, W, [objective.metric], objective.loss), axis=0)
    return -scores if objective.higher_is_better else scores
