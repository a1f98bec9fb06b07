"""What a search gained over trial 0, and whether that is significant, given how many trials there were.

Scores of trials are of held-out rows, but the best trial was chosen by the same rows: of many equal trials one looks
better by chance. targets/metrics/selection.py has the corrections. A pruned trial is a candidate too. In the test its
gains are 0 on folds it was not trained on; in the bootstrap its losses there are those of the best trial. A failed
trial has no predictions and could not have been chosen.

All rows of a fold are predicted by one training of each trial, which has a seed of its own, so that they share its
luck. How much gains vary by it is estimated from the means of the folds (`FoldVariance`), and is part of
the test and of the interval. It is pooled over the better half of the trials: what trains badly varies more, and is not
chosen. With one training a trial it cannot be known.

The test takes the trials as they are. But a sampler proposes trials near those that scored well on the same rows, so
that a search climbs the noise as well: in simulated searches of 60 trials in 6 smooth parameters without any effect,
27 % have a p-value below 0.05 if trials follow the best one, and 5 to 7 % if they are random. The bootstrap is wider,
since it scores the choice on rows that it did not see: in 2 % its interval lies above 0. A gain is therefore
significant only if both say so.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, sqrt
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.errors import RunError
from nncli.base.spec import Spec
from nncli.base.text import format_number
from nncli.config.schema import Config
from nncli.fitting.ensemble.out_of_fold import LabeledRows
from nncli.models.held_out_rows import LARGEST_FILE, HeldOutRows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Floats, Mask
from nncli.run_directory.cross_validation import read_record
from nncli.run_directory.loader import read_file
from nncli.run_directory.manifest import HELD_OUT
from nncli.targets.metrics.bootstrap import CONFIDENCE, MAX_ROWS, BootstrapResampler, ConfidenceInterval, Samples
from nncli.targets.metrics.intervals import MIN_ROWS
from nncli.targets.metrics.selection import (
    Gains,
    gains_of_choices,
    gains_of_means,
    max_sign_flip_test,
    resampling_units,
)
from nncli.targets.target import Target
from nncli.targets.target_base import Truth
from nncli.tuning.sampler import distribution_of, without_logs
from nncli.tuning.search_data import HeldOut, Objective, SearchData, TrialTraining
from nncli.tuning.space.space import SearchSpace
from nncli.tuning.trials import Trial, folder_of


@dataclass(frozen=True)
class SearchRows:
    """The rows that trials are scored on: their targets, and the fold (rows,) that each is in, from 0."""

    truth: LabeledRows
    fold_of: npt.NDArray[np.int64]
    target: Target

    def __len__(self) -> int:
        return len(self.fold_of)


@dataclass(frozen=True)
class TrialPredictions:
    """The predictions of a trial for the rows of the search.

    `is_predicted` (rows,) is False for the rows of folds that a pruned trial was not trained on, whose predictions are
    NaN.
    """

    predictions: Predictions
    is_predicted: Mask

    def filled(self, other: TrialPredictions) -> Predictions:
        """The predictions, with those of another trial for the rows that are not known."""
        if self.is_predicted.all():
            return self.predictions
        return other.predictions.with_rows(self.is_predicted, self.predictions.take(self.is_predicted))


class TrialReader:
    """Reads the predictions of trials in the search directory `path`.

    The rows are those that trial 0 keeps, which are all held-out rows unless there are more than a million.
    """

    def __init__(self, path: Path, data: SearchData, config_of: Callable[[Trial], Config]) -> None:
        self._path, self._data, self._config_of = path, data, config_of

    @cached_property
    def positions(self) -> npt.NDArray[np.int64]:
        """The positions of the rows in the table, or in the validation file, in ascending order."""
        positions = np.unique(np.concatenate(self._data.fold_rows))
        kept = None if self._data.is_holdout else self._kept(Trial(number=0, values={}))
        if kept is None or len(kept) == len(positions):
            return positions
        numbers = self._data.table_data.table.take(positions).row_ids.row_numbers
        return positions[np.searchsorted(numbers, kept.row_numbers)]

    @cached_property
    def rows(self) -> SearchRows:
        """The rows, in ascending order."""
        fold_of = np.zeros(len(self.positions), np.int64)
        for fold, rows in enumerate(self._data.fold_rows):
            fold_of[np.isin(self.positions, rows)] = fold
        return SearchRows(self._data.truth.take(self.positions), fold_of, self._data.table_data.target)

    def read(self, trial: Trial) -> TrialPredictions:
        """The predictions of a trial that is complete or pruned.

        They are read from its directory, or computed again where it does not keep them.

        Raises:
            RunError: its directory is damaged.
        """
        if trial.state == "complete" and not self._data.is_holdout:
            kept = self._kept(trial)
            if kept is not None and len(kept) == len(self.positions):
                return TrialPredictions(kept.predictions, np.ones(len(kept), np.bool_))
        training = TrialTraining(
            trial.number, self._config_of(trial), folder_of(self._path, trial.number), self._data, 1
        )
        return self._aligned([training.predict(fold) for fold in range(len(trial.folds))])

    def _aligned(self, held_out: list[HeldOut]) -> TrialPredictions:
        first = held_out[0].predictions
        n = len(self.positions)
        predictions = replace(first, points=np.full((n, *first.points.shape[1:]), np.nan))
        is_predicted = np.zeros(n, np.bool_)
        for fold in held_out:
            places = np.searchsorted(self.positions, fold.rows).clip(max=n - 1)
            kept = self.positions[places] == fold.rows
            predictions = predictions.with_rows(places[kept], fold.predictions.take(kept))
            is_predicted[places[kept]] = True
        return TrialPredictions(predictions, is_predicted)

    def _kept(self, trial: Trial) -> HeldOutRows | None:
        """The rows that a finished cross-validation keeps; None if they are missing, damaged, or of other quantiles."""
        path, data = folder_of(self._path, trial.number), self._data.table_data
        try:
            content = read_file(path, HELD_OUT, LARGEST_FILE)
            recorded = read_record(path).held_out
            if recorded is not None and hashlib.sha256(content).hexdigest() != recorded.sha256:
                return None
            return HeldOutRows.from_bytes(content, data.target, self._data.folds, data.loss.quantile_levels)
        except (RunError, ValueError):
            return None


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
    means, variances = np.stack([trial.means for trial in trials]), np.stack([trial.variances for trial in trials])
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
            of_trial = read(trial)
            with np.errstate(all="ignore"):
                difference = weights * ((losses - objective.row_losses(of_trial.filled(first), truth)) / scale)
                sums = np.bincount(unit, difference)
            is_best = trial.number == best.number
            if not (np.isfinite(sums).all() or is_best):
                continue  # its loss is infinite, so that it is no candidate
            gains[i] = np.nan_to_num(sums, nan=-LARGEST_GAIN).clip(-LARGEST_GAIN, LARGEST_GAIN)
            kept.append(i)
            if of_trial.is_predicted.all() and gains[i].any():
                by_fold[i] = FoldGains.of(difference, weights, rows.fold_of, truth.groups)
            if is_best:
                changed = difference != 0.0
                differing = int(changed.sum()) if truth.groups is None else len(np.unique(truth.groups[changed]))
        ranked = sorted(by_fold, key=lambda i: -gains[i].sum(dtype=np.float64))
        variance = estimate_fold_variance([by_fold[i] for i in ranked[: -(-len(ranked) // 2)]])
        trials = tuple(trials[i] for i in kept)
        place = next(i for i, trial in enumerate(trials) if trial.number == best.number)
        values = (trials, place, gains[kept], scale, unit, differing, variance)
        return cls(*values, first, read(best), rows, read, objective, seed)

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
        each = (objective.row_losses(trial.predictions, truth) / scale for trial in (self.first, self.best_predictions))
        first, best = (w * losses for losses in each)
        gains = self.gains.copy()
        for folds in {len(trial.folds) for trial in self.trials if trial.state == "pruned"}:
            rest = np.bincount(self.unit, np.where(self.rows.fold_of < folds, 0.0, first - best))
            pruned = [i for i, trial in enumerate(self.trials) if trial.state == "pruned" and len(trial.folds) == folds]
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

            def score(counts: Samples, predicted: Predictions = predictions) -> Samples:
                bags = (counts, counts == 0)
                return np.hstack([_losses(self.objective, predicted, y, weights * bag) for bag in bags])

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


LEVEL = 0.05
"""Significance level."""
SMALLEST_P = 0.0001
"""The smallest p-value that is shown."""
MIN_DIFFERING = 10
"""Rows or groups with different losses, at least, for an interval: with fewer, most resamples lack them."""
DRAWS = 1 << 16
"""Draws from Student's distribution, for its quantile."""


