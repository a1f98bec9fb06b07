"""What a training needs of a fitted target, besides its cells: how it is calibrated, averaged, and told by features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from nncli.base.errors import Advice, SetKey, config_error
from nncli.base.spec import Calibration
from nncli.data.table import Table
from nncli.nn.arrays import Codes, Floats
from nncli.nn.losses import MIN_PROBABILITY
from nncli.nn.program.values import Value
from nncli.targets.feature_scores import FeatureScores, NumberScores
from nncli.targets.kind import KindBase, L, Refusal
from nncli.targets.metrics.temperature_scaling import classification_factor, regression_factor
from nncli.targets.row_scores import RowScore, RSquared

if TYPE_CHECKING:
    from nncli.targets.target_base import Truth

HOLD_OUT = SetKey("validation", "0.2")
"""What gives a training validation rows."""
MemberValues = Callable[[], list[Floats]]
"""Returns the predictions (rows, outputs) of each member for the rows that it held out."""
MemberSum = Callable[[Sequence[Floats]], Floats]
"""The sum (rows, …) of arrays of members, each of the rows that it held out."""


@dataclass(frozen=True)
class ProbabilityCalibration:
    """How a temperature calibrates predicted values. By itself nothing is calibrated, and values stay as they are."""

    def takes(self, T: float) -> bool:
        """Whether a model can have the temperature."""
        return T == 1.0

    def at(self, values: Floats, T: float) -> Floats:
        """Probabilities (rows, outputs) at a temperature other than 1."""
        return values

    def lower(self, values: Value, T: float) -> Value:
        """The operations of `at`."""
        return values

    def as_classes(self, y: Truth, values: Floats, weights: Floats | None) -> tuple[Codes, Floats, Floats | None]:
        """Codes (cells,), probabilities (cells, classes) and weights (cells,), by which a temperature is fitted."""
        return y, values, weights


UNCALIBRATED = ProbabilityCalibration()


class TrainingBase(KindBase):
    """A fitted target in a training. By itself it is one target of numbers."""

    def fit_loss(
        self, loss: L, read: Callable[[Sequence[str]], Table], weight: str | None, importance: Mapping[str, float]
    ) -> L:
        """The loss with what it has to know of the training rows, whose columns `read` returns, with their `weight`."""
        return loss

    def feature_scores(self, y: Truth, width: int) -> FeatureScores:
        """Scores of so many features by which they tell about the targets y of some rows, which are still to add."""
        return NumberScores(width, y)

    @property
    def row_score(self) -> RowScore | None:
        """What the targets of training rows are scored by in a diagnosis; None where no score is known of a row."""
        return RSquared()

    def encoded_size(self, y: Truth) -> float:
        """The size of encoded targets y: the root of their mean square, or 1 where probabilities are predicted."""
        return sqrt(float(np.square(y, dtype=np.float64).mean()))

    @property
    def calibration(self) -> ProbabilityCalibration:
        """How a temperature calibrates its predicted values."""
        return UNCALIBRATED

    def no_temperature(self, *, is_monotone: bool, has_validation: bool) -> Refusal | None:
        """Why no temperature calibrates it, perhaps with monotone columns, and a hint; None if one does."""
        if "temperature" not in self.calibrations:
            return f"the target is a {self.noun}, which has no probabilities of classes", "Remove the key."
        if not has_validation:
            return "it needs validation rows, and validation is 0", Advice("Use ", HOLD_OUT, ".")
        return None

    def resolved_calibration(
        self, configured: Calibration, *, is_monotone: bool = False, has_validation: bool = True
    ) -> Calibration:
        """The calibration of a training: temperature or none; of several targets, of which each has its own, as it is.

        Raises:
            ConfigError: a temperature is configured, and does not calibrate the target.
        """
        refusal = self.no_temperature(is_monotone=is_monotone, has_validation=has_validation)
        if configured == "temperature" and refusal is not None:
            raise config_error("calibration", *refusal)
        return "none" if configured == "none" or refusal is not None else "temperature"

    def calibrates(self, resolved: Calibration) -> bool:
        """Whether a temperature calibrates it as a whole, with a resolved calibration."""
        return resolved == "temperature"

    def averaging_factors(
        self, members: MemberValues, total: MemberSum, counts: Codes, scored: tuple[Floats, Truth, Floats | None]
    ) -> tuple[float, ...]:
        """The factors of the errors from held-out rows to the mean of all members: of the mean squared errors.

        `counts` (rows,) says how many members held a row out. The mean of those has the values, y and weights `scored`.
        """
        values, y, weights = scored
        each = members()
        mse = np.average(np.square(values - y), axis=0, weights=weights)
        squares = total([np.square(values) for values in each])
        return tuple(regression_factor(total(each), squares, counts, mse, len(each)).tolist())


def log_loss_factors(distributions: Sequence[tuple[Floats, ...]], total: MemberSum, counts: Codes) -> tuple[float, ...]:
    """The factor of the log loss, by the `distributions` of each member; see `averaging_factors`."""
    parts = [*zip(*distributions, strict=True)]
    sums = np.concatenate([total(part) for part in parts], axis=1)
    logarithms = [total([np.log(np.maximum(P, MIN_PROBABILITY)) for P in part]) for part in parts]
    return (classification_factor(sums, np.concatenate(logarithms, axis=1), counts, len(distributions)),)
