"""Metrics of several labels: pure functions of (Y, P, weight) in float64, and their entries in the registry.

`Y` is (rows, labels) of 0 and 1, NaN for a missing label, `P` (rows, labels) of probabilities, and `weight` (rows,) of
row weights or None for ones. A label is predicted from a probability of 0.5 on. A row counts as much as any other,
however many of its labels are missing, but for F1, precision and recall, which count labels.
Sources: scikit-learn's functions of these names; Zhang and Zhou, "A review on multi-label learning algorithms", 2014.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nncli.base.errors import UseOption
from nncli.nn.arrays import Array, Codes, Floats
from nncli.targets.metrics.bootstrap import Samples
from nncli.targets.metrics.classification import (
    MAX_CONFUSIONS,
    ClassCounts,
    ClassificationScores,
    Confusion,
    ConfusionWords,
    class_scores,
)
from nncli.targets.metrics.classification_resamples import LOG_LOSS_EPS
from nncli.targets.metrics.metric import Metric, plugin_metrics
from nncli.targets.metrics.precision_recall import bootstrap_roc_auc, roc_auc
from nncli.targets.metrics.temperature_scaling import CALIBRATED_LOG_LOSS, calibrated_log_loss

MULTILABEL = "multilabel"
THRESHOLD = 0.5
"""The probability from which a label is predicted by default."""


@dataclass(frozen=True)
class LabelResamples:
    """Labels with the weights W (resamples, rows) of each resample, and the sums that several metrics need.

    One resample of ones, or of the row weights, gives the metric itself.
    """

    Y: Floats
    P: Floats
    W: Samples

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        return np.asarray(~np.isnan(self.Y))

    @cached_property
    def predicted(self) -> NDArray[np.bool_]:
        return np.asarray((self.P >= THRESHOLD) & self.present)

    @cached_property
    def actual(self) -> NDArray[np.bool_]:
        return np.asarray(self.Y == 1.0)

    @cached_property
    def counts(self) -> tuple[Samples, Samples, Samples]:
        """The weights (resamples, labels) of hits, of actual and of predicted labels."""
        parts = (self.actual & self.predicted, self.actual, self.predicted)
        hits, actual, predicted = (self.W @ part.astype(np.float64) for part in parts)
        return hits, actual, predicted

    def mean(self, rows: Floats) -> Samples:
        """The mean of values of rows (rows,)."""
        return np.asarray(self.W @ rows / self.W.sum(axis=1))


def _ratio(part: Samples, whole: Samples) -> Samples:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


COUNTED = ("micro_f1", "macro_f1", "micro_precision", "micro_recall")
"""The metrics that hits and the numbers of actual and of predicted labels give."""


def counted_scores(hits: Samples, actual: Samples, predicted: Samples) -> tuple[Samples, Samples, Samples, Samples]:
    """COUNTED (resamples,), from the weights (resamples, labels) of hits, of actual and of predicted labels."""
    either = actual + predicted
    macro = _ratio(_ratio(2.0 * hits, either).sum(axis=1), (either > 0).sum(axis=1) * 1.0)
    hits, actual, predicted = (counts.sum(axis=1) for counts in (hits, actual, predicted))
    return _ratio(2.0 * hits, actual + predicted), macro, _ratio(hits, predicted), _ratio(hits, actual)


def _micro_f1(r: LabelResamples) -> Samples:
    return counted_scores(*r.counts)[0]


def _macro_f1(r: LabelResamples) -> Samples:
    return counted_scores(*r.counts)[1]


def _micro_precision(r: LabelResamples) -> Samples:
    return counted_scores(*r.counts)[2]


def _micro_recall(r: LabelResamples) -> Samples:
    return counted_scores(*r.counts)[3]


def _exact_match(r: LabelResamples) -> Samples:
    return r.mean((r.actual == r.predicted).all(axis=1).astype(np.float64))


def _hamming_loss(r: LabelResamples) -> Samples:
    return r.mean(hamming_losses(r.Y, r.predicted.astype(np.float64)))


def _label_ranking_average_precision(r: LabelResamples) -> Samples:
    return r.mean(ranking_precisions(r.Y, r.P))


def _log_loss(r: LabelResamples) -> Samples:
    return r.mean(label_log_losses(r.Y, r.P))


def _roc_auc(r: LabelResamples) -> Samples:
    areas = np.full((len(r.W), r.Y.shape[1]), np.nan)
    area_of = _area if len(r.W) == 1 else bootstrap_roc_auc
    for j, present in enumerate(r.present.T):
        y, p = r.actual[present, j].astype(np.int64), r.P[present, j]
        if 0 < y.sum() < len(y):
            areas[:, j] = area_of(y, np.column_stack([1.0 - p, p]), r.W[:, present])
    defined = np.isfinite(areas)
    return _ratio_or_nan(np.where(defined, areas, 0.0).sum(axis=1), defined.sum(axis=1))


def _area(y: Codes, P: Floats, W: Samples) -> Samples:
    area = roc_auc(y, P, W[0])
    return np.array([np.nan if area is None else area])


def _ratio_or_nan(part: Samples, whole: NDArray[np.int64]) -> Samples:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _calibrated_log_loss(r: LabelResamples) -> Samples:
    P, y, _ = as_two_classes(r.Y, r.P, None)
    return np.array([calibrated_log_loss(y, P, as_two_classes(r.Y, r.P, w)[2]) for w in r.W])


def label_log_losses(Y: Floats, P: Floats) -> Floats:
    """The mean log loss (rows,) of the labels of each row, in nats; see LOG_LOSS_EPS."""
    present = ~np.isnan(Y)
    p = np.where(Y == 1.0, P, 1.0 - P).clip(LOG_LOSS_EPS)
    return _mean_of_present(-np.log(p), present)


def hamming_losses(Y: Floats, predicted: Floats) -> Floats:
    """The share (rows,) of the labels of each row that are predicted wrongly."""
    present = ~np.isnan(Y)
    return _mean_of_present((np.where(present, Y, 0.0) != predicted).astype(np.float64), present)


def _mean_of_present(values: Floats, present: NDArray[np.bool_]) -> Floats:
    return np.asarray(np.where(present, values, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1))


def ranking_precisions(Y: Floats, P: Floats) -> Floats:
    """The mean (rows,), over the labels of a row, of the share of its labels among those ranked at least as high.

    1 for a row with none of the labels, or with all. Labels of equal probability share the lowest of their ranks.
    """
    n, k = P.shape
    score = np.where(np.isnan(Y), -np.inf, P)
    order = np.argsort(-score, axis=1, kind="stable")
    score, actual = np.take_along_axis(score, order, 1), np.take_along_axis(Y == 1.0, order, 1)
    last = np.tile(np.arange(k), (n, 1))
    last[:, :-1][score[:, :-1] == score[:, 1:]] = k - 1
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    among = np.take_along_axis(np.cumsum(actual, axis=1), last, 1) / (last + 1)
    labels = actual.sum(axis=1)
    return np.where(labels > 0, (actual * among).sum(axis=1) / np.maximum(labels, 1), 1.0)


def as_two_classes(Y: Floats, P: Floats, weight: Array | None) -> tuple[Floats, Codes, Floats]:
    """Every label of each row as a row of two classes: probabilities (cells, 2), codes and weights (cells,)."""
    present = ~np.isnan(Y)
    p, w = P[present], np.ones(len(Y)) if weight is None else np.asarray(weight, np.float64)
    cells = np.broadcast_to((w / np.maximum(present.sum(axis=1), 1))[:, None], Y.shape)[present]
    return np.column_stack([1.0 - p, p]), Y[present].astype(np.int64), np.asarray(cells)


def _entry(
    bootstrap: Callable[[LabelResamples], Samples], title: str, description: str, **options: Any
) -> Metric[LabelResamples]:
    """A metric of the registry, which has the name of its function."""

    def value(Y: Array, P: Array, weight: Array | None = None) -> float | None:
        W = np.ones((1, len(Y))) if weight is None else np.asarray(weight, np.float64)[None, :]
        number = float(bootstrap(LabelResamples(np.asarray(Y, np.float64), np.asarray(P, np.float64), W))[0])
        return None if np.isnan(number) else number

    name = bootstrap.__name__.removeprefix("_")
    return Metric(name, MULTILABEL, value, description, title, bootstrap=bootstrap, **options)


LABEL_METRICS: tuple[Metric[LabelResamples], ...] = (
    _entry(
        _micro_f1,
        "micro F1",
        "F1 of all labels of all rows together; higher is better",
        higher_is_better=True,
        of_classes=True,
    ),
    _entry(_macro_f1, "macro F1", "mean F1 over the labels", higher_is_better=True, of_classes=True),
    _entry(
        _micro_precision,
        "micro precision",
        "share of the predicted labels that are right; higher is better",
        higher_is_better=True,
        of_classes=True,
    ),
    _entry(
        _micro_recall,
        "micro recall",
        "share of the labels of the rows that are predicted; higher is better",
        higher_is_better=True,
        of_classes=True,
    ),
    _entry(
        _exact_match,
        "exact match",
        "share of rows of which all labels are right (subset accuracy); higher is better",
        higher_is_better=True,
        of_classes=True,
    ),
    _entry(
        _hamming_loss,
        "Hamming loss",
        "share of wrong ones among the labels that are known of a row, averaged over the rows; lower is better",
        is_squared=True,
        of_classes=True,
    ),
    _entry(
        _label_ranking_average_precision,
        "label ranking average precision",
        "mean share of the labels of a row among those that are ranked at least as high; higher is better",
        higher_is_better=True,
    ),
    _entry(_roc_auc, "ROC AUC", "mean area under the ROC curve over the labels", higher_is_better=True),
    _entry(_log_loss, "log loss", "mean log loss over the labels of a row, in nats; lower is better"),
)
"""All metrics of several labels, in the order in which they are shown."""

CALIBRATED_LABEL_LOG_LOSS = _entry(_calibrated_log_loss, CALIBRATED_LOG_LOSS.title, CALIBRATED_LOG_LOSS.description)
"""`calibrated_log_loss` of labels."""


@dataclass(frozen=True)
class LabelScores(ClassificationScores):
    """All scores of predicted labels, and those of each label.

    `confusions` are pairs of labels: rows that have the first one and not the second, and are predicted to have the
    second one and not the first.
    """

    noun: ClassVar[str] = "label"
    nouns: ClassVar[str] = "labels"
    confusion_words: ClassVar[ConfusionWords] = ConfusionWords(
        "pairs of labels that are confused most often",
        ("missed", "predicted instead", "rows", "of those with the first"),
        "no two labels are confused",
    )
    baseline: ClassVar[str] = "the share of each label"
    decisive: ClassVar[tuple[str, ...]] = ("log_loss", "hamming_loss", "micro_f1")

    @property
    def has_rare_class(self) -> bool:
        return False

    @property
    def threshold_options(self) -> tuple[UseOption, ...]:
        return (UseOption("f1", "f1", True),)

    def json(self) -> dict[str, Any]:
        """The scores, the labels, the pairs that are confused most often, and each label."""
        pairs = [
            {"actual": self.labels[pair.actual], "predicted": self.labels[pair.predicted], "rows": pair.rows}
            for pair in self.confusions
        ]
        per_label = [asdict(of_label) for of_label in self.by_class]
        return {**dict(self.values), "labels": self.labels, "confusions": pairs, "per_label": per_label}


def label_scores(
    Y: Floats, P: Floats, labels: tuple[str, ...], weight: Floats | None, predicted: NDArray[np.bool_]
) -> LabelScores:
    """Every score of the probabilities, and of the labels that are `predicted` (rows, labels)."""
    w, shown = np.ones(len(Y)) if weight is None else weight, (*LABEL_METRICS, *plugin_metrics("multilabel"))
    decided = predicted.astype(np.float64)
    hits, actual, of_predicted = (counts[0] for counts in LabelResamples(Y, decided, w[None, :]).counts)
    return LabelScores(
        values=tuple((m.name, m.function(Y, decided if m.of_classes else P, weight)) for m in shown),
        rows=len(Y),
        labels=labels,
        confusion_matrix=None,
        confusions=confused_labels(Y, predicted, w),
        by_class=class_scores(ClassCounts(hits, actual, of_predicted), labels),
    )


def confused_labels(Y: Floats, predicted: NDArray[np.bool_], w: Floats) -> tuple[Confusion, ...]:
    """The at most MAX_CONFUSIONS pairs of labels that are confused most often; see `LabelScores`."""
    missed, wrong = (Y == 1.0) & ~predicted, (Y == 0.0) & predicted
    counts = (missed * w[:, None]).T @ wrong
    support = np.maximum(((Y == 1.0) * w[:, None]).sum(axis=0), np.finfo(np.float64).tiny)
    order = [divmod(int(at), len(counts)) for at in np.argsort(-counts, axis=None, kind="stable")[:MAX_CONFUSIONS]]
    return tuple(
        Confusion(i, j, float(counts[i, j]), float(counts[i, j] / support[i])) for i, j in order if counts[i, j]
    )
