"""Classification metrics of many resamples at once, see classification.py."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nncli.base.dataclass import dataclass
from nncli.nn.arrays import Array, Codes
from nncli.targets.metrics.bootstrap import Samples, group_sums

LOG_LOSS_EPS = float(np.finfo(np.float64).eps)
"""Lower bound of a probability whose logarithm is taken, so that one certain wrong prediction is not infinite."""
BINS = 15
"""Number of confidence bins of `calibration_error`, as in Guo et al."""


def log_loss_per_row(y: Codes, P: NDArray[np.float64]) -> NDArray[np.float64]:
    """-ln(probability of the true class) (rows,), in nats, with `P` clipped and scaled as `log_loss` documents."""
    P = P.clip(LOG_LOSS_EPS, 1 - LOG_LOSS_EPS)
    return np.asarray(-np.log(P[np.arange(len(y)), y] / P.sum(axis=1)))


@dataclass(frozen=True)
class ClassificationResamples:
    """Predictions with the weights W (resamples, rows) of each resample, and the sums that several metrics need.

    `classes` (rows,) are the predicted classes; None: the most probable ones.
    """

    y: Codes
    P: Array
    W: Samples
    classes: Codes | None = None

    @cached_property
    def exact(self) -> NDArray[np.float64]:
        return np.asarray(self.P, np.float64)

    @cached_property
    def predicted_class(self) -> NDArray[np.int64]:
        return np.asarray(self.P.argmax(axis=1) if self.classes is None else self.classes)

    @cached_property
    def hit(self) -> NDArray[np.bool_]:
        return np.asarray(self.predicted_class == self.y)

    @cached_property
    def total(self) -> Samples:
        return np.asarray(self.W.sum(axis=1))

    @cached_property
    def support(self) -> Samples:
        return group_sums(self.W, self.y, self.P.shape[1])

    @cached_property
    def predicted(self) -> Samples:
        return group_sums(self.W, self.predicted_class, self.P.shape[1])

    @cached_property
    def hits(self) -> Samples:
        return group_sums(self.W * self.hit, self.y, self.P.shape[1])


def bootstrap_balanced_accuracy(r: ClassificationResamples) -> Samples:
    present = r.support > 0
    recall = np.where(present, r.hits / np.where(present, r.support, 1), 0)
    return np.asarray(recall.sum(axis=1) / present.sum(axis=1))


def bootstrap_macro_f1(r: ClassificationResamples) -> Samples:
    rows = r.support + r.predicted
    present = rows > 0
    each = np.where(present, 2 * r.hits / np.where(present, rows, 1), 0)
    return np.asarray(each.sum(axis=1) / present.sum(axis=1))


def bootstrap_log_loss(r: ClassificationResamples) -> Samples:
    return np.asarray(r.W @ log_loss_per_row(r.y, r.exact) / r.total)


def bootstrap_brier(r: ClassificationResamples) -> Samples:
    P = r.exact
    P_true = P[np.arange(len(r.y)), r.y]
    distance = np.square(P).sum(axis=1) - np.square(P_true) + np.square(1 - P_true)
    return np.asarray(r.W @ (distance / (2 if P.shape[1] == 2 else 1)) / r.total)


def bootstrap_calibration_error(r: ClassificationResamples) -> Samples:
    confidence, hit = r.exact.max(axis=1), r.P.argmax(axis=1) == r.y
    bin_index = np.searchsorted(np.arange(1, BINS) / BINS, confidence, side="left")
    return np.asarray(np.abs(group_sums(r.W * (hit - confidence), bin_index, BINS)).sum(axis=1) / r.total)
