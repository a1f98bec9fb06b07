"""Confusion matrix, scores by class, curves, the saved decision, and what thresholds achieve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.evaluation.two_class_rows import ExpectedScore, TwoClassRows, expected_costs
from nncli.analysis.report import charts
from nncli.analysis.report.charts import Axis, Bin, Color, Line, evenly_spaced, lines, numeric_table, points
from nncli.analysis.report.page import (
    ColumnsBlock,
    FigureBlock,
    Gallery,
    Paragraph,
    Part,
    Row,
    Section,
    TableBlock,
    display,
    method,
    number_cell,
)
from nncli.analysis.report.pictures import MAX_PAIRS, confusion_matrix, row_count
from nncli.analysis.report.sections.scores import format_interval, scored_rows
from nncli.base.text import format_number, format_percent, short_number
from nncli.models.scores import class_scores, headlines
from nncli.nn.arrays import Floats
from nncli.targets.decision import CostMatrix, Decision, LabelThresholds, RankCuts, Threshold
from nncli.targets.metrics.bootstrap import RESAMPLES
from nncli.targets.metrics.classification import ClassificationScores
from nncli.targets.metrics.intervals import Z, wilson_interval
from nncli.targets.metrics.labels import LabelScores
from nncli.targets.views import ClassProbabilities, Confusions, OneClass, PositiveClass, Reliability

BINS = 10
MAX_LISTED = 60
MEANINGS = (
    "Precision: fraction of the rows predicted as the class that are of the class. Recall: fraction of the rows of the "
    "class that are predicted as the class. ROC AUC and average precision are of this class against the rest."
)
MAX_CURVES = 6
MAX_CURVE_POINTS = 200
STYLES: tuple[tuple[Color, bool], ...] = (
    ("first", False), ("second", False), ("third", False), ("first", True), ("second", True), ("third", True)
)  # fmt: skip


def classification(view: ClassProbabilities, held_out: HeldOutPredictions) -> tuple[Section, ...]:
    """The sections on the confusion matrix and on the curves."""
    scores = class_scores(held_out.scores)
    assert scores is not None
    labels = [display(label, 40) for label in scores.labels]
    each = {k: class_curves(view.of_class(k)) for k in _shown_classes(scores)}
    curves = {k: curve for k, curve in each.items() if curve is not None}
    figures = [_calibration(view.reliability)]
    if curves:
        present = sum(of_class.support > 0 for of_class in scores.by_class)
        chosen = _drawn_classes(scores, curves)
        figures = [*_roc_and_precision_recall([(labels[k], curves[k]) for k in chosen], present), *figures]
    title, part = _confusions(scores, _by_class(scores, labels, curves, scores.noun))
    parts = (*_gain(held_out), part, method(MEANINGS.replace("class", scores.noun)))
    return (
        Section(scores.nouns, title, parts, wide=True),
        Section("calibration", "ROC and calibration curves", (Gallery(tuple(figures)),), wide=True),
    )


@singledispatch
def _drawn_classes(scores: ClassificationScores, curves: Collection[int]) -> list[int]:
    """The classes whose curves are drawn: the most frequent ones; the second of two, whose curves are those of both."""
    most_frequent = _most_frequent(scores, curves)
    if len(scores.labels) != 2:
        return most_frequent
    return [1] if 1 in curves else most_frequent[:1]


@_drawn_classes.register
def _(scores: LabelScores, curves: Collection[int]) -> list[int]:
    return _most_frequent(scores, curves)


def _most_frequent(scores: ClassificationScores, curves: Collection[int]) -> list[int]:
    return sorted(sorted(curves, key=lambda k: -scores.by_class[k].support)[:MAX_CURVES])


@singledispatch
def _confusions(scores: ClassificationScores, by_class: TableBlock) -> tuple[str, Part]:
    """The scores by class beside the matrix of two classes; of more classes it is the picture of the report."""
    if len(scores.labels) != 2 or scores.confusion_matrix is None:
        return "Scores by class", by_class
    counts = np.array(scores.confusion_matrix, np.float64)
    matrix = confusion_matrix(Confusions(scores.labels, counts), charts.WIDTH)
    assert matrix is not None
    return "Confusion matrix and scores by class", ColumnsBlock((matrix, by_class))


@_confusions.register
def _(scores: LabelScores, by_class: TableBlock) -> tuple[str, Part]:
    """The scores by label beside the pairs of labels that are confused most often."""
    labels, title = [display(label, 40) for label in scores.labels], "Scores by label"
    if not scores.confusions:
        return title, by_class
    rows = tuple(
        (labels[pair.actual], labels[pair.predicted], row_count(pair.rows), format_percent(pair.fraction))
        for pair in scores.confusions[:MAX_PAIRS]
    )
    titles = ("label that is missed", "label that is predicted instead", "rows", "of those with the label")
    return title, ColumnsBlock((by_class, TableBlock("Labels that are confused most often", titles, rows, (0, 1))))


def _gain(held_out: HeldOutPredictions) -> tuple[Paragraph, ...]:
    """The accuracy of the predictions that are counted, beside that which is expected of the mean of all networks."""
    if held_out.averaging is None or held_out.predictions.decision is not None:
        return ()
    both = (held_out, replace(held_out, averaging=None))
    expected, counted = (dict(headlines(each.scores)).get("accuracy") for each in both)
    if expected is None or counted is None:
        return ()
    wrong = int((held_out.predictions.classes != held_out.y).sum())
    return (
        Paragraph(
            f"{wrong:,} of {scored_rows(held_out)} are misclassified here, an accuracy of {format_percent(counted)}; "
            f"{format_percent(expected)} is expected of all networks together."
        ),
    )


def _by_class(scores: ClassificationScores, labels: list[str], curves: dict[int, ClassCurves], noun: str) -> TableBlock:
    order = sorted(range(len(labels)), key=lambda k: scores.by_class[k].f1)
    listed = order[:MAX_LISTED] if len(labels) > MAX_LISTED else range(len(labels))
    rows = list[Row]()
    for k in listed:
        score, curve = scores.by_class[k], curves.get(k)
        areas = (None, None) if curve is None else (curve.area, curve.average_precision)
        numbers = map(number_cell, (score.precision, score.recall, score.f1, *areas))
        rows.append((labels[k], row_count(score.support), *numbers))
    note = f"The {MAX_LISTED} with the lowest F1, of {len(labels):,}." if len(labels) > MAX_LISTED else ""
    titles = (noun, "rows", "precision", "recall", "F1", "ROC AUC", "average precision")
    return TableBlock(f"Each {noun} against the rest", titles, tuple(rows), note=note)


def _shown_classes(scores: ClassificationScores) -> list[int]:
    """The classes in the table and in the charts: all, or of many those of the lowest f1 and the most frequent ones."""
    present = [k for k, of_class in enumerate(scores.by_class) if of_class.support > 0]
    if len(scores.labels) <= MAX_LISTED:
        return present
    lowest = sorted(range(len(scores.labels)), key=lambda k: scores.by_class[k].f1)[:MAX_LISTED]
    frequent = sorted(present, key=lambda k: -scores.by_class[k].support)[:MAX_CURVES]
    return sorted({*lowest, *frequent} & {*present})


def _roc_and_precision_recall(chosen: list[tuple[str, ClassCurves]], n_classes: int) -> list[FigureBlock]:
    """The ROC and the precision-recall curves of subset classes."""
    subset = f" The {len(chosen)} most frequent of {n_classes} classes." if 1 < len(chosen) < n_classes else ""
    roc, precision_recall = [], []
    for (label, curve), (color, dashed) in zip(chosen, STYLES, strict=False):
        at = evenly_spaced(len(curve.true_rate), MAX_CURVE_POINTS)
        name, area, precision = display(label, 18), short_number(curve.area), short_number(curve.average_precision)
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


def _calibration(view: Reliability) -> FigureBlock:
    """Observed frequency by probability: of the second of two classes, of labels, or of the predicted class."""
    subject = f"of {display(view.of, 40)}"
    bins = calibration_bins(view.probability, view.is_observed, view.weights)
    error = short_number(view.error)
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
    table = TableBlock("Calibration curve", ("predicted", "observed", "95 % CI", "rows"), rows, ())
    sizes: NDArray[np.float64] = np.sqrt([group.rows / len(view.probability) for group in bins])
    axis = Axis(f"probability {display(subject, 30)}", "observed", (0.0, 1.0), (-0.02, 1.02), square=True)
    return points("Calibration curve", text, axis, bins, sizes, table)


MAX_POINTS = 200
MIN_WIDTH = 0.1
"""Smallest range of thresholds that the curve of costs shows."""
NAMES = {"positive_rate": "share predicted positive", "cost": "cost per row"}
CORRECTED = (
    f"The threshold was chosen by these rows, so it is chosen again in each of {RESAMPLES:,} bootstrap resamples, and "
    "what it is better by there than on all rows is subtracted: the figures are those to expect on new rows."
)


def decision(held_out: HeldOutPredictions) -> Section | None:
    """The figures of the saved decision, and the curve of its costs; None without a decision."""
    saved = held_out.predictions.decision
    if saved is None:
        return None
    outputs = held_out.predictions.target.output_nouns.capitalize()
    text = Paragraph(f"The saved decision predicts {saved.text}. {outputs} in this report follow it.")
    return Section("decision", "Saved decision", (text, *_of_decision(saved, held_out)), wide=True)


@singledispatch
def _of_decision(saved: Decision, held_out: HeldOutPredictions) -> tuple[Part, ...]:
    """What a decision achieves."""
    return ()


@_of_decision.register
def _(saved: LabelThresholds, held_out: HeldOutPredictions) -> tuple[Part, ...]:
    titles = ("label", "threshold")
    rows = tuple((display(label, 40), repr(at)) for label, at in zip(saved.labels, saved.thresholds, strict=True))
    return (TableBlock("The probability from which a label is predicted", titles, rows),)


@_of_decision.register
def _(saved: RankCuts, held_out: HeldOutPredictions) -> tuple[Part, ...]:
    return (Paragraph("Its quadratic weighted kappa is higher than that of the median rank, and its errors larger."),)


@_of_decision.register
def _(saved: CostMatrix, held_out: HeldOutPredictions) -> tuple[Part, ...]:
    """The mean cost of the predictions, and that of the classes that are predicted without costs."""
    predictions, groups = held_out.predictions, held_out.scored_rows.groups
    rule = predictions.target.decision_rule
    rows = tuple(
        (name, format_number(cost.value), format_interval(cost.interval))
        for name, classes in (
            ("the lowest expected cost", predictions.classes),
            (f"the {rule.usual}", rule.codes(predictions.values, None)),
        )
        for cost in [expected_costs(saved, held_out.y, classes, held_out.weights, groups, held_out.manifest.seed)]
    )
    return (TableBlock("Mean cost of a row", ("predicting", "cost per row", "95 % CI"), rows),)


@_of_decision.register
def _(saved: Threshold, held_out: HeldOutPredictions) -> tuple[Part, ...]:
    if 0 < len(np.unique(held_out.y)) < 2:
        return (Paragraph("All rows are of one class, so nothing can be said about the threshold."),)
    rows = held_out.rows_of(saved)
    achieved, others = rows.achieved(saved.goal, saved.threshold), rows.of_most_probable(saved.goal.costs)
    note = "" if held_out.averaging is None else "Without the expected gain of averaging all networks."
    table = _achieved(achieved, others, display(saved.positive, 30), note)
    shown: Part = table if saved.goal.costs is None else ColumnsBlock((table, _cost_curve(rows, saved)))
    return (shown, method(CORRECTED)) if saved.is_chosen else (shown,)


def _achieved(
    achieved: tuple[ExpectedScore, ...], others: tuple[ExpectedScore, ...], label: str, note: str
) -> TableBlock:
    """The figures beside those of the most probable class."""
    rows = tuple(
        (
            NAMES.get(figure.name, figure.name),
            format_number(figure.value),
            format_interval(figure.interval),
            format_number(other.value),
            format_interval(other.interval),
        )
        for figure, other in zip(achieved, others, strict=True)
    )
    titles = ("figure", "decision", "95 % CI", "most probable class", "95 % CI")
    return TableBlock(f"Figures of {label} on new rows", titles, rows, note=note)


def _cost_curve(rows: TwoClassRows, saved: Threshold) -> FigureBlock:
    """The mean cost of a row by threshold, on the rows themselves."""
    costs = saved.goal.costs
    points = rows.evenly_spaced(MAX_POINTS, costs)
    x, y = np.array([point.threshold for point in points]), np.array([point.cost for point in points], np.float64)
    chosen = rows.point(saved.threshold, costs)
    right = min(1.0, max(MIN_WIDTH, 4 * saved.threshold))
    shown = float(y[x <= right].max())
    return lines(
        "Cost by threshold",
        "The mean cost of a row of these rows, which chose the threshold, for thresholds up to "
        f"{format_number(right)}.",
        Axis("threshold", "cost per row", (0.0, right), (0.0, 1.05 * shown or 1.0)),
        [Line("", x, y)],
        numeric_table("Cost by threshold", ("threshold", "cost per row"), (x, y)),
        mark=(saved.threshold, float(chosen.cost or 0.0), "saved threshold"),
    )


THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Fractions of the rows, those with the highest probability, for which the lift is listed."""


