"""What pictures and sections on predictions are made of: a part of a head gives views, which a report draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.metrics.classification import ClassScore
from nncli.targets.metrics.survival import SurvivalCalibration

if TYPE_CHECKING:
    from nncli.targets.target_base import Predicted, TargetBase, Truth


class Intervals(NamedTuple):
    """The ends (rows, targets) of the intervals of each row, which cover the share `level` of new rows."""

    lower: Floats
    upper: Floats
    level: float


@dataclass(frozen=True)
class ActualByPredicted:
    """The actual and the predicted numbers (rows,) of the target `name`, with the ends of their intervals."""

    name: str
    actual: Floats
    predicted: Floats
    intervals: Intervals | None


@dataclass(frozen=True)
class Separation:
    """The probability (rows,) of one of two classes, and which rows are of it.

    `labels` are the other class and this one, which is predicted from the `threshold` on.
    """

    labels: tuple[str, str]
    probability: Floats
    is_positive: NDArray[np.bool_]
    weights: Floats
    threshold: float


@dataclass(frozen=True)
class Confusions:
    """The rows, or the sums of their weights, by actual and predicted class (classes, classes)."""

    labels: tuple[str, ...]
    counts: Floats


@dataclass(frozen=True)
class LabelRates:
    """The scores of each label, and the probability from which it is predicted."""

    scores: tuple[ClassScore, ...]
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class SurvivalCurves:
    """The survival (groups, times) of groups of rows of rising risk: the Kaplan-Meier estimate, and the mean predicted.

    `names` are the time and the event. The `calibration` is that of the survival at the `horizon`.
    """

    names: tuple[str, ...]
    times: Floats
    observed: Floats
    predicted: Floats
    horizon: float
    calibration: SurvivalCalibration


@dataclass(frozen=True)
class OneClass:
    """Which rows are of a class or have a label, with their probability and weights (rows,), None for equal ones."""

    is_positive: NDArray[np.bool_]
    probability: Floats
    weights: Floats | None


@dataclass(frozen=True)
class Reliability:
    """The probability `of` a class in some cells (cells,), whether it was that class, and the calibration error."""

    of: str
    probability: Floats
    is_observed: NDArray[np.bool_]
    weights: Floats | None
    error: float


@dataclass(frozen=True)
class ClassProbabilities:
    """The probabilities of each class or label against the rest, by its position, and their reliability."""

    of_class: Callable[[int], OneClass]
    reliability: Reliability


@dataclass(frozen=True)
class PositiveClass:
    """The rows of the positive one of two classes, by its probability."""

    label: str
    rows: OneClass


@dataclass(frozen=True)
class QuantileShare:
    """The share of the actual numbers that are at most the predicted quantile of a level."""

    level: float
    share: float


@dataclass(frozen=True)
class QuantileShares:
    """The shares (targets, levels) of the actual numbers that are at most the predicted quantiles."""

    names: tuple[str, ...]
    levels: tuple[float, ...]
    shares: Floats


@dataclass(frozen=True)
class IntegralTransform:
    """The share (rows,) of each predicted distribution that is below the actual number."""

    name: str
    shares: Floats


@dataclass(frozen=True)
class Amounts:
    """Counts or amounts (rows,), those that a model and the baseline predict, and the exposure, None without."""

    name: str
    actual: Floats
    predicted: Floats
    baseline: Floats
    weights: Floats | None
    exposure: Floats | None


@dataclass(frozen=True)
class Residuals:
    """Actual and predicted numbers (rows, targets), with further views of all and of the target at a position."""

    names: tuple[str, ...]
    actual: Floats
    predicted: Floats
    of_all: tuple[View, ...]
    of_target: Callable[[int], tuple[View, ...]]


View: TypeAlias = (
    ActualByPredicted
    | Separation
    | Confusions
    | LabelRates
    | SurvivalCurves
    | ClassProbabilities
    | PositiveClass
    | QuantileShare
    | QuantileShares
    | IntegralTransform
    | Amounts
    | Residuals
)


@dataclass(frozen=True)
class Views:
    """What sections on the predictions of rows are made of; none where only the picture is known."""

    target: TargetBase

    def of_rows(
        self, predictions: Predicted, y: Truth, weights: Floats | None, baseline: Predicted
    ) -> tuple[View, ...]:
        """The views of rows, and of the predictions of the baseline for them."""
        return ()
