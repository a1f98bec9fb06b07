"""Sums over the rows of a classification, by which its scores are estimated without labels.

Confidence-based performance estimation: if a probability p of a class is calibrated, the class is the true one with
probability p. So the expected accuracy is the mean probability of the predicted class, the expected log loss the
mean entropy, and a row counts as p of a positive and 1 - p of a negative row for the area under the ROC curve. That
is valid under covariate shift: the features may have another distribution, but P(class | features) is unchanged.
Source: Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, "Leveraging unlabeled data to predict out-of-distribution
performance", 2022; NannyML's confidence-based performance estimation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Codes, Floats
from nncli.nn.losses import MIN_PROBABILITY
from nncli.runs.monitoring.bins import Counts
from nncli.targets.classes import UNKNOWN

UNIT = 1 << 30
"""Sums are in units of 1 / UNIT, whole numbers, so that they are the same in any order."""


@dataclass(frozen=True)
class ScoreEstimate:
    """Accuracy, log loss and the area under the ROC curve of some rows; None where it is not defined."""

    accuracy: float | None
    log_loss: float | None
    roc_auc: float | None


@dataclass(frozen=True)
class ClassSums:
    """Sums over the `rows` that have a prediction, of those with a label also the true ones.

    `confidence` is the sum of the probabilities of the predicted classes, `entropy` that of the entropies and
    `log_loss` that of the log losses, in units. For two classes `counts` (bins,) are the rows by the bin of the
    positive class's probability, and `positive` (bins,) its sums, `labels` (bins,) the rows with a label,
    `positive_labels` (bins,) the positive ones of them. `unknown` is the number of labels that the model does not know.
    """

    rows: int
    confidence: int
    entropy: int
    counts: Counts
    positive: Counts
    labeled: int
    correct: int
    log_loss: int
    labels: Counts
    positive_labels: Counts
    unknown: int

    @classmethod
    def empty(cls, bins: int) -> ClassSums:
        """The sums of no row."""
        none = np.zeros(bins, np.int64)
        return cls(0, 0, 0, none, none, 0, 0, 0, none, none, 0)

    def __add__(self, other: ClassSums) -> ClassSums:
        return ClassSums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def json(self) -> dict[str, Any]:
        """The sums as a JSON object."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in found.items()}

    @classmethod
    def of_json(cls, document: Mapping[str, Any], bins: int) -> ClassSums:
        """Read `json`; a ValueError, TypeError or KeyError if it is none."""
        values = {field.name: document[field.name] for field in fields(cls)}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = np.array(value, np.int64)
            elif not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} is not a sum")
        if any(len(values[name]) != bins for name in ("counts", "positive", "labels", "positive_labels")):
            raise ValueError("other bins")
        return cls(**values)

    @property
    def estimated(self) -> ScoreEstimate:
        """The scores that are expected of calibrated probabilities."""
        if not self.rows:
            return ScoreEstimate(None, None, None)
        mean = 1.0 / (UNIT * self.rows)
        p = self.positive / UNIT
        return ScoreEstimate(self.confidence * mean, self.entropy * mean, area_under_curve(p, self.counts - p))

    @property
    def actual(self) -> ScoreEstimate:
        """The scores of the rows with a label."""
        if not self.labeled:
            return ScoreEstimate(None, None, None)
        auc = area_under_curve(self.positive_labels, self.labels - self.positive_labels)
        return ScoreEstimate(self.correct / self.labeled, self.log_loss / (UNIT * self.labeled), auc)


def area_under_curve(positive: npt.NDArray[Any], negative: npt.NDArray[Any]) -> float | None:
    """The area under the ROC curve from positive and negative rows (bins,) in ascending bins; pairs in one are ties."""
    pairs = float(positive.sum()) * float(negative.sum())
    below = np.cumsum(negative) - negative / 2.0
    return float((positive * below).sum()) / pairs if pairs > 0.0 else None


@dataclass(frozen=True)
class ClassRows:
    """The summands of `ClassSums` for each row (rows,), 0 without a prediction."""

    is_predicted: npt.NDArray[np.bool_]
    confidence: Counts
    entropy: Counts
    positive: Counts | None
    is_labeled: npt.NDArray[np.bool_]
    is_correct: npt.NDArray[np.bool_]
    is_positive: npt.NDArray[np.bool_]
    is_unknown: npt.NDArray[np.bool_]
    log_loss: Counts
    bins: Codes
    n_bins: int

    @classmethod
    def of(cls, values: Floats, classes: Codes, bins: Codes, n_bins: int, labels: Codes | None) -> ClassRows:
        """The summands of probabilities (rows, classes), of which the `classes` (rows,) are predicted.

        The `bins` (rows,) are those of the positive or the largest probability; `labels` (rows,) are codes, -1 where
        there is none, and UNKNOWN. Rows whose probabilities are not finite have no prediction.
        """
        is_predicted = np.asarray(np.isfinite(values).all(axis=1))
        values = np.where(is_predicted[:, None], values, 0.0)
        P = np.maximum(values, MIN_PROBABILITY)
        labels = np.full(len(values), -1) if labels is None else np.where(is_predicted, labels, -1)
        own = np.take_along_axis(P, labels.clip(0)[:, None], axis=1)[:, 0]
        return cls(
            is_predicted=is_predicted,
            confidence=_units(np.take_along_axis(values, classes[:, None], axis=1)[:, 0]),
            entropy=_units(-(values * np.log(P)).sum(axis=1)),
            positive=_units(values[:, 1]) if values.shape[1] == 2 else None,
            is_labeled=labels >= 0,
            is_correct=labels == classes,
            is_positive=labels == 1,
            is_unknown=labels == UNKNOWN,
            log_loss=_units(-np.log(own)),
            bins=bins,
            n_bins=n_bins,
        )

    def sums(self, rows: slice | Codes) -> ClassSums:
        """The sums over the rows at these positions."""
        labeled, bins, none = self.is_labeled[rows], self.bins[rows], np.zeros(self.n_bins, np.int64)
        predicted = self.is_predicted[rows]
        counts = positive = labels = positive_labels = none
        if self.positive is not None:
            counts = np.bincount(bins[predicted], minlength=self.n_bins).astype(np.int64)
            positive = none.copy()
            np.add.at(positive, bins, self.positive[rows])  # whole numbers: bincount would add in floating point
            labels = np.bincount(bins[labeled], minlength=self.n_bins).astype(np.int64)
            is_positive = self.is_positive[rows]
            positive_labels = np.bincount(bins[is_positive], minlength=self.n_bins).astype(np.int64)
        return ClassSums(
            rows=int(predicted.sum()),
            confidence=int(self.confidence[rows].sum()),
            entropy=int(self.entropy[rows].sum()),
            counts=counts,
            positive=positive,
            labeled=int(labeled.sum()),
            correct=int(self.is_correct[rows].sum()),
            log_loss=int(self.log_loss[rows][labeled].sum()),
            labels=labels,
            positive_labels=positive_labels,
            unknown=int(self.is_unknown[rows].sum()),
        )


def _units(x: Floats) -> Counts:
    return np.asarray(np.rint(x * UNIT), np.int64)
