"""Conformity scores of calibration rows, and the bounds of intervals before calibration, for regression.

The score of a row is max(lower - y, y - upper) / scale, and the calibrated bounds are lower - scale * score and
upper + scale * score. A model of one number has lower = upper = prediction and the scale 1: the score is
|y - prediction|.

A model that predicts several quantiles has one of two scores. Where the pair of quantiles that is nearest to the level
is at most as wide, such as that of 0.05 and 0.95 at 0.9, lower and upper are this pair, and the scale is 1
(conformalized quantile regression: Romano, Patterson and Candès, "Conformalized quantile regression", 2019). A wider
pair, such as that at 0.5, would have to be moved towards each other by an amount that is the same for all rows: the
bounds of narrow rows cross, and any error of the quantiles counts in full. There the median is both, and the width of
the pair is the scale (normalized conformal prediction: Papadopoulos, Gammerman and Vovk, "Normalized nonconformity
measures for regression conformal prediction", 2008; Lei, G'Sell, Rinaldo, Tibshirani and Wasserman,
"Distribution-free predictive inference for regression", 2018). So the widths follow the spread of the rows at every
level. For the form of CV+ see Gupta, Kuchibhotla and Ramdas, "Nested conformal prediction and quantile out-of-bag
ensemble methods", 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncli.models.predictions import Predictions
from nncli.nn.losses.quantile import MEDIAN
from nncli.targets.metrics.sorted_scores import Floats

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
    lower = _nearest([half - one for one in levels[:median]], default=0)
    upper = _nearest([1.0 - half - one for one in levels[:median:-1]], default=0)
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
    `min_width` (targets,); None: the scale is 1.
    """

    pair: QuantilePair | None = None
    median: int = 0
    min_width: Floats | None = None

    @classmethod
    def of(cls, predictions: Predictions, level: float) -> IntervalScore:
        """The score for a level, from the predictions (n,) of calibration rows."""
        levels, quantiles = predictions.levels, predictions.quantiles
        if quantiles is None:
            return cls()
        pair = quantile_pair(levels, level)
        if levels[pair.upper] - levels[pair.lower] <= level + ROUNDING:
            return cls(pair)
        with np.errstate(over="ignore", invalid="ignore"):
            widths = (quantiles[:, :, pair.upper] - quantiles[:, :, pair.lower]).T
            means = np.array([own[np.isfinite(own)].mean() if np.isfinite(own).any() else 0.0 for own in widths])
        return cls(pair, levels.index(MEDIAN), np.where(np.isfinite(means) & (means > 0.0), MIN_WIDTH * means, 1.0))

    def bounds(self, values: Floats, quantiles: Floats | None) -> UncalibratedBounds:
        """The bounds from predictions (…, rows, targets) or quantiles (…, rows, targets, levels)."""
        if self.pair is None or quantiles is None:
            return UncalibratedBounds(values, values, None)
        lower, upper = quantiles[..., self.pair.lower], quantiles[..., self.pair.upper]
        if self.min_width is None:
            return UncalibratedBounds(lower, upper, None)
        median = quantiles[..., self.median]
        return UncalibratedBounds(median, median, np.maximum(upper - lower, self.min_width))

    def scores(self, predictions: Predictions, y: Floats) -> Floats:
        """The scores (n, targets) of rows with targets `y` (n, targets)."""
        with np.errstate(over="ignore", invalid="ignore"):
            lower, upper, scale = self.bounds(predictions.values, predictions.quantiles)
            scores = np.maximum(lower - y, y - upper)
            return np.asarray(scores if scale is None else scores / scale)