def thresholds(view: PositiveClass, held_out: HeldOutPredictions) -> Section | None:
    """The charts and tables for two classes; None if all rows are of one class."""
    ranking = ranking_of(view.rows)
    if ranking is None:
        return None
    label = display(view.label, 30)
    text = (
        f"A row is predicted as {label} where its probability is at least the threshold{_usual(held_out)}. A lower "
        "threshold finds more of the rows of the class, at the price of more false alarms. nncli threshold chooses one "
        "by costs, recall, precision or the number of alarms."
    )
    figures = (_by_threshold(ranking, label), _lift(ranking, label))
    parts = (ColumnsBlock((*figures, _table(ranking, label))), method(text))
    return Section("thresholds", "Decision threshold and lift", parts, wide=True)


def _usual(held_out: HeldOutPredictions) -> str:
    """The threshold of nncli predict, in a clause."""
    if held_out.predictions.decision is None:
        return ", which is 0.5 for nncli predict"
    return "; nncli predict follows the saved decision"


def _by_threshold(ranking: Ranking, label: str) -> FigureBlock:
    at = evenly_spaced(len(ranking.threshold), MAX_POINTS)
    x = ranking.threshold[at]
    table = numeric_table(
        f"Precision and recall of {label}, by threshold",
        ("threshold", "precision", "recall"),
        (ranking.threshold, ranking.precision, ranking.recall),
    )
    return lines(
        "Precision and recall by threshold",
        f"Precision: fraction of the rows predicted as {label} that are. Recall: fraction of its rows that are found.",
        Axis("threshold", "precision, recall", (0.0, 1.0), (0.0, 1.02)),
        [Line("precision", x, ranking.precision[at]), Line("recall", x, ranking.recall[at], "second", dashed=True)],
        table,
    )


