"""The rows that went most wrong, with their cells: often a mistake in the table, or something it does not say."""

from __future__ import annotations

import numpy as np

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.reporting.page import Paragraph, Section, Table, number, percent, shown
from nncli.reporting.sections.feature_importance import FeatureImportance, attributions
from nncli.reporting.statistics import row_errors, surprise

MOST_ROWS = 10
MOST_COLUMNS = 10
MOST_OF_A_CELL = 40


def largest_errors(judged: HeldOutPredictions, found: FeatureImportance) -> Section:
    """The worst rows; the columns that matter most come first."""
    target, values = judged.predictions.target, judged.predictions.values
    wrong = surprise(judged.y, values) if target.task == "classification" else row_errors(judged)[0]
    rows = np.argsort(-np.nan_to_num(wrong, nan=np.inf), kind="stable")[:MOST_ROWS]
    columns = list(dict.fromkeys([*found.columns, *judged.model.names]))
    shown_columns = columns[:MOST_COLUMNS]
    lines, moved = [], attributions(judged, found, rows)
    for k, i in enumerate(rows.tolist()):
        said: tuple[str, ...]
        if target.task == "classification":
            label, true = int(values[i].argmax()), int(judged.y[i])
            said = (shown(target.labels[true]), shown(target.labels[label]), percent(float(values[i, true])))
        else:
            true_numbers = ", ".join(number(float(value)) for value in judged.y[i, :4])
            said = (true_numbers, ", ".join(number(float(value)) for value in values[i, :4]), number(float(wrong[i])))
        cells = judged.table.frame.row(i, named=True)
        why = moved[k : k + 1]
        own = "; ".join(f"{shown(name, 30)} {_cell(cells[name])}" for name in shown_columns)
        lines.append((f"{judged.numbers[i]:,}", *said, *why, own))
    third = "probability of the true class" if target.task == "classification" else "error"
    why = ("what moved it",) if moved else ()
    titles = ("row", "true", "said", third, *why, "its cells")
    note = f"{len(shown_columns)} of {len(columns):,} columns." if len(shown_columns) < len(columns) else ""
    prose = (0, *range(4, len(titles)), *((1, 2) if target.task == "classification" else ()))
    table = Table("The rows that went most wrong", titles, tuple(lines), prose, note, folds=True)
    told = "Rows are numbered as in the table, from 1. Look at these first: a row may be mislabelled or mistyped."
    if moved:
        told += (
            " What moved a prediction away from that of the average row is told by column: by integrated gradients, "
            "which add up to the difference; of a probability, the class comes first."
        )
    return Section("worst", "Which rows went most wrong", (Paragraph(told), table))


def _cell(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return number(value) if isinstance(value, float) else shown(value, MOST_OF_A_CELL)
