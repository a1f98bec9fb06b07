"""Confusion matrix, scores by class, and ROC, precision-recall and calibration curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.charts import Axis, Color, Line, evenly_spaced, lines, numeric_table, points
from nncli.analysis.report.page import Cell, Columns, Figure, Gallery, Paragraph, Part, Section, Table, display
from nncli.analysis.report.statistics import ClassCurves, calibration_bins, class_curves
from nncli.base.text import format_number, format_percent
from nncli.models.scores import class_scores
from nncli.targets.metrics.classification import ClassificationScores, calibration_error

Curves = dict[int, ClassCurves]

MAX_MATRIX_CLASSES = 12
MAX_PAIRS = 20
"""Pairs of classes that are listed where there are too many classes for a matrix."""
MAX_LISTED = 60
MAX_CURVES = 6
MAX_CURVE_POINTS = 200
STYLES: tuple[tuple[Color, bool], ...] = (
    ("first", False), ("second", False), ("third", False), ("first", True), ("second", True), ("third", True)
)  # fmt: skip


def classification(held_out: HeldOutPredictions) -> tuple[Section, ...]:
    """The sections on the confusion matrix and on the curves; none without classes."""
    target, scores = held_out.predictions.target, class_scores(held_out.scores)
    if scores is None:
        return ()
    labels = [display(label, 40) for label in target.labels]
    curves = _curves(held_out, scores)
    figures = [_calibration(held_out, labels)]
    if curves:
        present = sum(one.support > 0 for one in scores.by_class)
        largest = sorted(curves, key=lambda k: -scores.by_class[k].support)[:MAX_CURVES]
        chosen = sorted(largest)
        if len(labels) == 2:
            chosen = [1] if 1 in curves else chosen[:1]
        figures = [*_roc_and_precision_recall([(labels[k], curves[k]) for k in chosen], present), *figures]
    return (
        Section(
            "confusion-matrix",
            "Confusion matrix",
            (Columns((*_confusion_matrix(scores, labels), _by_class(scores, labels, curves))),),
        ),
        Section("calibration", "ROC and calibration curves", (Gallery(tuple(figures)),), wide=True),
    )


def _confusion_matrix(scores: ClassificationScores, labels: list[str]) -> list[Part]:
    """The matrix, or, for many classes, the pairs that are confused most often."""
    if scores.confusion_matrix is not None and len(labels) <= MAX_MATRIX_CLASSES:
        counts = np.array(scores.confusion_matrix, np.float64)
        support = counts.sum(axis=1, keepdims=True)
        fractions = counts / np.where(support > 0, support, 1)
        rows = tuple(_matrix_row(label, counts[i], fractions[i]) for i, label in enumerate(labels))
        titles = ("actual class", *(f"predicted {label}" for label in labels))
        note = "Number of rows, and below it the fraction of the rows of the actual class."
        return [Table("Rows by actual class and predicted class", titles, rows, note=note)]
    pairs = tuple(
        (labels[pair.actual], labels[pair.predicted], _count(pair.rows), format_percent(pair.fraction))
        for pair in scores.confusions[:MAX_PAIRS]
    )
    if not pairs:
        return [Paragraph("No row is misclassified.")]
    text = f"The matrix of {len(labels):,} classes is too large to show. These pairs are confused most often."
    titles = ("actual class", "predicted class", "rows", "of the actual class")
    return [Paragraph(text), Table("Most confused classes", titles, pairs, (0, 1))]


def _matrix_row(label: str, counts: NDArray[np.float64], fractions: NDArray[np.float64]) -> tuple[str | Cell, ...]:
    cells = (Cell(f"{_count(n)}\n{format_percent(part)}", part) for n, part in zip(counts, fractions, strict=True))
    return (label, *cells)


def _by_class(scores: ClassificationScores, labels: list[str], curves: Curves) -> Table:
    order = sorted(range(len(labels)), key=lambda k: scores.by_class[k].f1)
    listed = order[:MAX_LISTED] if len(labels) > MAX_LISTED else range(len(labels))
    rows = []
    for k in listed:
        score, curve = scores.by_class[k], curves.get(k)
        areas = (None, None) if curve is None else (curve.area, curve.average_precision)
        numbers = map(format_number, (score.precision, score.recall, score.f1, *areas))
        rows.append((labels[k], _count(score.support), *numbers))
    note = (
        "Precision: fraction of the rows predicted as the class that are of the class. Recall: fraction of the rows of "
        "the class that are predicted as the class. ROC AUC and average precision are of this class against the rest."
    )
    if len(labels) > MAX_LISTED:
        note = f"The {MAX_LISTED} classes with the lowest f1, of {len(labels):,}. {note}"
    titles = ("class", "rows", "precision", "recall", "f1", "ROC AUC", "average precision")
    return Table("Scores by class", titles, tuple(rows), note=note)


def _curves(held_out: HeldOutPredictions, scores: ClassificationScores) -> Curves:
    """The curves of each class that is shown against the rest, where there are rows of both."""
    y, P, weights = held_out.y, held_out.predictions.values, held_out.weights
    curves = ((k, class_curves(y == k, P[:, k], weights)) for k in _shown_classes(scores))
    return {k: curve for k, curve in curves if curve is not None}


def _shown_classes(scores: ClassificationScores) -> list[int]:
    """The classes in the table and in the charts: all, or of many those of the lowest f1 and the most frequent ones."""
    present = [k for k, one in enumerate(scores.by_class) if one.support > 0]
    if len(scores.labels) <= MAX_LISTED:
        return present
    lowest = sorted(range(len(scores.labels)), key=lambda k: scores.by_class[k].f1)[:MAX_LISTED]
    frequent = sorted(present, key=lambda k: -scores.by_class[k].support)[:MAX_CURVES]
    return sorted({*lowest, *frequent} & {*present})


def _roc_and_precision_recall(chosen: list[tuple[str, ClassCurves]], n_classes: int) -> list[Figure]:
    """The ROC and the precision-recall curves of subset classes."""
    subset = f" The {len(chosen)} most frequent of {n_classes} classes." if 1 < len(chosen) < n_classes else ""
    roc, precision_recall = [], []
    for (label, curve), (color, dashed) in zip(chosen, STYLES, strict=False):
        at = evenly_spaced(len(curve.true_rate), MAX_CURVE_POINTS)
        name, area, precision = display(label, 18), format_number(curve.area), format_number(curve.average_precision)
        roc.append(Line(f"{name}, {area}", curve.false_rate[at], curve.true_rate[at], color, dashed))
        precision_recall.append(Line(f"{name}, {precision}", curve.true_rate[at], curve.precision[at], color, dashed))
    label, curve = chosen[0]
    unit = (0.0, 1.0)
    roc_figure = lines(
        "ROC curve",
        f"True positive rate against false positive rate, with the area under the curve. Dotted line: chance.{subset}",
        Axis("false positive rate", "true positive rate", unit, unit, square=True),
        roc,
        numeric_table(
            f"ROC curve of {label}", ("false positive rate", "true positive rate"), (curve.false_rate, curve.true_rate)
        ),
        diagonal=True,
    )
    precision_recall_figure = lines(
        "Precision-recall curve",
        f"Precision against recall, with the average precision.{subset}",
        Axis("recall", "precision", unit, (0.0, 1.02), square=True),
        precision_recall,
        numeric_table(
            f"Precision-recall curve of {label}", ("recall", "precision"), (curve.true_rate, curve.precision)
        ),
    )
    return [roc_figure, precision_recall_figure]


def _calibration(held_out: HeldOutPredictions, labels: list[str]) -> Figure:
    """Observed frequency by predicted probability: of the second of two classes, else of the predicted class."""
    y, P = held_out.y, held_out.predictions.values
    if len(labels) == 2:
        p, observed, subject = P[:, 1], y == 1, f"of {labels[1]}"
    else:
        p, observed, subject = P.max(axis=1), P.argmax(axis=1) == y, "of the most probable class"
    bins = calibration_bins(p, np.asarray(observed, np.bool_), held_out.weights)
    error = format_number(calibration_error(y, P, held_out.weights))
    text = (
        f"Observed frequency by predicted probability {subject}, with 95 % confidence intervals; larger dots are more "
        f"rows. Dotted line: perfect calibration. Expected calibration error: {error}."
    )
    rows = tuple(
        (
            format_number(group.mean_predicted),
            format_number(group.observed),
            f"{format_number(group.low)} to {format_number(group.high)}",
            f"{group.rows:,}",
        )
        for group in bins
    )
    table = Table("Calibration curve", ("predicted", "observed", "95 % CI", "rows"), rows, ())
    sizes: NDArray[np.float64] = np.sqrt([group.rows / len(y) for group in bins])
    axis = Axis(f"probability {display(subject, 30)}", "observed", (0.0, 1.0), (-0.02, 1.02), square=True)
    return points("Calibration curve", text, axis, bins, sizes, table)


def _count(n: float) -> str:
    """A number of rows, or a sum of weights."""
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.1f}"