def _lift(ranking: Ranking, label: str) -> FigureBlock:
    x = np.linspace(0.0, 1.0, MAX_POINTS + 1)[1:]
    x = x[x >= ranking.fraction[0]] if ranking.fraction[0] < 1 else x[-1:]
    lift = ranking.lift(x)
    listed = np.array(FRACTIONS)
    values = zip(FRACTIONS, ranking.captured(listed).tolist(), ranking.lift(listed).tolist(), strict=True)
    rows = tuple((format_percent(n), format_percent(captured), format_number(times)) for n, captured, times in values)
    titles = ("rows with the highest probability", f"of the rows of {label}", "lift")
    return lines(
        "Lift",
        f"How many times more rows of {label} there are among the rows with the highest probability than among all. "
        "Dashed: rows in any order.",
        Axis("fraction of the rows", "lift", (0.0, 1.0), (0.0, 1.05 * max(1.0, float(lift.max())))),
        [Line("", x, lift), Line("", (0.0, 1.0), (1.0, 1.0), "thin", dashed=True)],
        TableBlock(f"Lift of {label}", titles, rows, ()),
    )


def _table(ranking: Ranking, label: str) -> TableBlock:
    rows = list[Row]()
    for threshold in THRESHOLDS:
        at = ranking.at(threshold)
        if at is None:
            rows.append((f"{threshold:g}", "0 %", "–", "0 %", "–"))
            continue
        precision, recall = float(ranking.precision[at]), float(ranking.recall[at])
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        cells = map(format_percent, (float(ranking.fraction[at]), precision, recall))
        rows.append((f"{threshold:g}", *cells, number_cell(f1)))
    titles = ("threshold", f"rows predicted as {label}", "precision", "recall", "F1")
    return TableBlock("Decisions by threshold", titles, tuple(rows), ())