class Gain(Spec):
    """The gain of the best trial over trial 0 in units of the metric, positive where it is better.

    `apparent` is that of the recorded scores, and `estimate` with the interval from `low` to `high` is corrected for
    the choice among the `trials`, trial 0 included; None for the `reason`. `p` is the familywise-adjusted p-value of
    the best trial, tested by the `loss` of each of the `rows`; if `loss_is_metric`, the metric is its mean or the root
    of it. Unless the luck of trainings is known, as from several folds, the interval and `p` are without it.
    """

    trial: int
    apparent: float
    trials: int
    rows: int
    loss: str
    loss_is_metric: bool = True
    luck_is_known: bool = True
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    reason: str | None = None

    @property
    def is_significant(self) -> bool:
        """Whether the p-value is small, and the interval lies above 0."""
        return self.p is not None and self.p < LEVEL and self.low is not None and self.low > 0.0

    @property
    def p_text(self) -> str:
        """The p-value as text."""
        if self.p is not None and self.p <= SMALLEST_P:
            return f"p ≤ {SMALLEST_P:g}"
        return f"p = {format_number(self.p)}"

    @property
    def interval_text(self) -> str:
        """The ends of the interval as text."""
        return "not known" if self.low is None else f"{gain_text(self.low)} to {gain_text(self.high)}"

    @property
    def verdict(self) -> str:
        """Whether the gain is significant, with the p-value and the loss that it compares if it is not the metric."""
        tested = "" if self.loss_is_metric else f", tested by the {self.loss}"
        return f"{'significant' if self.is_significant else 'not significant'} ({self.p_text}{tested})"

    @property
    def notes(self) -> str:
        """What the interval lacks."""
        if self.luck_is_known:
            return ""
        return "; one training a trial: the variation between seeds is not part of the interval"

    @property
    def sentence(self) -> str:
        """The gain with its interval, and whether it is significant."""
        start = f"corrected for the choice among {self.trials:,} trials, the gain is "
        if self.estimate is None:
            return f"{start}not known: {self.reason or 'it is undefined'}; {self.verdict}{self.notes}"
        return f"{start}{gain_text(self.estimate)} (95 % interval {self.interval_text}): {self.verdict}{self.notes}"


