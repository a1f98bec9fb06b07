"""Sums over rows by which scores are estimated without labels, and from which the true scores follow.

Confidence-based performance estimation: if a probability p of a class is calibrated, the class is the true one with
probability p. So the expected accuracy is the mean probability of the predicted class, the expected log loss the
mean entropy, and a row counts as p of a positive and 1 - p of a negative row for the area under the ROC curve. That
is valid under covariate shift: the features may have another distribution, but P(class | features) is unchanged.
Source: Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, "Leveraging unlabeled data to predict out-of-distribution
performance", 2022; NannyML's confidence-based performance estimation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import sqrt
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nncli.nn.arrays import Codes, Counts, Floats
from nncli.nn.losses import MIN_PROBABILITY
from nncli.targets.metrics.labels import counted_scores, label_log_losses

UNKNOWN = -2
"""The code of a class that did not occur in the training rows."""
UNIT = 1 << 30
"""Sums are in units of 1 / UNIT, whole numbers, so that they are the same in any order."""
LARGEST = float(np.finfo(np.float64).max)
BY_BIN = ("counts", "positive", "labels", "positive_labels")
"""The sums of two classes that are those of each bin."""


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
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}

    @classmethod
    def of_json(cls, document: Mapping[str, Any], bins: int) -> ClassSums:
        """Read `json`; a ValueError, TypeError or KeyError if it is none."""
        values = {field.name: document[field.name] for field in fields(cls)}
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = np.array(value, np.int64)
            elif not isinstance(value, int) or value < 0:
                raise ValueError(f"{name} is not a sum")
        if any(len(values[name]) != bins for name in BY_BIN):
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
class TrueSums:
    """Sums over the `labeled` rows of each of `names`, from which the true scores follow."""

    names: tuple[str, ...]
    labeled: tuple[int, ...]

    def __add__(self, other: TrueSums) -> Self:
        sums = [field.name for field in fields(self) if field.name not in ("names", "scales")]
        pairs = {name: zip(getattr(self, name), getattr(other, name), strict=True) for name in sums}
        totals: dict[str, Any] = {name: tuple(map(sum, pair)) for name, pair in pairs.items()}
        return replace(self, **totals)

    @classmethod
    def of_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the sums of a JSON object; a ValueError, TypeError or KeyError if it is none."""
        values = {field.name: tuple(document[field.name]) for field in fields(cls)}
        sums = (n for name, value in values.items() if name not in ("names", "scales") for n in value)
        if not all(isinstance(n, int) and n >= 0 for n in sums):
            raise ValueError("not sums")
        if len({len(values[name]) for name in cls.aligned}) > 1:
            raise ValueError("other targets")
        return cls(**values)

    aligned: ClassVar[tuple[str, ...]]
    """The fields of the same length."""

    @property
    @abstractmethod
    def actual(self) -> dict[str, dict[str, float]]:
        """The scores of the rows with a label, by the name of the target."""


@dataclass(frozen=True)
class NumberSums(TrueSums):
    """Sums over the rows with a label, for each target of `names` (targets,).

    They are the numbers of these rows, and their absolute and squared errors, in units of the target's `scales` and of
    1 / UNIT.
    """

    aligned: ClassVar[tuple[str, ...]] = ("names", "labeled", "scales", "absolute", "squared")
    scales: tuple[float, ...]
    absolute: tuple[int, ...]
    squared: tuple[int, ...]

    @classmethod
    def of(cls, names: tuple[str, ...], scales: tuple[float, ...], errors: Floats) -> NumberSums:
        """The sums of errors (rows, targets) in the units of the targets, NaN without a label."""
        scaled = [e[np.isfinite(e)] / scale for e, scale in zip(errors.T, scales, strict=True)]
        # Whole numbers of any size: a sum of large errors exceeds those of NumPy.
        with np.errstate(over="ignore"):
            units = [[np.rint(x * UNIT).clip(max=LARGEST) for x in (np.abs(e), np.square(e))] for e in scaled]
        sums = [[sum(map(int, x.tolist())) for x in of_target] for of_target in units]
        return cls(names, tuple(map(len, scaled)), scales, tuple(s[0] for s in sums), tuple(s[1] for s in sums))

    @property
    def actual(self) -> dict[str, dict[str, float]]:
        """RMSE and MAE, in the units of the target."""
        columns = zip(self.names, self.scales, self.labeled, self.absolute, self.squared, strict=True)
        return {
            name: {"rmse": scale * sqrt(squared / (UNIT * n)), "mae": scale * absolute / (UNIT * n)}
            for name, scale, n, absolute, squared in columns
            if n
        }


