"""Prediction intervals, lower bounds of times and prediction sets, calibrated by rows that a model did not train on: in
memory, as operations of a program, and those of the held-out rows themselves.

Each has a score of a row, and covers what has no higher score than a share of the calibration rows, the level. That of
lower bounds is explained in `survival_bounds`, and those of sets in `targets.metrics.conformal`.

The score of a row is for intervals max(lower - y, y - upper) / scale, and the calibrated bounds are lower - scale *
score and upper + scale * score. A model of one number has lower = upper = prediction and the scale 1: the score is
|y - prediction|.

A model that predicts several quantiles has one of two scores. Where the pair of quantiles that is nearest to the level
is at most as wide, such as that of 0.05 and 0.95 at 0.9, lower and upper are this pair, and the scale is 1
(conformalized quantile regression: Romano, Patterson and Candès, "Conformalized quantile regression", 2019). A wider
pair, such as that at 0.5, would have to be moved towards each other by an amount that is the same for all rows: the
bounds of narrow rows cross, and any error of the quantiles counts in full. There the median is both, and the width of
the pair is the scale (normalized conformal prediction: Papadopoulos, Gammerman and Vovk, "Normalized nonconformity
measures for regression conformal prediction", 2008; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
"Distribution-free predictive inference for regression", 2018). So the widths follow the spread of the rows at every
level.

A model of counts or amounts has the standard deviation that its loss assumes as the scale, the prediction to half the
power of the variance. With an exposure, scores and bounds are those of rates, and the bounds are multiplied by the
exposure of the row, so that they are proportional to it as the prediction is. For amounts above 0, whose power is 2,
bounds are computed of logarithms instead: the score is |log y - log prediction|, and the bounds are the prediction
times and divided by the same factor.

For the form of CV+ see Gupta, Kuchibhotla and Ramdas, "Nested conformal prediction and quantile out-of-bag
ensemble methods", 2022.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.text import percent_digits
from nncli.models.conformal.groups import OutOfFoldGroups, Partition
from nncli.models.conformal.options import ConformityScore, UncertaintyOptions, set_column
from nncli.models.held_out_rows import HeldOutRows
from nncli.models.predictions import Predictions
from nncli.nn.losses import MEDIAN, MIN_PROBABILITY, Loss
from nncli.nn.program.program import Bounds
from nncli.nn.program.values import Value, exp, join, log, maximum, select, smallest_sum
from nncli.targets.base import Truth, present
from nncli.targets.metrics.conformal import (
    aps_scores,
    is_in_set,
    lac_scores,
    lower_bounds,
    min_rows,
    rank,
    upper_bounds,
)
from nncli.targets.metrics.sorted_scores import Floats, Integers, SortedScores
from nncli.targets.metrics.survival_bounds import lower_time_bounds, observed_scores, time_bounds, times_at
from nncli.targets.target import Target

LOG_POWER = 2.0
"""The power of the variance of amounts whose bounds are computed of logarithms."""
MIN_SCALED = 1e-12
"""The least prediction whose power is a scale."""
MIN_WIDTH = 0.01
"""The least width that is a scale, as a share of the mean width: clipped quantiles may be equal."""
ROUNDING = 1e-9


class QuantilePair(NamedTuple):
    """The positions of two levels."""

    lower: int
    upper: int


def quantile_pair(levels: Sequence[float], level: float) -> QuantilePair:
    """The positions of the quantile levels nearest to alpha / 2 and 1 - alpha / 2, for alpha = 1 - level.

    One is below 0.5 and one above, where there are such; else it is that of 0.5.

    >>> quantile_pair((0.05, 0.25, 0.5, 0.75, 0.95), 0.8)
    QuantilePair(lower=0, upper=4)
    """
    half, median = (1.0 - level) / 2.0, levels.index(MEDIAN)
    lower = _nearest([half - level for level in levels[:median]], default=0)
    upper = _nearest([1.0 - half - level for level in levels[:median:-1]], default=0)
    return QuantilePair(lower, len(levels) - 1 - upper)


def _nearest(distances: Sequence[float], default: int) -> int:
    """The position of the smallest distance; of those that are as small, up to rounding, the first."""
    sizes = np.abs(distances)
    return int((sizes < sizes.min() + ROUNDING).argmax()) if len(sizes) else default


class UncalibratedBounds(NamedTuple):
    """The bounds (…, rows, targets) to which scores times the `scale` are added; None: 1."""

    lower: Floats
    upper: Floats
    scale: Floats | None


@dataclass(frozen=True)
class IntervalScore:
    """How rows are scored for intervals of a level; see the module.

    `pair` are the positions of two quantiles, None for a model of one number. The scale is their width, and at least
    `min_width` (targets,); None: the scale is 1, or the prediction to half the `power`, if there is one. With `is_log`
    scores and bounds are of logarithms. Scores and bounds are those of rates, `per_exposure`, if the target has these.
    """

    pair: QuantilePair | None = None
    median: int = 0
    min_width: Floats | None = None
    power: float | None = None
    per_exposure: bool = False

    @property
    def is_log(self) -> bool:
        return self.power == LOG_POWER

    @classmethod
    def of(cls, predictions: Predictions, level: float, loss: Loss) -> IntervalScore:
        """The score for a level, from the predictions (n,) of calibration rows by a model of the loss."""
        levels, quantiles = predictions.levels, predictions.quantiles
        if quantiles is None:
            return cls(power=loss.interval_power, per_exposure=predictions.target.has_rates)
        pair = quantile_pair(levels, level)
        if levels[pair.upper] - levels[pair.lower] <= level + ROUNDING:
            return cls(pair)
        with np.errstate(over="ignore", invalid="ignore"):
            widths = (quantiles[:, :, pair.upper] - quantiles[:, :, pair.lower]).T
            means = np.array([w[np.isfinite(w)].mean() if np.isfinite(w).any() else 0.0 for w in widths])
        return cls(pair, levels.index(MEDIAN), np.where(np.isfinite(means) & (means > 0.0), MIN_WIDTH * means, 1.0))

    def values(self, predictions: Predictions) -> Floats:
        """The predicted values (rows, targets), or the rates."""
        return predictions.per_exposure if self.per_exposure else predictions.values

    def factor(self, predictions: Predictions) -> Floats | float:
        """What the bounds are multiplied by: the exposures (rows, 1) for those of rates, else 1."""
        return predictions.exposure[:, None] if self.per_exposure and predictions.exposure is not None else 1.0

    def bounds(self, values: Floats, quantiles: Floats | None) -> UncalibratedBounds:
        """The bounds from predictions (…, rows, targets) or quantiles (…, rows, targets, levels)."""
        if self.is_log:
            values = np.log(np.maximum(values, MIN_PROBABILITY))
        if self.pair is None or quantiles is None:
            scale = None if self.power is None or self.is_log else np.maximum(values, MIN_SCALED) ** (self.power / 2.0)
            return UncalibratedBounds(values, values, scale)
        lower, upper = quantiles[..., self.pair.lower], quantiles[..., self.pair.upper]
        if self.min_width is None:
            return UncalibratedBounds(lower, upper, None)
        median = quantiles[..., self.median]
        return UncalibratedBounds(median, median, np.maximum(upper - lower, self.min_width))

    def scores(self, predictions: Predictions, y: Floats) -> Floats:
        """The scores (n, targets) of rows with targets `y` (n, targets)."""
        with np.errstate(over="ignore", invalid="ignore"):
            lower, upper, scale = self.bounds(self.values(predictions), predictions.quantiles)
            y = y / self.factor(predictions)
            y = np.log(np.maximum(y, MIN_PROBABILITY)) if self.is_log else y
            scores = np.maximum(lower - y, y - upper)
            return np.asarray(scores if scale is None else scores / scale)


@dataclass(frozen=True)
class Interval:
    """The bounds (rows, targets) of prediction intervals, in the units of the targets."""

    level: float
    lower: Floats
    upper: Floats

    def columns(self, target: Target) -> dict[str, pl.Series]:
        """lower_90 and upper_90, with _TARGET for several targets."""
        columns = {}
        for j, name in enumerate(target.names):
            suffix = percent_digits(self.level) + ("" if len(target.names) == 1 else f"_{name}")
            columns[f"lower_{suffix}"] = pl.Series(self.lower[:, j])
            columns[f"upper_{suffix}"] = pl.Series(self.upper[:, j])
        return columns


@dataclass(frozen=True)
class IntervalCalibration:
    """The scores of the calibration rows, sorted for each part and target, for intervals of a level.

    Bounds below 0 are 0 for a target that never was (the sign 1 of `HeldOutRows.signs`), and those above 0 for a target
    that never was (-1).
    """

    level: float
    score: IntervalScore
    partition: Partition
    scores: tuple[tuple[SortedScores, ...], ...]
    signs: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        level: float,
        partition: Partition,
        rows: HeldOutRows,
        groups: OutOfFoldGroups,
        loss: Loss,
    ) -> IntervalCalibration:
        """Calibrate by the scored predictions of calibration rows.

        The members' final predictions are not used: the rows took part in choosing their epoch, so their errors are too
        small. The scored predictions are those of the epoch that other rows chose.
        """
        score = IntervalScore.of(rows.predictions, level, loss)
        scores = score.scores(rows.predictions, rows.y)
        parts = tuple(
            tuple(SortedScores.of(scores[part, j], groups.group[part], len(groups)) for j in range(scores.shape[1]))
            for part in partition.rows
        )
        return cls(level, score, partition, parts, rows.signs)

    def predict(self, of_groups: Sequence[Predictions], codes: Integers) -> Interval:
        """The intervals of rows, from the predictions of each group; `codes` (rows,) are those of the partition."""
        quantiles = [group.quantiles for group in of_groups if group.quantiles is not None]
        values = np.stack([self.score.values(group) for group in of_groups])
        below, above, scale = self.score.bounds(values, np.stack(quantiles) if quantiles else None)
        _, n, targets = below.shape
        lower, upper = np.empty((n, targets)), np.empty((n, targets))
        parts = self.partition.parts(codes)
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            for j, scores in enumerate(self.scores[p]):
                scales = None if scale is None else scale[:, rows, j]
                lower[rows, j] = lower_bounds(scores, below[:, rows, j], self.level, scales)
                upper[rows, j] = upper_bounds(scores, above[:, rows, j], self.level, scales)
        if self.score.is_log:
            lower, upper = np.exp(lower), np.exp(upper)
        lower, upper = clip_bounds(*ordered_bounds(lower, upper), self.signs)
        factor = self.score.factor(of_groups[0])
        return Interval(self.level, lower * factor, upper * factor)

    def lower(
        self, target: Target, values: Sequence[Value], quantiles: Sequence[Value], exposure: Value | None = None
    ) -> Bounds:
        """The operations of `predict` for a partition of one part.

        `values` (rows, targets) and `quantiles` (rows, targets · levels) are those of each group; with an `exposure`
        (rows, 1) they are rates.
        """
        (by_target,) = self.scores
        levels = quantiles[0].width // len(by_target) if quantiles else 0
        lower, upper = [], []
        for j, scores in enumerate(by_target):
            bounds = [group.columns(range(j * levels, (j + 1) * levels)) for group in quantiles]
            below, above, scale = _uncalibrated(self.score, [group.columns([j]) for group in values], bounds, j)
            k = rank(self.level, scores.n)
            lower.append(_smallest(scores, below * -1.0, scale, k) * -1.0)
            upper.append(_smallest(scores, above, scale, k))
        low, high = join(lower), join(upper)
        if self.score.is_log:
            low, high = exp(low), exp(high)
        middle, crossed = (low + high) / 2.0, low > high  # as `ordered_bounds`
        ends = [_lower_clip(select(crossed, middle, end), self.signs) for end in (low, high)]
        return Bounds(self.level, *((end if exposure is None else end * exposure).position for end in ends))


def covered_rows(
    predictions: Predictions, y: Floats, level: float, parts: Sequence[Integers], loss: Loss
) -> npt.NDArray[np.bool_]:
    """Whether calibration rows with the targets y (n, targets) are covered, by the quantile of the scores of each part.

    The share of each part is the level, so that other groups of rows can be compared with it. Where parts share rows,
    the first of them counts.
    """
    scores = IntervalScore.of(predictions, level, loss).scores(predictions, y)
    covered = np.empty(scores.shape, np.bool_)
    for part in reversed(parts):
        covered[part] = scores[part] <= np.sort(scores[part], axis=0)[rank(level, len(part)) - 1]
    return covered


def ordered_bounds(lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The bounds, where those in the wrong order are their mean.

    They cross where quantiles cover too much and are moved towards each other, and where groups differ by more than
    their errors at a low level. An empty interval covers no less with a point in it.
    """
    crossed, lower, upper = lower > upper, lower.copy(), upper.copy()
    lower[crossed] = upper[crossed] = (lower[crossed] + upper[crossed]) / 2.0
    return lower, upper


