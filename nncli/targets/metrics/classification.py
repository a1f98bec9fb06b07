"""Classification metrics: pure functions of (y, P, weight) in float64, and their entries in the registry.

`y` is (rows,) of class codes 0 .. K-1, `P` is (rows, K) of probabilities with K >= 2, and `weight` is (rows,) of row
weights or None for ones. The predicted class is the one of the largest probability, the first of them if there are
several.

The caller makes sure that there is at least one row, that all numbers are finite, and that the weights are not negative
and not all 0. A row of weight 0 counts as absent, one of weight 2 as two rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nncli.base.errors import UseOption
from nncli.nn.arrays import Array, Codes
from nncli.targets.metrics.classification_resamples import (
    BINS,
    ClassificationResamples,
    bootstrap_balanced_accuracy,
    bootstrap_brier,
    bootstrap_calibration_error,
    bootstrap_log_loss,
    bootstrap_macro_f1,
    log_loss_per_row,
)
from nncli.targets.metrics.metric import Metric, MetricFunction, ScoreValues
from nncli.targets.metrics.precision_recall import (
    average_precision,
    bootstrap_average_precision,
    bootstrap_f1,
    bootstrap_precision,
    bootstrap_recall,
    bootstrap_roc_auc,
    f1,
    precision,
    recall,
    roc_auc,
)

CHUNK_CELLS = 1 << 20
"""Probabilities that are copied at a time."""

MAX_RARE_SHARE, MIN_RATIO = 0.05, 10.0
"""A class is rare if it has less than that fraction, and the largest that many times its rows."""
RARE_CLASS_ORDER = (
    "balanced_accuracy",
    "average_precision",
    "f1",
    "precision",
    "recall",
    "macro_f1",
    "roc_auc",
    "log_loss",
)
"""The metrics that are shown first if a class is rare."""


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall, F1 and support of one class. A ratio without a denominator is 0.

    `support` is the number of rows of the class, `predicted` that of the rows predicted as it, or the sums of their
    weights.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: float
    predicted: float


CellCounts = NDArray[np.int64] | NDArray[np.float64]

MAX_MATRIX_CLASSES = 100
"""Classes up to which scores hold the whole confusion matrix; of more, the most frequent confusions only."""
MAX_CONFUSIONS = 100


@dataclass(frozen=True)
class ClassCounts:
    """Rows of each class (K,): predicted right, of the class, and predicted as the class; sums of weights with them."""

    hits: CellCounts
    support: CellCounts
    predicted: CellCounts

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


def matrix_of(y: Codes, predicted: Codes, K: int, weight: Array | None = None) -> CellCounts:
    """(K, K): row i, column j holds how many rows of class i were predicted as j.

    Integer counts without weights, float64 sums of weights with them.
    """
    return _count(y.astype(np.int64) * K + predicted, K * K, weight).reshape(K, K)


def _count(codes: Codes, n: int, weight: Array | None) -> CellCounts:
    if weight is None:
        return np.bincount(codes, minlength=n).astype(np.int64)
    return np.bincount(codes, weights=weight, minlength=n)


class ConfusionWords(NamedTuple):
    """The title and the columns of a table of confusions, and what is said where there are `none`."""

    title: str
    columns: tuple[str, str, str, str]
    none: str


@dataclass(frozen=True)
class ClassificationScores(ScoreValues):
    """All scores of one set of predictions.

    `confusion_matrix[i][j]` counts rows of `labels[i]` predicted as `labels[j]`; it is None for more than
    MAX_MATRIX_CLASSES classes. `confusions` are the most frequent ones.
    """

    noun: ClassVar[str] = "class"
    nouns: ClassVar[str] = "classes"
    confusion_words: ClassVar[ConfusionWords] = ConfusionWords(
        "most frequent confusions", ("true class", "predicted", "rows", "of the class"), "no row is misclassified"
    )
    baseline: ClassVar[str] = "the class shares"
    decisive: ClassVar[tuple[str, ...]] = ("log_loss", "brier", "accuracy", "balanced_accuracy")
    rows: int
    labels: tuple[str, ...]
    confusion_matrix: tuple[tuple[float, ...], ...] | None
    confusions: tuple[Confusion, ...]
    by_class: tuple[ClassScore, ...]

    @property
    def has_rare_class(self) -> bool:
        """Whether a class is rare among the scored rows."""
        return has_rare_class(np.array([each.support for each in self.by_class]))

    @property
    def threshold_options(self) -> tuple[UseOption, ...]:
        """The options of a threshold that finds rows of the one of two classes that is never predicted; none without.

        If it is rare, a missed row costs as many times what a false alarm costs as the other class is more frequent.
        """
        missed = [each for each in self.by_class if each.support and not each.recall]
        if len(self.by_class) != 2 or len(missed) != 1:
            return ()
        goal = UseOption("f1", "f1", True)
        if self.has_rare_class:
            ratio = round(sum(each.support for each in self.by_class) / missed[0].support - 1.0)
            goal = UseOption("cost", "cost", (1, ratio), placeholder=f"fp=1,fn={ratio}")
        return (goal, UseOption("positive", "positive", missed[0].label))

    def json(self) -> dict[str, Any]:
        """The scores, the labels, the confusion matrix (of many classes the most frequent pairs), and each class."""
        document: dict[str, Any] = {
            **dict(self.values),
            "labels": self.labels,
            "confusion_matrix": self.confusion_matrix,
        }
        if self.confusion_matrix is None:
            document["confusions"] = [
                {"actual": self.labels[pair.actual], "predicted": self.labels[pair.predicted], "rows": pair.rows}
                for pair in self.confusions
            ]
        return {**document, "per_class": [asdict(of_class) for of_class in self.by_class]}


def classification_scores(
    y: Codes,
    P: Array,
    labels: tuple[str, ...],
    sample_weight: Array | None = None,
    classes: Codes | None = None,
    costs: NDArray[np.float64] | None = None,
    further: tuple[Metric[ClassificationResamples], ...] = (),
    last: tuple[Metric[ClassificationResamples], ...] = (),
) -> ClassificationScores:
    """Every score of the probabilities `P`; `labels` are the classes in the order of its columns.

    `classes` (rows,) are the predicted classes; None: the most probable ones. Their mean cost by `costs` (actual,
    predicted) comes first, then `further` metrics; the `last` ones come last. Scores of the positive class are None if
    no row is of it.
    """
    K, predicted, matrix = P.shape[1], P.argmax(axis=1) if classes is None else classes, None
    of_classes = P if classes is None else one_hot(classes, K)
    counts = ClassCounts.of(y, predicted, K, sample_weight)
    # Without a positive row they are undefined; as `metric` of a training they are then 0, as in scikit-learn.
    undefined = () if K != 2 or counts.support[1] > 0 else [m.name for m in POSITIVE_CLASS_METRICS]
    if K <= MAX_MATRIX_CLASSES:
        matrix = tuple(tuple(row) for row in matrix_of(y, predicted, K, sample_weight).tolist())
    return ClassificationScores(
        values=tuple(
            (m.name, None if m.name in undefined else m.function(y, of_classes if m.of_classes else P, sample_weight))
            for m in (*([] if costs is None else [cost_metric(costs)]), *further, *shown_metrics(counts.support), *last)
        ),
        rows=len(y),
        labels=labels,
        confusion_matrix=matrix,
        confusions=most_frequent_confusions(y, predicted, K, sample_weight),
        by_class=class_scores(counts, labels),
    )


def cost_metric(costs: NDArray[np.float64]) -> Metric[ClassificationResamples]:
    """The mean of the `costs` (actual, predicted) of rows, with which a decision makes classes of probabilities."""

    def cost_per_row(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
        return float(np.average(costs[y, P.argmax(axis=1)], weights=sample_weight))

    return _entry(
        cost_per_row,
        "cost per row",
        "mean cost of a row, by the costs of the saved decision; lower is better. The baseline predicts the same class "
        "for all rows, that of the lowest cost",
        is_selectable=False,
        of_classes=True,
        bootstrap=lambda r: r.W @ costs[r.y, r.predicted_class] / r.total,
    )


def one_hot(classes: Codes, K: int) -> NDArray[np.float64]:
    """(rows, K): 1 for the class of each row (rows,), for metrics of predicted classes."""
    scores = np.zeros((len(classes), K))
    scores[np.arange(len(classes)), classes] = 1.0
    return scores


def classification_metrics(classes: int) -> tuple[Metric[ClassificationResamples], ...]:
    """The metrics of a target with that many classes: those of the positive class for two of them only."""
    return CLASSIFICATION_METRICS if classes == 2 else CLASSIFICATION_METRICS[: -len(POSITIVE_CLASS_METRICS)]


def has_rare_class(support: CellCounts) -> bool:
    """Whether the rarest class has less than 5 % of the rows (K,), and the most frequent one ten times its rows."""
    rarest, most = float(support.min()), float(support.max())
    return rarest < MAX_RARE_SHARE * float(support.sum()) and most >= MIN_RATIO * rarest


def shown_metrics(support: CellCounts) -> tuple[Metric[ClassificationResamples], ...]:
    """The metrics in the order in which they are shown, by the rows of each class (K,).

    If a class is rare, those that a model without any hit cannot do well by come first.
    """
    metrics = classification_metrics(len(support))
    if not has_rare_class(support):
        return metrics
    first = [m for name in RARE_CLASS_ORDER for m in metrics if m.name == name]
    return (*first, *(m for m in metrics if m not in first))


def class_scores(counts: ClassCounts, labels: tuple[str, ...]) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of every class."""
    ratios = (scores.tolist() for scores in _precision_recall_f1(counts))
    columns = (*ratios, counts.support.tolist(), counts.predicted.tolist())
    return tuple(ClassScore(label, *scores) for label, *scores in zip(labels, *columns, strict=True))


