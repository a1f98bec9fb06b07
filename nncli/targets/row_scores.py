"""Scores of the targets of training rows in a diagnosis: the accuracy of classes, or the R² of numbers.

Encoded targets y are class codes (rows,), or numbers (rows, targets) of which the first is scored.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import isfinite
from typing import ClassVar

import numpy as np

from nncli.nn.arrays import AnyArray, Codes, Floats


class RowScore(ABC):
    """A score of predictions, with simple predictions from the targets of other rows."""

    name: ClassVar[str]

    @abstractmethod
    def values(self, y: AnyArray) -> AnyArray:
        """The targets (rows,) that are scored, from encoded ones."""

    @abstractmethod
    def of_outputs(self, outputs: Floats) -> AnyArray | None:
        """The prediction of each row (rows,) from predicted values (rows, outputs); None if they do not tell it."""

    @abstractmethod
    def of_neighbors(self, values: AnyArray) -> AnyArray:
        """The prediction of each row (rows,) from the targets (rows, neighbors) of other rows."""

    @abstractmethod
    def score(self, predicted: AnyArray, values: AnyArray, weights: AnyArray | None) -> float:
        """The score of predictions (rows,)."""

    @abstractmethod
    def typical(self, values: AnyArray) -> float:
        """The mode or the median of the targets of rows with the same features."""

    @abstractmethod
    def tolerance(self, values: AnyArray) -> float:
        """How far such a target may be from the typical one, by the targets of all rows."""

    def recalls(self, predicted: AnyArray | None, values: AnyArray, least: int) -> dict[int, float]:
        """The recall of each class of at least so many rows, by its code; none of numbers."""
        return {}

    def chance_loss(self, loss: float) -> float:
        """The loss of outputs that are 0, which is that of equal probabilities; 0 for numbers."""
        return 0.0


class RSquared(RowScore):
    """The squared correlation of numbers with predictions."""

    name: ClassVar[str] = "R²"

    def values(self, y: AnyArray) -> AnyArray:
        return np.asarray(y[:, 0])

    def of_outputs(self, outputs: Floats) -> AnyArray | None:
        return outputs[:, 0].copy()

    def of_neighbors(self, values: AnyArray) -> AnyArray:
        return np.asarray(values.mean(axis=1))

    def score(self, predicted: AnyArray, values: AnyArray, weights: AnyArray | None) -> float:
        with np.errstate(all="ignore"):
            correlation = float(np.corrcoef(predicted.astype(np.float64), values.astype(np.float64))[0, 1])
        return correlation**2 if isfinite(correlation) else 0.0

    def typical(self, values: AnyArray) -> float:
        return float(np.sort(values)[len(values) // 2])

    def tolerance(self, values: AnyArray) -> float:
        return 0.5 * float(np.std(values))


class Accuracy(RowScore):
    """The share of the rows whose class is predicted."""

    name: ClassVar[str] = "accuracy"

    def values(self, y: AnyArray) -> AnyArray:
        return y

    def of_outputs(self, outputs: Floats) -> AnyArray | None:
        return outputs.argmax(axis=1) if outputs.shape[1] > 1 else None

    def of_neighbors(self, values: Codes) -> AnyArray:
        return np.array([np.bincount(row).argmax() for row in values])

    def score(self, predicted: AnyArray, values: AnyArray, weights: AnyArray | None) -> float:
        return float(np.average(predicted == values, weights=weights))

    def typical(self, values: Codes) -> float:
        return float(np.bincount(values).argmax())

    def tolerance(self, values: Codes) -> float:
        return 0.0

    def recalls(self, predicted: AnyArray | None, values: Codes, least: int) -> dict[int, float]:
        if predicted is None:
            return {}
        is_right, classes = predicted == values, np.flatnonzero(np.bincount(values) >= least)
        return {int(c): float(is_right[values == c].mean()) for c in classes}

    def chance_loss(self, loss: float) -> float:
        return loss