def clip_bounds(lower: Floats, upper: Floats, signs: Sequence[int]) -> tuple[Floats, Floats]:
    """The bounds (n, targets) within the numbers of the signs, see `IntervalCalibration`: these cover no less."""
    for j, sign in enumerate(signs):
        for bounds in (lower, upper):
            if sign:
                bounds[bounds[:, j] * sign <= 0.0, j] = 0.0
    return lower, upper


def _lower_clip(bounds: Value, signs: Sequence[int]) -> Value:
    """The operations of `clip_bounds` for lower or upper ones."""
    if not any(signs):
        return bounds
    columns = [bounds.columns([j]) for j in range(len(signs))]
    clipped = [select(x * sign <= 0.0, 0.0, x) if sign else x for x, sign in zip(columns, signs, strict=True)]
    return join(clipped)


def _uncalibrated(
    score: IntervalScore, values: Sequence[Value], quantiles: Sequence[Value], j: int
) -> tuple[Value, Value, Value | None]:
    """The operations of `IntervalScore.bounds` for the target j: lower, upper and scale (rows, groups)."""
    if score.pair is None:
        both = join(values)
        if score.is_log:
            both = log(maximum(both, MIN_PROBABILITY))
        elif score.power is not None:
            return both, both, exp(log(maximum(both, MIN_SCALED)) * (score.power / 2.0))
        return both, both, None
    lower = join([group.columns([score.pair.lower]) for group in quantiles])
    upper = join([group.columns([score.pair.upper]) for group in quantiles])
    if score.min_width is None:
        return lower, upper, None
    median = join([group.columns([score.median]) for group in quantiles])
    return median, median, maximum(upper - lower, float(score.min_width[j]))


