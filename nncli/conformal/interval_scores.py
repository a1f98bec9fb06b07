"""Conformity scores of calibration rows, and the ends of intervals before calibration, for regression.

A model that predicts several quantiles is calibrated by conformalized quantile regression: Romano, Patterson and
Candès, "Conformalized quantile regression", 2019. The score of a row is max(q_lower - y, y - q_upper), negative within
the two quantiles, and the calibrated bounds move both of them. So the widths follow the spread of the rows. Any other
model has the score |y - prediction|, that is both quantiles are the prediction. For the form of CV+ see Gupta,
Kuchibhotla and Ramdas, "Nested conformal prediction and quantile out-of-bag ensemble methods", 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nncli.conformal.member_groups import MemberGroups
from nncli.ensemble import AnyModel
from nncli.metrics.sorted_scores import Floats
from nncli.predictions import Predictions


class QuantilePair(NamedTuple):
    """The positions of two levels."""

    lower: int
    upper: int


def quantile_pair(levels: Sequence[float], level: float) -> QuantilePair:
    """The positions of the quantile levels that are nearest to alpha / 2 and 1 - alpha / 2, for alpha = 1 - level.

    >>> quantile_pair((0.05, 0.25, 0.5, 0.75, 0.95), 0.8)
    QuantilePair(lower=0, upper=4)
    """
    half = (1.0 - level) / 2.0
    below, above = np.abs(np.array(levels) - half), np.abs(np.array(levels)[::-1] - (1.0 - half))
    # of two levels as near as each other, up to rounding, the outer one
    lower, upper = int((below < below.min() + 1e-12).argmax()), int((above < above.min() + 1e-12).argmax())
    return QuantilePair(lower, len(levels) - 1 - upper)


@dataclass(frozen=True)
class Endpoints:
    """The mean predictions `values` (groups, rows, targets) of each group for new rows.

    `quantiles` (groups, rows, targets, levels) are those of a model that predicts several.
    """

    values: Floats
    quantiles: Floats | None = None
    levels: tuple[float, ...] = ()

    def at(self, level: float) -> tuple[Floats, Floats]:
        """The ends (groups, rows, targets) to which the scores of a group's rows are added, below and above."""
        if self.quantiles is None:
            return self.values, self.values
        lower, upper = quantile_pair(self.levels, level)
        return self.quantiles[:, :, :, lower], self.quantiles[:, :, :, upper]


def uncalibrated_bounds(predictions: Predictions, level: float) -> tuple[Floats, Floats]:
    """The bounds (n, targets) of rows before calibration: the two quantiles for the level, or twice the predictions."""
    if predictions.quantiles is None:
        return predictions.values, predictions.values
    lower, upper = quantile_pair(predictions.levels, level)
    return predictions.quantiles[:, :, lower], predictions.quantiles[:, :, upper]


def conformity_scores(predictions: Predictions, y: Floats, level: float) -> Floats:
    """The scores (n, targets) of scored predictions and their targets, for intervals of a level.

    The members' final predictions are not used: the rows took part in choosing their epoch, so their errors are too
    small. The scored predictions are those of the epoch that other rows chose.
    """
    lower, upper = uncalibrated_bounds(predictions, level)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.maximum(lower - y, y - upper))


def group_endpoints(groups: MemberGroups, model: AnyModel, members: Sequence[Predictions]) -> Endpoints:
    """The mean predictions of each group for new rows, and their quantiles."""
    levels = model.spec.loss.quantile_levels
    quantiles = groups.predict_quantiles(members) if levels else None
    return Endpoints(groups.predict(model, members), quantiles, levels)
