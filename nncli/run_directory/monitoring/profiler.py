"""Profiles of the rows that a model predicts, and sums over rows by which scores are estimated without labels.

Confidence-based performance estimation: if a probability p of a class is calibrated, the class is the true one with
probability p. So the expected accuracy is the mean probability of the predicted class, the expected log loss the
mean entropy, and a row counts as p of a positive and 1 - p of a negative row for the area under the ROC curve. That
is valid under covariate shift: the features may have another distribution, but P(class | features) is unchanged.
Source: Garg, Balakrishnan, Lipton, Neyshabur, Sedghi, "Leveraging unlabeled data to predict out-of-distribution
performance", 2022; NannyML's confidence-based performance estimation.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import sqrt
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.data.encoders.kinds import Column
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel, Ensemble, average_members, predict_members
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Codes, Floats
from nncli.nn.losses import MIN_PROBABILITY
from nncli.run_directory.monitoring.reference import Bins, CategoryBins, Counts, Reference, columns_of, probability_of
from nncli.targets.classes import UNKNOWN
from nncli.targets.metrics.labels import counted_scores, label_log_losses

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


@dataclass(frozen=True)
class Profiler:
    """Profiles the rows that a model predicts, by its reference and its columns, in the order of the reference."""

    reference: Reference
    columns: tuple[Column, ...]
    model: AnyModel

    @classmethod
    def of(cls, reference: Reference, model: AnyModel) -> Profiler:
        """The profiler of a model; a ValueError if the reference is not that of the model."""
        columns = {column.name: column for column in columns_of(model)}
        if set(columns) != {bins.name for bins in reference.columns}:
            raise ValueError("the reference has other columns than the model")
        if len(reference.members) not in (0, len(model.members) if isinstance(model, Ensemble) else 1):
            raise ValueError("the reference has other members than the model")
        return cls(reference, tuple(columns[bins.name] for bins in reference.columns), model)

    @property
    def decision(self) -> str:
        """The saved decision of the model in words; "" without one."""
        decision = self.model.spec.decision
        return "" if decision is None else decision.text

    def predict(self, table: Table) -> tuple[Predictions, BinCodes]:
        """The predictions of a table, and the bins of its rows.

        Raises:
            DataError: a cell cannot be read.
        """
        members = predict_members(self.model, table)
        predictions = average_members(self.model, members)
        return predictions, self.bin_codes(table, predictions, members)

    def bin_codes(self, table: Table, predictions: Predictions, members: Sequence[Predictions]) -> BinCodes:
        """The bins of the rows of a table, and of the predictions of each member, whose mean are the `predictions`.

        Raises:
            DataError: a cell cannot be read.
        """
        reference = self.reference
        columns = [_codes(bins, column, table) for bins, column in zip(reference.columns, self.columns, strict=True)]
        classes = None
        if reference.is_classification:
            values, (probability,) = predictions.values, reference.numbers
            bins = probability.bin_codes(probability_of(values))
            classes = ClassRows.of(
                values, predictions.classes, bins, probability.n_bins, predictions.target.true_classes(table)
            )
        by_member = tuple(self._prediction_codes(member) for member in members) if reference.predictions else ()
        truth = None if reference.is_classification else predictions.target.true_numbers(table)
        return BinCodes(reference, len(table), tuple(columns), by_member, classes, self.decision, predictions, truth)

    def _prediction_codes(self, member: Predictions) -> tuple[Codes, ...]:
        """The bins (rows,) of the predictions of a member, in the order of the reference."""
        values = (self.model.of_member(member) if isinstance(self.model, Ensemble) else member).values
        if not self.reference.is_classification:
            shown = values.T[member.target.shown_outputs]
            return tuple(number_bins.bin_codes(y) for number_bins, y in zip(self.reference.numbers, shown, strict=True))
        (probability,), p = self.reference.numbers, probability_of(values)
        return np.where(np.isnan(p), 0, values.argmax(axis=1) + 1), probability.bin_codes(p)


@dataclass(frozen=True)
class BinCodes:
    """The bins (rows,) of each column of some rows, and of the predictions of each member.

    Numbers and labels have `predictions` with the `truth` (rows, targets), NaN for a row without one.
    """

    reference: Reference
    rows: int
    columns: tuple[Codes, ...]
    members: tuple[tuple[Codes, ...], ...]
    performance: ClassRows | None
    decision: str = ""
    predictions: Predictions | None = None
    truth: Floats | None = None

    def profile(self, rows: slice | Codes = slice(None)) -> Profile:
        """The profile of the rows at these positions, by default all."""
        reference = self.reference
        predictions = tuple(np.zeros(bins.n_bins, np.int64) for bins in reference.predictions)
        for weight, codes in zip(reference.members, self.members, strict=bool(self.members)):
            for total, counts in zip(predictions, _counts(codes, reference.predictions, rows), strict=True):
                total += weight * counts
        return Profile(
            reference=reference.checksum,
            rows=len(range(self.rows)[rows]) if isinstance(rows, slice) else len(rows),
            columns=_counts(self.columns, reference.columns, rows),
            predictions=predictions,
            performance=None if self.performance is None else self.performance.sums(rows),
            decision=self.decision,
            errors=self._true_sums(rows),
        )

    def _true_sums(self, rows: slice | Codes) -> TrueSums | None:
        if self.truth is None or self.predictions is None:
            return None
        target, values, y = self.predictions.target, self.predictions.values[rows], self.truth[rows]
        if target.labels:
            return LabelSums.of(", ".join(target.names), y, values, self.predictions.classes[rows])
        scales = np.broadcast_to(target.scale, len(target.output_names)).tolist()
        return NumberSums.of(target.output_names, tuple(scales), values - y)


def _counts(codes: tuple[Codes, ...], bins: tuple[Bins, ...], rows: slice | Codes) -> tuple[Counts, ...]:
    return tuple(
        np.bincount(column[rows], minlength=column_bins.n_bins).astype(np.int64)
        for column, column_bins in zip(codes, bins, strict=True)
    )


def _codes(bins: Bins, column: Column, table: Table) -> Codes:
    cells = column.comparable_cells(table)
    if isinstance(bins, CategoryBins):
        return bins.bin_codes(cells if isinstance(cells, pl.Series) else pl.Series(cells).cast(pl.String))
    assert not isinstance(cells, pl.Series)
    return bins.bin_codes(cells)


FORMAT = 1
"""The format of a file."""
TRUE_SUMS: dict[str, type[TrueSums]] = {"numbers": NumberSums, "labels": LabelSums}
"""The sums of true scores by their keys in a file."""
LARGEST_FILE = 1 << 28
"""Bytes of a file that are read at most."""


@dataclass(frozen=True)
class Profile:
    """The numbers of rows in each bin of the reference with the checksum `reference`.

    `columns` are counts, in the order of the reference; `predictions` are those of all members, each of whose rows
    counts as often as the member predicted rows of the reference. `performance` are the sums that estimate the scores
    of a classification, None for a regression; its classes are those of `decision` in words, "" for the most probable
    ones. `errors` are the sums of the rows with true numbers or labels, None without the target's columns.
    """

    reference: str
    rows: int
    columns: tuple[Counts, ...]
    predictions: tuple[Counts, ...]
    performance: ClassSums | None = None
    decision: str = ""
    errors: TrueSums | None = None

    @classmethod
    def empty(cls, reference: Reference, decision: str = "") -> Profile:
        """The profile of no row."""

        def zeros(bins: int) -> Counts:
            return np.zeros(bins, np.int64)

        predictions = tuple(zeros(bins.n_bins) for bins in reference.predictions)
        classes = ClassSums.empty(len(predictions[-1])) if reference.is_classification else None
        columns = tuple(zeros(bins.n_bins) for bins in reference.columns)
        return cls(reference.checksum, 0, columns, predictions, classes, decision)

    def __add__(self, other: Profile) -> Profile:
        """The profile of the rows of both; a ValueError if they are profiles of different runs or decisions."""
        if (self.reference, self.decision) != (other.reference, other.decision):
            raise ValueError("profiles of different runs or decisions cannot be added")
        return Profile(
            self.reference,
            self.rows + other.rows,
            _add(self.columns, other.columns),
            _add(self.predictions, other.predictions),
            None if self.performance is None or other.performance is None else self.performance + other.performance,
            self.decision,
            self.errors + other.errors if self.errors and other.errors else self.errors or other.errors,
        )

    def to_json(self) -> str:
        """The content of a file."""
        document = {
            "nncli_profile": FORMAT,
            "reference": self.reference,
            "rows": self.rows,
            "decision": self.decision,
            "columns": [counts.tolist() for counts in self.columns],
            "predictions": [counts.tolist() for counts in self.predictions],
            "classes": None if self.performance is None else self.performance.json(),
            **{key: asdict(self.errors) for key, sums in TRUE_SUMS.items() if isinstance(self.errors, sums)},
        }
        return json.dumps(document, separators=(",", ":")) + "\n"

    @classmethod
    def from_json(cls, content: bytes | str, reference: Reference) -> Profile:
        """Read the content of a file, which must be a profile of the rows that a run with this reference predicted.

        Raises:
            ValueError: it is no profile, or a damaged one.
            OtherReferenceError: it is that of another run.
        """
        try:
            document = json.loads(content)
            if document["nncli_profile"] != FORMAT:
                raise ValueError("unknown format")
            if document["reference"] != reference.checksum:
                raise OtherReferenceError
            rows, sums, decision = document["rows"], document["classes"], str(document["decision"])
            columns = _read(document["columns"], [bins.n_bins for bins in reference.columns], rows)
            sizes = [bins.n_bins for bins in reference.predictions]
            predictions = _read(document["predictions"], sizes, rows * reference.held_out)
            classes = None
            if reference.is_classification:
                classes = ClassSums.of_json(sums, len(predictions[-1]))
            errors = next((sums.of_json(document[key]) for key, sums in TRUE_SUMS.items() if key in document), None)
        except (KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError("not a profile") from error
        return cls(reference.checksum, rows, columns, predictions, classes, decision, errors)


class OtherReferenceError(Exception):
    """A profile belongs to another run."""


def _add(a: Sequence[Counts], b: Sequence[Counts]) -> tuple[Counts, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _read(lists: Any, sizes: Sequence[int], rows: Any) -> tuple[Counts, ...]:
    """Counts of these sizes that add up to the rows each; a ValueError if they do not."""
    if len(lists) != len(sizes) or not isinstance(rows, int):
        raise ValueError("other columns")
    return tuple(checked_counts(values, size, rows) for values, size in zip(lists, sizes, strict=True))


def checked_counts(values: Any, size: int, total: int | None = None) -> Counts:
    """Whole numbers from 0 (size,), which add up to `total` if it is given; a ValueError if they do not."""
    counts = np.array(values)
    if counts.shape != (size,) or counts.dtype != np.int64 or (counts < 0).any():
        raise ValueError("not counts")
    if total is not None and int(counts.sum()) != total:
        raise ValueError("the counts do not add up")
    return counts