def gain_text(value: float | None) -> str:
    """A gain as text, also one that is tiny as its metric is."""
    if value is None or value == 0.0 or abs(value) >= 1e-12:
        return format_number(value)
    return f"{value:.4g}".replace("-", "−")


def compute_gain(
    trials: Sequence[Trial], best: Trial, rows: SearchRows, read: Reader, objective: Objective, seed: int
) -> Gain:
    """The gain of the `best` of all `trials` over trial 0. `read` reads the predictions of one.

    Raises:
        RunError: the directory of a trial is damaged.
    """
    candidates = [trial for trial in trials if trial.state in ("complete", "pruned")]
    gain = Gain(
        trial=best.number,
        apparent=objective.loss_of(candidates[0].score or 0.0) - objective.loss_of(best.score or 0.0),
        trials=len(candidates),
        rows=len(rows),
        loss=rows.target.test_loss_name(objective.metric),
        loss_is_metric=rows.target.is_mean_of_rows(objective.metric),
    )
    if best.number == 0:
        return gain
    comparison = TrialComparison.of(candidates, best, rows, read, objective, seed)
    values: dict[str, object] = {"p": comparison.p_value(), "luck_is_known": comparison.fold_variance is not None}
    if comparison.differing < MIN_DIFFERING:
        what = "rows" if rows.truth.groups is None else "groups"
        values["reason"] = f"only {comparison.differing} {what} have another loss than with trial 0"
        return gain.model_copy(update=values)
    samples = comparison.samples()
    defined = samples.values[np.isfinite(samples.values)]
    if samples.resampling.groups < MIN_ROWS or 2 * len(defined) < len(samples.values):
        values["reason"] = "there are too few rows or groups"
        return gain.model_copy(update=values)
    values["estimate"] = estimate = float(defined.mean())
    interval = _interval(samples, estimate, comparison.fold_variance, seed)
    if interval is not None:
        values |= {"low": interval.low, "high": interval.high}
    return gain.model_copy(update=values)