@dataclass(frozen=True)
class LabelSums(TrueSums):
    """Sums over the rows with any of several labels, which have one name together.

    `hits`, `actual_rows` and `predicted` (labels,) count the rows of each label, and `log_loss` is the sum of the log
    losses of rows, in units of 1 / UNIT.
    """

    aligned: ClassVar[tuple[str, ...]] = ("hits", "actual_rows", "predicted")
    hits: tuple[int, ...]
    actual_rows: tuple[int, ...]
    predicted: tuple[int, ...]
    log_loss: tuple[int, ...]

    @classmethod
    def of(cls, name: str, y: Floats, P: Floats, predicted: Codes) -> LabelSums:
        """The sums of labels y, NaN where one is missing, probabilities and predicted labels, all (rows, labels)."""
        rows = np.isfinite(P).all(axis=1) & ~np.isnan(y).all(axis=1)
        y, P, has = y[rows], P[rows], (predicted[rows] == 1) & ~np.isnan(y[rows])
        parts = (has & (y == 1.0), y == 1.0, has)
        hits, actual, predicted_rows = (tuple(map(int, part.sum(axis=0).tolist())) for part in parts)
        log_loss = int(_units(label_log_losses(y, P)).sum())
        return cls((name,), (len(y),), hits, actual, predicted_rows, (log_loss,))

    @property
    def actual(self) -> dict[str, dict[str, float]]:
        """The log loss, and F1 of all labels and of the mean label."""
        (name,), (n,), (log_loss,) = self.names, self.labeled, self.log_loss
        if not n:
            return {}
        counts = (np.array([of], np.float64) for of in (self.hits, self.actual_rows, self.predicted))
        micro, macro, *_ = counted_scores(*counts)
        return {name: {"log_loss": log_loss / (UNIT * n), "micro_f1": float(micro[0]), "macro_f1": float(macro[0])}}


@dataclass(frozen=True)
class ClassRows:
    """The summands of `ClassSums` for each row (rows,) by their names: of all, and by the `bins` of two classes."""

    numbers: Mapping[str, npt.NDArray[Any]]
    by_bin: Mapping[str, npt.NDArray[Any]]
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
        label_probability = np.take_along_axis(P, labels.clip(0)[:, None], axis=1)[:, 0]
        numbers = {
            "rows": is_predicted,
            "confidence": _units(np.take_along_axis(values, classes[:, None], axis=1)[:, 0]),
            "entropy": _units(-(values * np.log(P)).sum(axis=1)),
            "labeled": labels >= 0,
            "correct": labels == classes,
            "log_loss": np.where(labels >= 0, _units(-np.log(label_probability)), 0),
            "unknown": labels == UNKNOWN,
        }
        by_bin: dict[str, npt.NDArray[Any]] = {}
        if values.shape[1] == 2:
            by_bin = {"counts": is_predicted, "positive": _units(values[:, 1])}
            by_bin |= {"labels": labels >= 0, "positive_labels": labels == 1}
        return cls(numbers, by_bin, bins, n_bins)

    def sums(self, rows: slice | Codes) -> ClassSums:
        """The sums over the rows at these positions."""
        sums: dict[str, Any] = dict.fromkeys(BY_BIN, np.zeros(self.n_bins, np.int64))
        for name, values in self.by_bin.items():
            sums[name] = np.zeros(self.n_bins, np.int64)
            # Whole numbers: bincount would add in floating point.
            np.add.at(sums[name], self.bins[rows], values[rows].astype(np.int64))
        sums |= {name: int(values[rows].sum()) for name, values in self.numbers.items()}
        return ClassSums(**sums)


def _units(x: Floats) -> Counts:
    return np.asarray(np.rint(x * UNIT), np.int64)
