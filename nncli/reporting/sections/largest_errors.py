"""The rows with the largest errors: often mislabeled rows, or rows that lack an important feature."""

from __future__ import annotations

import numpy as np

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.reporting.page import Paragraph, Section, Table, display
from nncli.reporting.sections.feature_importance import FeatureImportance, attributions
from nncli.reporting.statistics import row_errors, row_log_loss
from nncli.text import format_number, format_percent

MAX_ROWS = 10
MAX_COLUMNS = 8
MAX_TARGETS = 4
MAX_CELL_LENGTH = 40


def largest_errors(held_out: HeldOutPredictions, importance: FeatureImportance) -> Section:
    """The rows with the largest errors, with the cells of their most important columns and their attributions."""
    target, values = held_out.predictions.target, held_out.predictions.values
    classes = target.task == "classification"
    errors = row_log_loss(held_out.y, values) if classes else row_errors(held_out)[0]
    rows = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:MAX_ROWS]
    columns = list(dict.fromkeys([*importance.columns, *held_out.model.names]))
    shown_columns = columns[:MAX_COLUMNS]
    lines, contributions = [], attributions(held_out, importance, rows)
    for k, i in enumerate(rows.tolist()):
        cells = held_out.table.frame.row(i, named=True)
        features = "; ".join(f"{display(name, 30)} {_cell(cells[name])}" for name in shown_columns)
        outcome = _outcome(held_out, i, float(errors[i]))
        lines.append((f"{held_out.numbers[i]:,}", *outcome, *contributions[k : k + 1], features))
    titles = (
        *("row", "actual", "predicted", "probability of the actual class" if classes else "error"),
        *(("attributions",) if contributions else ()),
        "features",
    )
    note = f"{len(shown_columns)} of {len(columns):,} columns." if len(shown_columns) < len(columns) else ""
    prose = (0, *range(4, len(titles)), *((1, 2) if classes else ()))
    table = Table("Rows with the largest errors", titles, tuple(lines), prose, note, folds=True)
    text = "Rows are numbered as in the table, from 1. Check these first: a row may be mislabeled or contain a typo."
    if contributions:
        text += (
            " Attributions (integrated gradients) are what each column contributes to the difference between the "
            "prediction for the row and for the average row."
        )
        if classes:
            text += " The class whose probability they explain comes first."
    return Section("largest-errors", "Largest errors", (Paragraph(text), table), wide=True)


def _outcome(held_out: HeldOutPredictions, i: int, error: float) -> tuple[str, str, str]:
    """The actual value, the predicted one, and the error of the row at position `i`."""
    target, y, p = held_out.predictions.target, held_out.y[i], held_out.predictions.values[i]
    if target.task == "classification":
        actual, predicted = int(y), int(p.argmax())
        return display(target.labels[actual]), display(target.labels[predicted]), format_percent(float(p[actual]))
    actual_values, predicted_values = (
        ", ".join(format_number(float(value)) for value in values[:MAX_TARGETS]) for values in (y, p)
    )
    return actual_values, predicted_values, format_number(error)


def _cell(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return format_number(value) if isinstance(value, float) else display(value, MAX_CELL_LENGTH)
