"""Counts of rows by true and predicted class, in memory that grows with the classes and not with their square.

`y` is (rows,) of class codes 0 .. K-1, `predicted` (rows,) of predicted codes, and `weight` (rows,) of row weights or
None for ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncli.nn.arrays import Array, Codes

Counts = NDArray[np.int64] | NDArray[np.float64]

MAX_MATRIX_CLASSES = 100
"""Classes up to which scores hold the whole confusion matrix; of more, the most frequent confusions only."""
MAX_CONFUSIONS = 100


@dataclass(frozen=True)
class ClassCounts:
    """Rows of each class (K,): predicted right, of the class, and predicted as the class; sums of weights with them."""

    hits: Counts
    support: Counts
    predicted: Counts

    @classmethod
    def of(cls, y: Codes, predicted: Codes, K: int, weight: Array | None) -> ClassCounts:
        """Count the rows of `K` classes."""
        hit = y == predicted
        hit_weight = None if weight is None else weight[hit]
        return cls(_count(y[hit], K, hit_weight), _count(y, K, weight), _count(predicted, K, weight))


class Confusion(NamedTuple):
    """Rows of the class `actual` that are predicted as `predicted`, and their fraction of the actual class."""

    actual: int
    predicted: int
    rows: float
    fraction: float


def most_frequent_confusions(
    y: Codes, predicted: Codes, K: int, weight: Array | None = None, *, n: int = MAX_CONFUSIONS
) -> tuple[Confusion, ...]:
    """The at most `n` pairs of classes that are confused most often, in that order; ties by class."""
    wrong = np.flatnonzero(y != predicted)
    cells, cell = np.unique(y[wrong].astype(np.int64) * K + predicted[wrong], return_inverse=True)
    rows = _count(cell, len(cells), None if weight is None else weight[wrong])
    support = _count(y, K, weight)
    order = [at for at in np.argsort(-rows, kind="stable")[:n].tolist() if rows[at] > 0]
    pairs = ((*divmod(int(cells[at]), K), float(rows[at])) for at in order)
    return tuple(Confusion(i, j, count, count / float(support[i])) for i, j, count in pairs)


def matrix_of(y: Codes, predicted: Codes, K: int, weight: Array | None = None) -> Counts:
    """(K, K): row i, column j holds how many rows of class i were predicted as j.

    Integer counts without weights, float64 sums of weights with them.
    """
    return _count(y.astype(np.int64) * K + predicted, K * K, weight).reshape(K, K)


def _count(codes: Codes, n: int, weight: Array | None) -> Counts:
    if weight is None:
        return np.bincount(codes, minlength=n).astype(np.int64)
    return np.bincount(codes, weights=weight, minlength=n)