def _smallest(scores: SortedScores, shifts: Value, scales: Value | None, k: int) -> Value:
    """The operations of `SortedScores.smallest` (rows, 1): infinite if fewer than k scores are finite."""
    if k > scores.finite:
        return shifts.columns([0]) * 0.0 + np.inf
    return smallest_sum(shifts, scales, [scores.ascending(g) for g in range(scores.groups)], k)


@dataclass(frozen=True)
class LowerBounds:
    """Lower bounds (rows,) of times."""

    level: float
    lower: Floats

    def columns(self, target: Target) -> dict[str, pl.Series]:
        """lower_90."""
        return {f"lower_{percent_digits(self.level)}": pl.Series(self.lower)}


@dataclass(frozen=True)
class BoundCalibration:
    """The scores of the calibration rows, sorted for each part, for lower bounds of times; see `survival_bounds`."""

    level: float
    partition: Partition
    scores: tuple[SortedScores, ...]

    @classmethod
    def of(
        cls,
        level: float,
        partition: Partition,
        rows: HeldOutRows,
        groups: OutOfFoldGroups,
    ) -> BoundCalibration:
        """Calibrate by the survival that is predicted for the times for which calibration rows were observed."""
        scores = time_scores(rows.predictions, rows.y)
        parts = tuple(SortedScores.of(scores[part], groups.group[part], len(groups)) for part in partition.rows)
        return cls(level, partition, parts)

    def predict(self, of_groups: Sequence[Predictions], codes: Integers) -> LowerBounds:
        """The bounds of rows, from the predictions of each group; `codes` (rows,) are those of the partition."""
        curve = present(of_groups[0].target.curve)
        curves = curve.logarithms(np.stack([group.values for group in of_groups]))
        parts = self.partition.parts(codes)
        lower = np.empty(len(parts))
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            lower[rows] = time_bounds(curves[:, rows], curve.times, self.scores[p], self.level)
        return LowerBounds(self.level, lower)

    def lower(
        self, target: Target, values: Sequence[Value], quantiles: Sequence[Value], exposure: Value | None = None
    ) -> Bounds:
        """The operations of `predict` for a partition of one part, from the values (rows, outputs) of each group."""
        curve = present(target.curve)
        curves = [curve.lower_logarithms(group) for group in values]
        bound = lower_time_bounds(curves, curve.times, self.scores[0], self.level)
        return Bounds(self.level, bound.position, None)


