"""Precision, recall and lift of a two-class model by threshold, for choosing where to decide."""

from __future__ import annotations

import numpy as np

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.charts import Axis, Line, evenly_spaced, lines, numeric_table
from nncli.analysis.report.page import Columns, Figure, Paragraph, Section, Table, display
from nncli.analysis.report.statistics import Ranking, ranking_of
from nncli.base.text import format_number, format_percent

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
"""Fractions of the rows, those with the highest probability, for which the lift is listed."""
MAX_POINTS = 200


def thresholds(held_out: HeldOutPredictions) -> Section | None:
    """The charts and tables for two classes; None otherwise, or if all rows are of one class."""
    target = held_out.predictions.target
    if len(target.labels) != 2:
        return None
    ranking = ranking_of(held_out.y == 1, held_out.predictions.values[:, 1], held_out.weights)
    if ranking is None:
        return None
    label = display(target.labels[1], 30)
    text = (
        f"A row is predicted as {label} where its probability is at least the threshold{_usual(held_out)}. A lower "
        "threshold finds more of the rows of the class, at the price of more false alarms. nncli threshold chooses one "
        "by costs, recall, precision or the number of alarms."
    )
    charts = (_by_threshold(ranking, label), _lift(ranking, label))
    parts = (Paragraph(text), Columns((*charts, _table(ranking, label))))
    return Section("thresholds", "Decision threshold and lift", parts, wide=True)


def _usual(held_out: HeldOutPredictions) -> str:
    """The threshold of nncli predict, in a clause."""
    if held_out.predictions.decision is None:
        return ", which is 0.5 for nncli predict"
    return "; nncli predict follows the saved decision"


def _by_threshold(ranking: Ranking, label: str) -> Figure:
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


def _lift(ranking: Ranking, label: str) -> Figure:
    x = np.linspace(0.0, 1.0, MAX_POINTS + 1)[1:]
    x = x[x >= ranking.fraction[0]] if ranking.fraction[0] < 1 else x[-1:]
    lift = ranking.lift(x)
    listed = np.array(FRACTIONS)
    values = zip(FRACTIONS, ranking.found(listed).tolist(), ranking.lift(listed).tolist(), strict=True)
    rows = tuple((format_percent(n), format_percent(found), format_number(times)) for n, found, times in values)
    titles = ("rows with the highest probability", f"of the rows of {label}", "lift")
    return lines(
        "Lift",
        f"How many times more rows of {label} there are among the rows with the highest probability than among all. "
        "Dashed: rows in any order.",
        Axis("fraction of the rows", "lift", (0.0, 1.0), (0.0, 1.05 * max(1.0, float(lift.max())))),
        [Line("", x, lift), Line("", (0.0, 1.0), (1.0, 1.0), "thin", dashed=True)],
        Table(f"Lift of {label}", titles, rows, ()),
    )


def _table(ranking: Ranking, label: str) -> Table:
    rows: list[tuple[str, ...]] = []
    for threshold in THRESHOLDS:
        at = ranking.at(threshold)
        if at is None:
            rows.append((f"{threshold:g}", "0 %", "–", "0 %", "–"))
            continue
        precision, recall = float(ranking.precision[at]), float(ranking.recall[at])
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        cells = map(format_percent, (float(ranking.fraction[at]), precision, recall))
        rows.append((f"{threshold:g}", *cells, format_number(f1)))
    titles = ("threshold", f"rows predicted as {label}", "precision", "recall", "f1")
    return Table("Decisions by threshold", titles, tuple(rows), ())
