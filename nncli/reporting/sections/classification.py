"""Classes: which are taken for which, how well they are told apart, and whether sureness is deserved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.metrics.classification import ClassificationScores, calibration_error
from nncli.reporting.charts import Axis, Colour, Line, lines, points, spread, table_of
from nncli.reporting.page import (
    Cell,
    Figure,
    Gallery,
    Heading,
    Paragraph,
    Part,
    Section,
    Table,
    number,
    percent,
    shown,
)
from nncli.reporting.statistics import Curve, curve, reliability

MOST_IN_MATRIX = 12
MOST_PAIRS = 20
"""Classes whose matrix is shown, and pairs of them that are listed where there are more."""
MOST_LISTED = 60
MOST_CURVES = 6
MOST_ON_CURVE = 200
STYLES: tuple[tuple[Colour, bool], ...] = (
    ("first", False), ("second", False), ("third", False), ("first", True), ("second", True), ("third", True)
)  # fmt: skip


def classes(judged: HeldOutPredictions) -> Section | None:
    """Confusions, curves and calibration; None for numbers."""
    target, scores = judged.predictions.target, judged.scores
    if target.task == "regression" or not isinstance(scores, ClassificationScores):
        return None
    labels = [shown(label, 40) for label in target.labels]
    curves = _curves(judged)
    parts: list[Part] = [*_confusions(scores, labels), _by_class(scores, labels, curves)]
    figures = [_calibration(judged, labels)]
    if curves:
        chosen = sorted(sorted(curves, key=lambda k: -scores.per_class[k].support)[:MOST_CURVES])
        if len(labels) == 2:
            chosen = [1] if 1 in curves else chosen[:1]
        figures = [*_drawn([(labels[k], curves[k]) for k in chosen], len(curves)), *figures]
    parts += [Heading("Telling them apart, and how surely"), Gallery(tuple(figures))]
    return Section("classes", "Which classes are taken for which", tuple(parts))


def _confusions(scores: ClassificationScores, labels: list[str]) -> list[Part]:
    counts = np.array(scores.confusion_matrix, np.float64)
    support = counts.sum(axis=1, keepdims=True)
    shares = counts / np.where(support > 0, support, 1)
    if len(labels) <= MOST_IN_MATRIX:
        rows = tuple(_in_matrix(label, counts[i], shares[i]) for i, label in enumerate(labels))
        titles = ("true class", *(f"said {label}" for label in labels))
        return [Table("Rows of each true class, by what was said of them", titles, rows, note=SHARES)]
    wrong = counts - np.diag(counts.diagonal())
    most = [divmod(int(at), len(labels)) for at in np.argsort(-wrong, axis=None, kind="stable")[:MOST_PAIRS]]
    pairs = tuple((labels[i], labels[j], _count(wrong[i, j]), percent(shares[i, j])) for i, j in most if wrong[i, j])
    told = f"{len(labels):,} classes are too many for a table of all pairs: these are confused most often."
    if not pairs:
        return [Paragraph("No row was taken for another class.")]
    return [Paragraph(told), Table("Most confused", ("true class", "said", "rows", "of the class"), pairs, (0, 1))]


def _in_matrix(label: str, counts: NDArray[np.float64], shares: NDArray[np.float64]) -> tuple[str | Cell, ...]:
    cells = (Cell(f"{_count(n)}\n{percent(share)}", share) for n, share in zip(counts, shares, strict=True))
    return (label, *cells)


SHARES = "Beneath each count, its share of the rows of the true class."


def _by_class(scores: ClassificationScores, labels: list[str], curves: dict[int, Curve]) -> Table:
    order = sorted(range(len(labels)), key=lambda k: scores.per_class[k].f1)
    listed = order[:MOST_LISTED] if len(labels) > MOST_LISTED else range(len(labels))
    rows = []
    for k in listed:
        one, found = scores.per_class[k], curves.get(k)
        areas = (None, None) if found is None else (found.area, found.average_precision)
        rows.append((labels[k], _count(one.support), *map(number, (one.precision, one.recall, one.f1, *areas))))
    note = (
        "Precision: how many of those said to be of the class are. Recall: how many of the class are found. "
        "The areas are those of the curves of this class against the rest."
    )
    if len(labels) > MOST_LISTED:
        note = f"The {MOST_LISTED} classes of the lowest f1, of {len(labels):,}. {note}"
    titles = ("class", "rows", "precision", "recall", "f1", "ROC area", "average precision")
    return Table("By class", titles, tuple(rows), note=note)


def _curves(judged: HeldOutPredictions) -> dict[int, Curve]:
    """Those of each class that has rows, and is not all there is."""
    y, P, weights = judged.y, judged.predictions.values, judged.weights
    found = ((k, curve(y == k, P[:, k], weights)) for k in np.unique(y).tolist())
    return {k: one for k, one in found if one is not None}


def _drawn(chosen: list[tuple[str, Curve]], of: int) -> list[Figure]:
    """The ROC and the precision-recall curve of some classes."""
    few = f" The commonest {len(chosen)} of {of} classes." if 1 < len(chosen) < of else ""
    roc, recalls = [], []
    for (label, one), (colour, dashed) in zip(chosen, STYLES, strict=False):
        some = spread(len(one.true_rate), MOST_ON_CURVE)
        name = shown(label, 18)
        roc.append(Line(f"{name}, {number(one.area)}", one.false_rate[some], one.true_rate[some], colour, dashed))
        recalls.append(
            Line(f"{name}, {number(one.average_precision)}", one.true_rate[some], one.precision[some], colour, dashed)
        )
    first = chosen[0][1]
    whole = (0.0, 1.0)
    said = f"How many of a class are found, against how many others are taken for it. On the dotted line: chance.{few}"
    table = table_of(f"ROC of {chosen[0][0]}", ("false positives", "found"), (first.false_rate, first.true_rate))
    left = lines(
        "ROC curve, with its area",
        said,
        Axis("others taken for it", "found", whole, whole, square=True),
        roc,
        table,
        diagonal=True,
    )
    said = f"How many of those said to be of the class are, against how many of it are found.{few}"
    table = table_of(
        f"Precision and recall of {chosen[0][0]}", ("recall", "precision"), (first.true_rate, first.precision)
    )
    axis = Axis("recall", "precision", whole, (0.0, 1.02), square=True)
    return [left, lines("Precision and recall, with the average precision", said, axis, recalls, table)]


def _calibration(judged: HeldOutPredictions, labels: list[str]) -> Figure:
    """Whether rows said to be so with a probability are so that often."""
    y, P = judged.y, judged.predictions.values
    if len(labels) == 2:
        p, true, of = P[:, 1], y == 1, f"of {labels[1]}"
    else:
        p, true, of = P.max(axis=1), P.argmax(axis=1) == y, "of the class said"
    bins = reliability(p, np.asarray(true, np.bool_), judged.weights)
    error = number(calibration_error(y, P, judged.weights))
    said = (
        f"Rows by the probability {of}: how often it came true, with 95 % intervals; larger dots are more rows. "
        f"On the dotted line sureness is deserved. Calibration error: {error}."
    )
    rows = tuple(
        (number(one.said), number(one.true), f"{number(one.low)} to {number(one.high)}", f"{one.rows:,}")
        for one in bins
    )
    table = Table("Calibration", ("said", "came true", "95 % interval", "rows"), rows, ())
    sizes: NDArray[np.float64] = np.sqrt([one.rows / len(y) for one in bins])
    axis = Axis(f"probability {shown(of, 30)}", "came true", (0.0, 1.0), (-0.02, 1.02), square=True)
    return points("Calibration", said, axis, bins, sizes, table)


def _count(n: float) -> str:
    """A count, or a sum of weights."""
    return f"{n:,.0f}" if float(n).is_integer() else f"{n:,.1f}"