def time_scores(predictions: Predictions, y: Truth) -> Floats:
    """The scores (rows,) of rows for lower bounds of times."""
    curve = present(predictions.target.curve)
    return observed_scores(curve.logarithms(predictions.values), curve.times, curve.observed(y)[0])


SCORES: dict[ConformityScore, Callable[[Floats], Floats]] = {"lac": lac_scores, "aps": aps_scores}


@dataclass(frozen=True)
class PredictionSets:
    """The classes that cannot be excluded: a mask (rows, classes)."""

    level: float
    included: npt.NDArray[np.bool_]

    def columns(self, target: Target) -> dict[str, pl.Series]:
        """set_90, whose cells are lists of classes."""
        labels = target.class_labels.every("set")
        classes = pl.Series(np.nonzero(self.included)[1], dtype=pl.Int64)
        return {set_column(self.level): lists_of(labels.gather(classes), self.included.sum(axis=1))}


def lists_of(items: pl.Series, sizes: Integers) -> pl.Series:
    """Consecutive items as lists of these sizes (rows,)."""
    row = pl.Series("row", np.repeat(np.arange(len(sizes)), sizes), dtype=pl.Int64)
    grouped = pl.DataFrame({"row": row, "set": items}).group_by("row", maintain_order=True).agg("set")
    every = pl.DataFrame({"row": pl.Series(np.arange(len(sizes)), dtype=pl.Int64)})
    lists = every.join(grouped, on="row", how="left", maintain_order="left")["set"]
    return lists.fill_null(pl.Series([[]], dtype=pl.List(items.dtype)))