def accuracy(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The share of rows whose predicted class is the true one."""
    counts = _counts(y, P, sample_weight)
    return float(counts.hits.sum() / counts.support.sum())


def balanced_accuracy(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The mean recall of the classes that are present in `y`."""
    counts = _counts(y, P, sample_weight)
    present = counts.support > 0
    return float(np.mean(counts.hits[present] / counts.support[present]))


def macro_f1(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """The mean F1 of the classes that are present in `y` or among the predictions."""
    counts = _counts(y, P, sample_weight)
    present = counts.predicted + counts.support > 0
    _, _, each = _precision_recall_f1(counts)
    return float(np.mean(each[present]))


def log_loss(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """Mean of -ln(probability of the true class), in nats.

    Probabilities are cut to [eps, 1 - eps] with the eps of float64 and rows are scaled to sum to 1, which removes the
    rounding of float32 probabilities. Source: Bishop (2006), equation 4.108.
    """
    return float(np.average(_in_chunks(log_loss_per_row, y, P), weights=sample_weight))


def brier(y: Codes, P: Array, sample_weight: Array | None = None) -> float:
    """Mean squared distance between the probabilities and the one-hot true class (Brier, 1950).

    Two classes: the mean of (p - y)^2 with p the probability of the second class, between 0 and 1. More classes: the
    mean of the sum over classes, between 0 and 2. These are the two usual conventions; summed over both classes, the
    binary score would be twice as large.
    """

    def squared_distance(y: Codes, error: NDArray[np.float64]) -> NDArray[np.float64]:
        error[np.arange(len(y)), y] -= 1.0
        return np.asarray(np.square(error).sum(axis=1))

    score = float(np.average(_in_chunks(squared_distance, y, P), weights=sample_weight))
    return score / 2 if P.shape[1] == 2 else score


def calibration_error(y: Codes, P: Array, sample_weight: Array | None = None, *, bins: int = BINS) -> float:
    """Expected calibration error of the predicted class, between 0 and 1.

    Rows are put into `bins` equal bins of confidence (the largest probability), each closed on the right; the error is
    the mean over rows of |accuracy - mean confidence| of their bin.
    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017, equation 3.
    """
    w = np.ones(len(y)) if sample_weight is None else sample_weight.astype(np.float64)
    confidence = P.max(axis=1).astype(np.float64)
    hit = P.argmax(axis=1) == y
    inner_edges = np.arange(1, bins) / bins
    bin_index = np.searchsorted(inner_edges, confidence, side="left")
    # weight of the bin times (accuracy - mean confidence) is a sum over its rows
    gap = np.bincount(bin_index, weights=w * (hit - confidence), minlength=bins)
    return float(np.abs(gap).sum() / w.sum())


def _entry(function: MetricFunction, title: str, description: str, **options: Any) -> Metric[ClassificationResamples]:
    """A metric of the registry, which has the name of its function."""
    return Metric(function.__name__, "classification", function, description, title, **options)


POSITIVE_CLASS_METRICS: tuple[Metric[ClassificationResamples], ...] = (
    _entry(
        f1,
        "F1",
        "harmonic mean of precision and recall; of the positive class of two, see positive_class",
        higher_is_better=True,
        of_classes=True,
        bootstrap=bootstrap_f1,
    ),
    _entry(
        precision,
        "precision",
        "share of the rows predicted as positive that are positive; of two classes",
        higher_is_better=True,
        of_classes=True,
        bootstrap=bootstrap_precision,
    ),
    _entry(
        recall,
        "recall",
        "share of the positive rows that are predicted as positive; of two classes",
        higher_is_better=True,
        of_classes=True,
        bootstrap=bootstrap_recall,
    ),
    _entry(
        average_precision,
        "average precision",
        "area under the curve of precision by recall; of the positive class of two. By chance it is its share of rows",
        higher_is_better=True,
        bootstrap=lambda r: bootstrap_average_precision(r.y, r.exact, r.W),
    ),
)
"""The metrics of the positive class of two."""

CLASSIFICATION_METRICS: tuple[Metric[ClassificationResamples], ...] = (
    _entry(
        accuracy,
        "accuracy",
        "share of rows whose predicted class is the true one; higher is better",
        higher_is_better=True,
        of_classes=True,
        bootstrap=lambda r: r.hits.sum(axis=1) / r.total,
    ),
    _entry(
        balanced_accuracy,
        "balanced accuracy",
        "mean recall over classes; higher is better",
        higher_is_better=True,
        of_classes=True,
        bootstrap=bootstrap_balanced_accuracy,
    ),
    _entry(
        macro_f1,
        "macro F1",
        "mean F1 score over classes; higher is better",
        higher_is_better=True,
        of_classes=True,
        bootstrap=bootstrap_macro_f1,
    ),
    _entry(
        roc_auc,
        "ROC AUC",
        "area under the ROC curve; 1 is perfect, 0.5 is chance",
        higher_is_better=True,
        bootstrap=lambda r: bootstrap_roc_auc(r.y, r.exact, r.W),
    ),
    _entry(
        log_loss,
        "log loss",
        "mean of -ln(probability of the true class), in nats; lower is better",
        is_squared=True,
        bootstrap=bootstrap_log_loss,
    ),
    _entry(
        brier,
        "Brier score",
        "mean squared distance of the probabilities from the true class; lower is better",
        is_squared=True,
        bootstrap=bootstrap_brier,
    ),
    _entry(
        calibration_error,
        "calibration error",
        "expected calibration error; lower is better. The baseline, which predicts the class frequencies, is nearly "
        "perfect by it, and resamples look worse than all rows: neither is shown",
        has_baseline=False,
        bootstrap=bootstrap_calibration_error,
    ),
    *POSITIVE_CLASS_METRICS,
)
"""All metrics of a classification, in the order in which they are shown. A new metric is a new entry here."""


def _counts(y: Codes, P: Array, sample_weight: Array | None) -> ClassCounts:
    return ClassCounts.of(y, P.argmax(axis=1), P.shape[1], sample_weight)


def _in_chunks(
    score: Callable[[Codes, NDArray[np.float64]], NDArray[np.float64]], y: Codes, P: Array
) -> NDArray[np.float64]:
    """The `score` of each row (rows,), computed in chunks from a float64 copy of CHUNK_CELLS of P."""
    scores = np.empty(len(y))
    step = max(1, CHUNK_CELLS // P.shape[1])
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        scores[rows] = score(y[rows], np.array(P[rows], np.float64, order="C"))
    return scores


def _precision_recall_f1(
    counts: ClassCounts,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Three vectors (K,); see ClassScore for what a missing denominator means."""
    hit, support, predicted = counts.hits, counts.support, counts.predicted
    return _ratio(hit, predicted), _ratio(hit, support), _ratio(2 * hit, support + predicted)


def _ratio(part: CellCounts, whole: CellCounts) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
