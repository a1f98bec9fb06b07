"""Scores of single features: the share of their variance that a target explains, or the other way round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Codes, Floats, Matrix


class FeatureScores(ABC):
    """Scores of `width` encoded features, from rows that are added in blocks, in the order of the targets Y.

    Y (rows, columns) are numbers near 0, or are made of the targets of each block by `_columns`.
    """

    def __init__(self, width: int, y: npt.NDArray[Any], columns: int) -> None:
        self._targets, self._rows = y, 0
        self._x, self._xx = np.zeros(width), np.zeros(width)
        self._y, self._yy, self._xy = np.zeros(columns), np.zeros(columns), np.zeros((width, columns))

    @abstractmethod
    def _columns(self, y: npt.NDArray[Any]) -> Floats:
        """The columns of some targets y."""

    def add(self, X: Matrix) -> None:
        """Add the encoded features X (rows, width) of the next rows."""
        X, Y = X.astype(np.float64), self._columns(self._targets[self._rows : self._rows + len(X)])
        self._rows += len(X)
        self._x += X.sum(axis=0)
        self._xx += np.einsum("ij,ij->j", X, X)
        self._y += Y.sum(axis=0)
        self._yy += np.einsum("ij,ij->j", Y, Y)
        self._xy += X.T @ Y

    @property
    def _spread(self) -> Floats:
        return self._xx - self._x**2 / max(self._rows, 1)

    @abstractmethod
    def values(self) -> Floats:
        """The share of the variance that each feature explains (width,), of the best target; 0 for a constant one."""


class ClassScores(FeatureScores):
    """Scores by class codes (rows,)."""

    def __init__(self, width: int, y: Codes, classes: int) -> None:
        super().__init__(width, y, classes)

    def _columns(self, y: npt.NDArray[Any]) -> Floats:
        return np.asarray(np.eye(len(self._y))[y])

    def values(self) -> Floats:
        counts = np.maximum(self._y, 1.0)
        between = (self._xy**2 / counts).sum(axis=1) - self._x**2 / max(self._rows, 1)
        return _ratio(between, self._spread, self._xx)


class NumberScores(FeatureScores):
    """Scores by numbers (rows, targets)."""

    def __init__(self, width: int, y: Floats) -> None:
        super().__init__(width, y, y.shape[1])
        self._center = y.mean(axis=0)

    def _columns(self, y: npt.NDArray[Any]) -> Floats:
        return np.asarray(y - self._center)

    def values(self) -> Floats:
        n, spread = max(self._rows, 1), self._spread
        covariance = self._xy - np.outer(self._x, self._y) / n
        target_spread = self._yy - self._y**2 / n
        shares = [
            _ratio(covariance[:, j] ** 2, spread * target_spread[j], self._xx * self._yy[j])
            for j in range(len(target_spread))
        ]
        best: Floats = np.max(shares, axis=0)
        return best


def _ratio(part: Floats, whole: Floats, size: Floats) -> Floats:
    """part / whole, 0 where `whole` is 0 up to rounding of sums of this `size`."""
    is_constant = ~(whole > size * 1e-12)
    values: Floats = np.where(is_constant, 0.0, part / np.where(is_constant, 1.0, whole))
    return values
