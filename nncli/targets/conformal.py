"""Intervals of numbers, lower bounds of times and sets of classes that cover a share of new rows: a part of a head.

Each method has a score of a row, and covers what has no higher score than a share of the calibration rows, the level.
That of lower bounds is explained in `survival_bounds`, and those of sets in `targets.metrics.conformal`.

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
power of the variance. With an exposure or an offset, scores and bounds are of relative numbers, and the bounds are put
in the context of the row, so that they are proportional to its exposure as the prediction is. For amounts above 0,
whose power is 2, bounds are computed of logarithms instead: the score is |log y - log prediction|, and the bounds are
the prediction times and divided by the same factor.

For the form of CV+ see Gupta, Kuchibhotla and Ramdas, "Nested conformal prediction and quantile out-of-bag
ensemble methods", 2022.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

import numpy as np
import polars as pl

from nncli.base.option import ConformityScore
from nncli.base.text import percent_digits
from nncli.data.encoders.row_context import LoweredContext
from nncli.nn.arrays import Codes, Floats, Mask
from nncli.nn.losses import MEDIAN, MIN_PROBABILITY, Loss
from nncli.nn.program.values import Value, exp, join, log, maximum, select, smallest_sum
from nncli.targets.metrics.conformal import aps_scores, is_in_set, lac_scores, lower_bounds, rank, upper_bounds
from nncli.targets.metrics.coverage import CoverageScores, Groups, bound_scores, interval_scores, set_scores
from nncli.targets.metrics.sorted_scores import SortedScores
from nncli.targets.metrics.survival_bounds import lower_time_bounds, observed_scores, time_bounds, times_at
from nncli.targets.output_columns import IntervalNodes
from nncli.targets.target_base import present
from nncli.targets.views import Intervals

if TYPE_CHECKING:
    from nncli.targets.survival import SurvivalCurve
    from nncli.targets.target_base import Predicted, TargetBase, Truth

LOG_POWER = 2.0
"""The power of the variance of amounts whose bounds are computed of logarithms."""
MIN_SCALED = 1e-12
"""The least prediction whose power is a scale."""
MIN_WIDTH = 0.01
"""The least width that is a scale, as a share of the mean width: clipped quantiles may be equal."""
ROUNDING = 1e-9


if TYPE_CHECKING:
    Scores = Sequence[Sequence[SortedScores]]
    """The sorted scores of calibration rows for each part and target."""


class CalibrationRows(NamedTuple):
    """The targets y of rows, with their weights and the numbers of their clusters (rows,), and a partition of them."""

    y: Truth
    weights: Floats | None
    clusters: Codes | None
    groups: Groups | None = None


class Lowered(NamedTuple):
    """The values (rows, outputs) and quantiles (rows, targets · levels) that each group of members predicts.

    They are relative to the `context`, if there is one.
    """

    values: Sequence[Value]
    quantiles: Sequence[Value]
    context: LoweredContext | None


@dataclass(frozen=True)
class Region(ABC):
    """What covers the truth of new rows with the probability `level`: for each an interval, a bound or a set."""

    level: float

    @abstractmethod
    def columns(self, target: TargetBase) -> Mapping[str, pl.Series]:
        """The columns that predictions have of it, by name."""

    @abstractmethod
    def coverage(self, target: TargetBase, rows: CalibrationRows) -> Mapping[str | None, CoverageScores]:
        """The scores of labeled rows for each target by name, None for one that need not be named."""

    @property
    def intervals(self) -> Intervals | None:
        """The intervals that a picture of predicted numbers shows; None where there are none."""
        return None


class ConformalMethod(ABC):
    """How predictions of a kind become regions, from the scores of calibration rows: the `option` that asks for it.

    It knows arrays alone: which rows are calibrated by which others is told by `nncli.models.conformal`.
    """

    option: ClassVar[Literal["interval", "prediction_set"]]
    noun: ClassVar[str]
    """What the region of a row is called."""

    def scored_by(self, conformity_score: ConformityScore) -> Self:
        """The method with this score of classes."""
        return self

    def fitted(self, level: float, predictions: Predicted, loss: Loss, signs: Sequence[int] = ()) -> Self:
        """The method for a level, from the predictions (n,) of calibration rows by a model of the loss.

        `signs` (targets,) are 1 for a target that never was below 0, and -1 for one that never was above 0.
        """
        return self

    @abstractmethod
    def scores(self, predictions: Predicted, y: Truth) -> Floats:
        """The scores (n, targets) of rows with the targets y."""

    @abstractmethod
    def region(self, level: float, of_groups: Sequence[Predicted], scores: Scores, parts: Codes) -> Region:
        """The regions of rows from the predictions of each group; `parts` (rows, 1) are theirs, or (1, classes)."""

    @abstractmethod
    def region_within(self, level: float, predictions: Predicted, bounds: Floats) -> Region:
        """The regions of rows that cover the scores up to `bounds` (rows, targets), which each row has of its own."""

    def lower(self, level: float, of_groups: Lowered, scores: Sequence[SortedScores]) -> IntervalNodes | None:
        """The operations of `region` for rows of one part; None where programs have no such regions."""
        return None

    def compared(self, predictions: Predicted) -> Mapping[str, Floats]:
        """The predicted numbers (rows,) of each target, between which coverage is compared; none of other kinds."""
        return {}


def rows_by_part(parts: Codes) -> Iterator[tuple[int, Codes]]:
    """The parts that rows (rows,) are in, and the positions of the rows of each."""
    for part in np.unique(parts):
        yield int(part), np.flatnonzero(parts == part)


# Intervals of numbers


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


@dataclass(frozen=True)
class Interval(Region):
    """The bounds (rows, targets) of prediction intervals, in the units of the targets."""

    lower: Floats
    upper: Floats

    def columns(self, target: TargetBase) -> dict[str, pl.Series]:
        """lower_90 and upper_90, with _TARGET for several targets."""
        ends, columns = (self.lower, self.upper), IntervalNodes(self.level, 0, 1).columns(target.names)
        return {column.title: pl.Series(ends[column.node][:, column.place]) for column in columns}

    def coverage(self, target: TargetBase, rows: CalibrationRows) -> dict[str | None, CoverageScores]:
        with np.errstate(over="ignore", invalid="ignore"):  # numbers beyond measure have infinite widths
            return {
                name: interval_scores(rows.y[:, j], self.lower[:, j], self.upper[:, j], self.level, *rows[1:])
                for j, name in enumerate(target.names)
            }

    @property
    def intervals(self) -> Intervals:
        return Intervals(self.lower, self.upper, self.level)


class UncalibratedBounds(NamedTuple):
    """The bounds (…, rows, targets) to which scores times the `scale` are added; None: 1."""

    lower: Floats
    upper: Floats
    scale: Floats | None


@dataclass(frozen=True)
class IntervalMethod(ConformalMethod):
    """Intervals of numbers; see the module for the score of a row.

    `pair` are the positions of two quantiles, None for a model of one number. The scale is their width, and at least
    `min_width` (targets,); None: the scale is 1, or the prediction to half the `power`, if there is one. With `is_log`
    scores and bounds are of logarithms. Both are relative to the context of the rows, if predictions are.
    Bounds below 0 are 0 for a target that never was (the sign 1 of `signs`), and those above 0 for one that never was
    (-1): these cover no less.
    """

    option = "interval"
    noun = "interval"

    pair: QuantilePair | None = None
    median: int = 0
    min_width: Floats | None = None
    power: float | None = None
    signs: tuple[int, ...] = ()

    @property
    def is_log(self) -> bool:
        return self.power == LOG_POWER

    def fitted(self, level: float, predictions: Predicted, loss: Loss, signs: Sequence[int] = ()) -> IntervalMethod:
        levels, quantiles, signs = predictions.levels, predictions.without_context().quantiles, tuple(signs)
        if quantiles is None:
            return IntervalMethod(power=loss.interval_power, signs=signs)
        pair = quantile_pair(levels, level)
        if levels[pair.upper] - levels[pair.lower] <= level + ROUNDING:
            return IntervalMethod(pair, signs=signs)
        with np.errstate(over="ignore", invalid="ignore"):
            widths = (quantiles[:, :, pair.upper] - quantiles[:, :, pair.lower]).T
            means = np.array([w[np.isfinite(w)].mean() if np.isfinite(w).any() else 0.0 for w in widths])
        min_width = np.where(np.isfinite(means) & (means > 0.0), MIN_WIDTH * means, 1.0)
        return IntervalMethod(pair, levels.index(MEDIAN), min_width, signs=signs)

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

    def scores(self, predictions: Predicted, y: Truth) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            relative = predictions.without_context()
            lower, upper, scale = self.bounds(relative.values, relative.quantiles)
            y = y if predictions.relative_to is None else predictions.relative_to.relative(y)
            y = np.log(np.maximum(y, MIN_PROBABILITY)) if self.is_log else y
            scores = np.maximum(lower - y, y - upper)
            return np.asarray(scores if scale is None else scores / scale)

    def region(self, level: float, of_groups: Sequence[Predicted], scores: Scores, parts: Codes) -> Interval:
        relative = [group.without_context() for group in of_groups]
        quantiles = [group.quantiles for group in relative if group.quantiles is not None]
        values = np.stack([group.values for group in relative])
        below, above, scale = self.bounds(values, np.stack(quantiles) if quantiles else None)
        lower, upper = np.empty(below.shape[1:]), np.empty(below.shape[1:])
        for part, rows in rows_by_part(parts[:, 0]):
            for j, of_target in enumerate(scores[part]):
                scales = None if scale is None else scale[:, rows, j]
                lower[rows, j] = lower_bounds(of_target, below[:, rows, j], level, scales)
                upper[rows, j] = upper_bounds(of_target, above[:, rows, j], level, scales)
        return self._interval(level, lower, upper, of_groups[0])

    def region_within(self, level: float, predictions: Predicted, bounds: Floats) -> Interval:
        relative = predictions.without_context()
        lower, upper, scale = self.bounds(relative.values, relative.quantiles)
        with np.errstate(over="ignore", invalid="ignore"):
            bounds = bounds if scale is None else bounds * scale
            return self._interval(level, lower - bounds, upper + bounds, predictions)

    def _interval(self, level: float, lower: Floats, upper: Floats, predictions: Predicted) -> Interval:
        """The intervals with these ends, which are those of logarithms, or relative, if the scores are.

        Ends in the wrong order are their mean. They cross where quantiles cover too much and are moved towards each
        other, and where groups differ by more than their errors at a low level. An empty interval covers no less with a
        point in it.
        """
        if self.is_log:
            lower, upper = np.exp(lower), np.exp(upper)
        crossed = lower > upper
        lower[crossed] = upper[crossed] = (lower[crossed] + upper[crossed]) / 2.0
        for j, sign in enumerate(self.signs):
            for ends in (lower, upper):
                if sign:
                    ends[ends[:, j] * sign <= 0.0, j] = 0.0
        if (context := predictions.relative_to) is not None:
            lower, upper = context.absolute(lower), context.absolute(upper)
        return Interval(level, lower, upper)

    def lower(self, level: float, of_groups: Lowered, scores: Sequence[SortedScores]) -> IntervalNodes:
        values, quantiles, context = of_groups
        levels = quantiles[0].width // len(scores) if quantiles else 0
        lower, upper = [], []
        for j, of_target in enumerate(scores):
            bounds = [group.columns(range(j * levels, (j + 1) * levels)) for group in quantiles]
            below, above, scale = self._lower_bounds([group.columns([j]) for group in values], bounds, j)
            k = rank(level, of_target.n)
            lower.append(_smallest(of_target, below * -1.0, scale, k) * -1.0)
            upper.append(_smallest(of_target, above, scale, k))
        low, high = join(lower), join(upper)
        if self.is_log:
            low, high = exp(low), exp(high)
        middle, crossed = (low + high) / 2.0, low > high
        ends = [self._lower_signs(select(crossed, middle, end)) for end in (low, high)]
        return IntervalNodes(level, *((end if context is None else context.absolute(end)).position for end in ends))

    def _lower_bounds(
        self, values: Sequence[Value], quantiles: Sequence[Value], j: int
    ) -> tuple[Value, Value, Value | None]:
        """The operations of `bounds` for the target j: lower, upper and scale (rows, groups)."""
        if self.pair is None:
            both = join(values)
            if self.is_log:
                both = log(maximum(both, MIN_PROBABILITY))
            elif self.power is not None:
                return both, both, exp(log(maximum(both, MIN_SCALED)) * (self.power / 2.0))
            return both, both, None
        lower = join([group.columns([self.pair.lower]) for group in quantiles])
        upper = join([group.columns([self.pair.upper]) for group in quantiles])
        if self.min_width is None:
            return lower, upper, None
        median = join([group.columns([self.median]) for group in quantiles])
        return median, median, maximum(upper - lower, float(self.min_width[j]))

    def _lower_signs(self, ends: Value) -> Value:
        """The operations that make ends of the wrong sign 0."""
        if not any(self.signs):
            return ends
        columns = [ends.columns([j]) for j in range(len(self.signs))]
        signed = zip(columns, self.signs, strict=True)
        return join([select(x * sign <= 0.0, 0.0, x) if sign else x for x, sign in signed])

    def compared(self, predictions: Predicted) -> dict[str, Floats]:
        return dict(zip(predictions.target.names, predictions.values.T, strict=True))


def _smallest(scores: SortedScores, shifts: Value, scales: Value | None, k: int) -> Value:
    """The operations of `SortedScores.smallest` (rows, 1): infinite if fewer than k scores are finite."""
    if k > scores.finite:
        return shifts.columns([0]) * 0.0 + np.inf
    return smallest_sum(shifts, scales, [scores.ascending(g) for g in range(scores.groups)], k)


# Lower bounds of times


@dataclass(frozen=True)
class LowerBounds(Region):
    """Lower bounds (rows,) of times."""

    lower: Floats

    def columns(self, target: TargetBase) -> dict[str, pl.Series]:
        """lower_90."""
        return {f"lower_{percent_digits(self.level)}": pl.Series(self.lower)}

    def coverage(self, target: TargetBase, rows: CalibrationRows) -> dict[str | None, CoverageScores]:
        times, events = present(target.curve).observed(rows.y)
        return {target.predicted_names[0]: bound_scores(times, events, self.lower, self.level, *rows[1:])}


@dataclass(frozen=True)
class LowerBoundMethod(ConformalMethod):
    """Lower bounds of times, of which some are censored: of these, only a lower bound is known; see `survival_bounds`.

    The score of a row is that of the survival that is predicted for the time for which it was observed.
    """

    option = "interval"
    noun = "lower bound"

    target: TargetBase

    @property
    def curve(self) -> SurvivalCurve:
        return present(self.target.curve)

    def scores(self, predictions: Predicted, y: Truth) -> Floats:
        curves, (times, _) = self.curve.logarithms(predictions.values), self.curve.observed(y)
        return observed_scores(curves, self.curve.times, times)[:, None]

    def region(self, level: float, of_groups: Sequence[Predicted], scores: Scores, parts: Codes) -> LowerBounds:
        curves = self.curve.logarithms(np.stack([group.values for group in of_groups]))
        lower = np.empty(len(parts))
        for part, rows in rows_by_part(parts[:, 0]):
            lower[rows] = time_bounds(curves[:, rows], self.curve.times, scores[part][0], level)
        return LowerBounds(level, lower)

    def region_within(self, level: float, predictions: Predicted, bounds: Floats) -> LowerBounds:
        curves = self.curve.logarithms(predictions.values)
        return LowerBounds(level, times_at(curves, self.curve.times, bounds[:, 0]))

    def lower(self, level: float, of_groups: Lowered, scores: Sequence[SortedScores]) -> IntervalNodes:
        curves = [self.curve.lower_logarithms(group) for group in of_groups.values]
        bound = lower_time_bounds(curves, self.curve.times, scores[0], level)
        return IntervalNodes(level, bound.position, None)


# Sets of classes

SCORES: dict[ConformityScore, Callable[[Floats], Floats]] = {"lac": lac_scores, "aps": aps_scores}


@dataclass(frozen=True)
class PredictionSets(Region):
    """The classes that cannot be excluded: a mask (rows, classes)."""

    included: Mask

    def columns(self, target: TargetBase) -> dict[str, pl.Series]:
        """set_90, whose cells are lists of classes."""
        labels = target.class_labels.every("set")
        classes = pl.Series(np.nonzero(self.included)[1], dtype=pl.Int64)
        return {set_column(self.level): lists_of(labels.gather(classes), self.included.sum(axis=1))}

    def coverage(self, target: TargetBase, rows: CalibrationRows) -> dict[str | None, CoverageScores]:
        return {None: set_scores(rows.y, self.included, self.level, target.labels, *rows[1:])}


def set_column(level: float) -> str:
    """The name of the column of the sets of a level."""
    return f"set_{percent_digits(level)}"


def lists_of(items: pl.Series, sizes: Codes) -> pl.Series:
    """Consecutive items as lists of these sizes (rows,)."""
    row = pl.Series("row", np.repeat(np.arange(len(sizes)), sizes), dtype=pl.Int64)
    grouped = pl.DataFrame({"row": row, "set": items}).group_by("row", maintain_order=True).agg("set")
    every = pl.DataFrame({"row": pl.Series(np.arange(len(sizes)), dtype=pl.Int64)})
    lists = every.join(grouped, on="row", how="left", maintain_order="left")["set"]
    return lists.fill_null(pl.Series([[]], dtype=pl.List(items.dtype)))


@dataclass(frozen=True)
class SetMethod(ConformalMethod):
    """Sets of classes: the score of a row is that of its true class."""

    option = "prediction_set"
    noun = "prediction set"

    conformity_score: ConformityScore = "lac"

    def scored_by(self, conformity_score: ConformityScore) -> Self:
        return replace(self, conformity_score=conformity_score)

    def complete(self, included: Mask) -> Mask:
        """The sets (rows, classes) that are given for those of new rows."""
        return included

    def scores(self, predictions: Predicted, y: Truth) -> Floats:
        return np.take_along_axis(SCORES[self.conformity_score](predictions.values), y[:, None], axis=1)

    def region(self, level: float, of_groups: Sequence[Predicted], scores: Scores, parts: Codes) -> PredictionSets:
        of_classes = np.stack([SCORES[self.conformity_score](group.values) for group in of_groups])
        included = np.empty(of_classes.shape[1:], np.bool_)
        for c, of_rows in enumerate(np.broadcast_to(parts, included.shape).T):
            for part, rows in rows_by_part(of_rows):
                included[rows, c] = is_in_set(scores[part][0], of_classes[:, rows, c], level)
        return PredictionSets(level, self.complete(included))

    def region_within(self, level: float, predictions: Predicted, bounds: Floats) -> PredictionSets:
        # a score that is NaN is not above the bound: it excludes no class
        return PredictionSets(level, ~(SCORES[self.conformity_score](predictions.values) > bounds))


@dataclass(frozen=True)
class RankSetMethod(SetMethod):
    """Ranges of ranks, from the lowest to the highest class of each set, which are never missed more often."""

    def complete(self, included: Mask) -> Mask:
        from_lowest = np.logical_or.accumulate(included, axis=1)
        to_highest = np.logical_or.accumulate(included[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(from_lowest & to_highest)