@dataclass(frozen=True)
class ClassCurves:
    """ROC and precision-recall curve of one class against the rest, from the highest threshold down; `area` is the
    ROC AUC, `average_precision` the step-wise mean of the precision over the recall."""

    false_rate: Floats
    true_rate: Floats
    precision: Floats
    area: float
    average_precision: float


def class_curves(rows: OneClass) -> ClassCurves | None:
    """The curves of the probabilities of rows; None unless there are positive and negative ones."""
    _, hits, predicted = _ranked(rows)
    misses = predicted - hits
    if not (hits[-1] > 0 and misses[-1] > 0):
        return None
    true_rate, false_rate = np.append(0, hits / hits[-1]), np.append(0, misses / misses[-1])
    precision = hits / np.where(predicted > 0, predicted, 1)
    precision = np.append(precision[0], precision)
    return ClassCurves(
        false_rate=false_rate,
        true_rate=true_rate,
        precision=precision,
        area=float(np.trapezoid(true_rate, false_rate)),
        average_precision=float(np.sum(np.diff(true_rate) * precision[1:])),
    )


def _ranked(rows: OneClass) -> tuple[Floats, Floats, Floats]:
    """The different probabilities, the highest first, with the weights of the positive and of all rows from each up."""
    positive, p = rows.is_positive, rows.probability
    w = np.ones(len(p)) if rows.weights is None else rows.weights
    order = np.argsort(-p, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(p[order]) != 0, True))
    return p[order][ends], np.cumsum(w[order] * positive[order])[ends], np.cumsum(w[order])[ends]