@dataclass(frozen=True)
class SetCalibration:
    """The scores of the calibration rows, sorted for each part, for sets of a level.

    The parts are those of rows, or, if `by_class`, those of classes.
    """

    level: float
    score: ConformityScore
    partition: Partition
    by_class: bool
    scores: tuple[SortedScores, ...]

    @classmethod
    def of(
        cls,
        level: float,
        partition: Partition,
        rows: HeldOutRows,
        groups: OutOfFoldGroups,
        options: UncertaintyOptions,
    ) -> SetCalibration:
        """Calibrate by the scores of the true classes of calibration rows."""
        scores = SCORES[options.conformity_score](rows.predictions.values)
        of_truth = np.take_along_axis(scores, rows.y[:, None], axis=1)[:, 0]
        parts = tuple(SortedScores.of(of_truth[rows], groups.group[rows], len(groups)) for rows in partition.rows)
        return cls(level, options.conformity_score, partition, options.part == "class", parts)

    def predict(self, of_groups: Sequence[Predictions], codes: Integers) -> PredictionSets:
        """The sets of rows, from the predictions of each group.

        `codes` (rows,) are those of the partition, unless it is one of classes.
        """
        scores, target = np.stack([SCORES[self.score](group.values) for group in of_groups]), of_groups[0].target
        _, n, classes = scores.shape
        included = np.empty((n, classes), np.bool_)
        if self.by_class:
            for c, p in enumerate(self.partition.part):
                included[:, c] = is_in_set(self.scores[p], scores[:, :, c], self.level)
            return PredictionSets(self.level, target.complete_sets(included))
        parts = self.partition.parts(codes)
        for p in np.unique(parts):
            rows = np.flatnonzero(parts == p)
            for c in range(classes):
                included[rows, c] = is_in_set(self.scores[p], scores[:, rows, c], self.level)
        return PredictionSets(self.level, target.complete_sets(included))

    def lower(
        self, target: Target, values: Sequence[Value], quantiles: Sequence[Value], exposure: Value | None = None
    ) -> None:
        """None: programs have no sets."""


Calibration: TypeAlias = IntervalCalibration | BoundCalibration | SetCalibration


