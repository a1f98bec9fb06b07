"""What targets of rows are scored by in a diagnosis: the accuracy of classes, or the R² of numbers.

Encoded targets y are class codes (rows,), or numbers (rows, targets) of which the first is scored.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Codes, Floats

Values = npt.NDArray[Any]
"""Targets, predictions or weights (rows,)."""


class SquaredCorrelation:
    """Numbers are scored by their squared correlation with predictions."""

    name: ClassVar[str] = "R²"

    def values(self, y: Values) -> Values:
        """The targets (rows,) that are scored."""
        return np.asarray(y[:, 0])

    def usual(self, values: Values) -> float:
        """The value that stands for those of rows with the same features."""
        return float(np.sort(values)[len(values) // 2])

    def tolerance(self, values: Values) -> float:
        """How far values of such rows are apart at most that do not contradict each other, by those of all rows."""
        return 0.5 * float(np.std(values))

    def of_neighbors(self, values: Values) -> Values:
        """The prediction of each row (rows,) from the values (rows, neighbors) of other rows."""
        return np.asarray(values.mean(axis=1))

    def of_outputs(self, values: Floats) -> Values | None:
        """The prediction of each row (rows,) from predicted values (rows, outputs); None if they do not tell it."""
        return values[:, 0].copy()

    def score(self, predicted: Values, values: Values, weights: Values | None) -> float:
        """The score of predictions."""
        with np.errstate(all="ignore"):
            correlation = float(np.corrcoef(predicted.astype(np.float64), values.astype(np.float64))[0, 1])
        return correlation**2 if isfinite(correlation) else 0.0

    def recalls(self, predicted: Values | None, values: Values, least: int) -> dict[int, float]:
        """The recall of each class of at least so many rows, by its code; none of numbers."""
        return {}

    def of_chance(self, loss: float) -> float:
        """The loss of the outputs 0, where these stand for chance; else 0."""
        return 0.0


class Accuracy(SquaredCorrelation):
    """Classes are scored by the share of the rows that are right."""

    name: ClassVar[str] = "accuracy"

    def values(self, y: Values) -> Values:
        return y

    def usual(self, values: Codes) -> float:
        return float(np.bincount(values).argmax())

    def tolerance(self, values: Codes) -> float:
        return 0.0

    def of_neighbors(self, values: Codes) -> Values:
        return np.array([np.bincount(row).argmax() for row in values])

    def of_outputs(self, values: Floats) -> Values | None:
        return values.argmax(axis=1) if values.shape[1] > 1 else None

    def score(self, predicted: Values, values: Values, weights: Values | None) -> float:
        return float(np.average(predicted == values, weights=weights))

    def recalls(self, predicted: Values | None, values: Codes, least: int) -> dict[int, float]:
        if predicted is None:
            return {}
        return {
            int(c): float((predicted == values)[values == c].mean())
            for c in np.flatnonzero(np.bincount(values) >= least)
        }

    def of_chance(self, loss: float) -> float:
        return loss