@dataclass(frozen=True)
class Ranking:
    """The rows from the highest probability down: at each `threshold`, the highest first, the `fraction` of the rows
    at or above it, their `precision` and their `recall`."""

    threshold: Floats
    fraction: Floats
    precision: Floats
    recall: Floats

    def at(self, threshold: float) -> int | None:
        """The position of the lowest probability that is at least `threshold`; None if there is none."""
        n = int(np.searchsorted(-self.threshold, -threshold, side="right"))
        return n - 1 if n else None

    def captured(self, fraction: Floats) -> Floats:
        """The recall among these fractions of the rows; within equal probabilities, of rows in any order."""
        return np.asarray(np.interp(fraction, np.append(0.0, self.fraction), np.append(0.0, self.recall)))

    def lift(self, fraction: Floats) -> Floats:
        """How many times more frequent the class is among these fractions of the rows than among all."""
        return self.captured(fraction) / fraction


def ranking_of(rows: OneClass) -> Ranking | None:
    """The ranking by the probabilities of rows; None unless there are positive and negative ones."""
    threshold, hits, predicted = _ranked(rows)
    if not 0 < hits[-1] < predicted[-1]:
        return None
    counted = np.diff(predicted, prepend=0.0) > 0
    hits, predicted = hits[counted], predicted[counted]
    return Ranking(threshold[counted], predicted / predicted[-1], hits / predicted, hits / hits[-1])


def calibration_bins(
    p: Floats, observed: NDArray[np.bool_], sample_weight: Floats | None, bins: int = BINS
) -> tuple[Bin, ...]:
    """The non-empty bins of the probabilities p (rows,), of equal width and closed on the right."""
    w = np.ones(len(p)) if sample_weight is None else sample_weight
    bin_of_row = np.searchsorted(np.arange(1, bins) / bins, p, side="left")
    non_empty = []
    for j in range(bins):
        rows = (bin_of_row == j) & (w > 0)
        n = int(rows.sum())
        if n:
            frequency = float(np.average(observed[rows], weights=w[rows]))
            interval = wilson_interval(frequency, 0.0, n, Z)
            mean = float(np.average(p[rows], weights=w[rows]))
            non_empty.append(Bin(n, mean, frequency, interval.low, interval.high))
    return tuple(non_empty)
