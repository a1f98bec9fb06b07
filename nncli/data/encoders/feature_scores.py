"""How much each feature tells about the target by itself: the share of the target's variance that it explains.

For numbers it is the squared correlation with the target, for classes the share of the feature's variance that lies
between the classes. Each grows with the F statistic of the test that scikit-learn calls f_regression and f_classif.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Floats, Matrix


class FeatureScores:
    """Scores of `width` encoded features, from rows that are added in blocks.

    With `classes`, targets are class codes (rows,); else numbers (rows, targets), whose `center` (targets,) should be
    near their mean.
    """

    def __init__(self, width: int, *, classes: int = 0, center: Floats | None = None) -> None:
        self._classes = classes
        self._center = np.zeros(classes) if center is None else center
        n_outputs = len(self._center)
        self._rows = 0
        self._x, self._xx = np.zeros(width), np.zeros(width)
        self._y, self._yy, self._xy = np.zeros(n_outputs), np.zeros(n_outputs), np.zeros((width, n_outputs))

    def add(self, X: Matrix, y: npt.NDArray[Any]) -> None:
        """Add the encoded features X (rows, width) of some rows, and their targets."""
        X = X.astype(np.float64)
        Y = np.eye(self._classes)[y] if self._classes else y - self._center
        self._rows += len(X)
        self._x += X.sum(axis=0)
        self._xx += np.einsum("ij,ij->j", X, X)
        self._y += Y.sum(axis=0)
        self._yy += np.einsum("ij,ij->j", Y, Y)
        self._xy += X.T @ Y

    def values(self) -> Floats:
        """The share of the variance that each feature explains (width,), of the best target; 0 for a constant one."""
        n = max(self._rows, 1)
        spread = self._xx - self._x**2 / n
        if self._classes:
            counts = np.maximum(self._y, 1.0)
            between = (self._xy**2 / counts).sum(axis=1) - self._x**2 / n
            return _ratio(between, spread, self._xx)
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