def _interval(
    samples: GainSamples, estimate: float, variance: FoldVariance | None, seed: int
) -> ConfidenceInterval | None:
    """The middle 95 % of the samples, widened in quadrature by the luck of trainings."""
    interval = samples.resampling.interval(samples.values, estimate)
    if interval is None or variance is None or samples.luck == 0.0:
        return interval
    draws = np.random.default_rng([seed, 6]).standard_t(variance.degrees_of_freedom, DRAWS)
    luck = samples.luck * float(np.quantile(np.abs(draws), CONFIDENCE))
    low, high = np.hypot(estimate - interval.low, luck), np.hypot(interval.high - estimate, luck)
    return ConfidenceInterval(estimate - float(low), estimate + float(high))


TARGET_QUANTILE = 0.1
"""Quantile of the scores up to which trials count as the best ones."""
MIN_BEST = 5
"""Number of the best trials, at least."""
MIN_TRIALS = 2 * MIN_BEST


class ParameterImportance(Spec):
    """The importance of a parameter, a share of 1."""

    parameter: str
    importance: float


def compute_importance(
    trials: Sequence[Trial], space: SearchSpace, objective: Objective
) -> tuple[ParameterImportance, ...] | None:
    """The importance of each parameter, the largest first; None for fewer than ten trials with a score.

    A pruned trial counts by its estimate, and trial 0 if its values are in the space.
    """
    import optuna
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    distributions = {parameter.name: distribution_of(parameter.domain) for parameter in space.parameters}
    with without_logs():
        study = optuna.create_study()
        for trial in trials:
            score = trial.comparable_score
            values = trial.values if trial.number else space.base_values()
            if not values or score is None or not math.isfinite(score):
                continue
            searched = {name: distributions[name] for name in values}
            study.add_trial(create_trial(params=dict(values), distributions=searched, value=objective.loss_of(score)))
        scored = len(study.get_trials(deepcopy=False))
        if scored < MIN_TRIALS:
            return None
        evaluator = PedAnovaImportanceEvaluator(target_quantile=max(TARGET_QUANTILE, MIN_BEST / scored))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Some regimes", UserWarning)  # a choice that hardly any trial made
            shares = get_param_importances(study, evaluator=evaluator)
    names = [parameter.name for parameter in space.parameters if parameter.name in shares]
    ranked = sorted(names, key=lambda name: -shares[name])
    return tuple(ParameterImportance(parameter=name, importance=float(shares[name])) for name in ranked)