def calibrate(
    level: float,
    partition: Partition,
    rows: HeldOutRows,
    groups: OutOfFoldGroups,
    options: UncertaintyOptions,
    loss: Loss,
) -> Calibration:
    """The calibration of the intervals, lower bounds or sets that the target of the rows has."""
    target = rows.predictions.target
    if target.uncertainty == "prediction_set":
        return SetCalibration.of(level, partition, rows, groups, options)
    if target.has_upper_bound:
        return IntervalCalibration.of(level, partition, rows, groups, loss)
    return BoundCalibration.of(level, partition, rows, groups)


PARTS, MAX_FOLDS = 5, 20
"""Parts of rows without folds, and folds from which on rows are dealt into parts instead: each fold costs a sort."""


def calibration_folds(oof_mask: npt.NDArray[np.bool_] | None, n: int, groups: Integers | None = None) -> Integers:
    """The fold (n,) of each held-out row: the rows that the same members held out.

    Rows of one network, and of very many folds, are dealt into five parts at random, the same for the same number of
    rows. The rows of a group (n,) are in the same part: the groups are dealt one by one, those of the most rows first.
    """
    if oof_mask is not None:
        members = OutOfFoldGroups.of_mask(oof_mask)
        if 1 < len(members) <= MAX_FOLDS:
            return members.group
    if groups is None:
        return np.random.default_rng(0).permutation(n) % PARTS
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    part = np.empty(len(sizes), np.int64)
    part[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes)) % PARTS
    return part[number]


def possible_levels(levels: Sequence[float], folds: Integers) -> tuple[float, ...]:
    """The levels for which the rows of the other folds suffice."""
    fewest = len(folds) - int(np.bincount(folds).max())
    return tuple(level for level in levels if min_rows(level) <= fewest)


def cross_quantiles(scores: Floats, folds: Integers, levels: Sequence[float]) -> Floats:
    """For each level and row (levels, n), the bound on its score by the scores (n,) of the rows of other folds.

    A score that is NaN counts as infinite.
    """
    scores, bounds = np.where(np.isnan(scores), np.inf, scores), np.empty((len(levels), len(scores)))
    for fold in np.unique(folds):
        in_fold = folds == fold
        others = np.sort(scores[~in_fold])
        for bound, level in zip(bounds, levels, strict=True):
            bound[in_fold] = others[rank(level, len(others)) - 1]
    return bounds


def cross_intervals(
    predictions: Predictions, y: Floats, folds: Integers, level: float, loss: Loss, signs: Sequence[int] = ()
) -> tuple[Floats, Floats]:
    """The bounds (n, targets) of the intervals of rows with the targets y (n, targets); for signs see `clip_bounds`."""
    score = IntervalScore.of(predictions, level, loss)
    lower, upper, scale = score.bounds(score.values(predictions), predictions.quantiles)
    scores, factor = score.scores(predictions, y), score.factor(predictions)
    bounds = np.stack([cross_quantiles(column_scores, folds, [level])[0] for column_scores in scores.T], axis=1)
    with np.errstate(over="ignore", invalid="ignore"):
        bounds = bounds if scale is None else bounds * scale
        lower, upper = lower - bounds, upper + bounds
        if score.is_log:
            lower, upper = np.exp(lower), np.exp(upper)
        lower, upper = clip_bounds(*ordered_bounds(lower, upper), signs)
        return lower * factor, upper * factor


def cross_bounds(predictions: Predictions, y: Truth, folds: Integers, level: float) -> Floats:
    """The lower bounds (n,) of the times of rows with the targets y."""
    curve = present(predictions.target.curve)
    (scores,) = cross_quantiles(time_scores(predictions, y), folds, [level])
    return times_at(curve.logarithms(predictions.values), curve.times, scores)


def cross_sets(P: Floats, y: Integers, folds: Integers, levels: Sequence[float]) -> list[npt.NDArray[np.bool_]]:
    """For each level the sets (n, classes) of rows with these probabilities (n, classes) and classes y (n,)."""
    scores = lac_scores(P)
    of_truth = scores[np.arange(len(scores)), y]
    # a score that is NaN is not above the bound: it excludes no class
    return [~(scores > bound[:, None]) for bound in cross_quantiles(of_truth, folds, levels)]
