"""What a picture of predictions is made of; the report draws each, and knows no kinds of targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Floats
from nncli.targets.metrics.classification import ClassScore
from nncli.targets.metrics.survival import Calibration


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
    calibration: Calibration


View: TypeAlias = ActualByPredicted | Separation | Confusions | LabelRates | SurvivalCurves
