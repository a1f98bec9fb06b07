"""The rows with the largest errors: often mislabeled rows, or rows that lack an important feature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.explanation import background_rows
from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.inspection.attribution import attribute
from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.analysis.report.page import Paragraph, Section, Table, display
from nncli.analysis.report.sections.feature_importance import FeatureImportance
from nncli.base.text import format_number

MAX_ROWS = 10
MAX_COLUMNS = 8
MAX_TARGETS = 4
MAX_CELL_LENGTH = 40
MAX_CONTRIBUTIONS = 4
KINDS = {"validation": "validation", "training": "training", "table": "model's"}
"""The name of the predictions of the scored rows."""


def largest_errors(held_out: HeldOutPredictions, importance: FeatureImportance) -> Section:
    """The rows with the largest errors: their held-out predictions, and those of the whole model, explained."""
    target, predictions = held_out.predictions.target, held_out.predictions
    errors = target.surprises(predictions, held_out.y)
    rows = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:MAX_ROWS]
    columns = list(dict.fromkeys([*importance.columns, *held_out.model.names]))
    shown_columns = columns[:MAX_COLUMNS]
    lines, explained = [], contributions(held_out, importance, rows)
    for k, i in enumerate(rows.tolist()):
        cells = held_out.table.frame.row(i, named=True)
        features = "; ".join(f"{display(name, 30)} {_cell(cells[name])}" for name in shown_columns)
        outcome = map(display, target.outcome(predictions, held_out.y, i, float(errors[i])))
        of_model = [text for one in explained[k : k + 1] for text in (target.format(one.prediction), one.text)]
        lines.append((held_out.table.row_name(int(held_out.numbers[i])), *outcome, *of_model, features))
    kind = KINDS[held_out.split] if held_out.oof_mask is None else "out-of-fold"
    titles = (
        *("row", "actual", f"{kind} prediction", target.error_title),
        *(("of the whole model", "contributions to it") if explained else ()),
        "features",
    )
    note = f"{len(shown_columns)} of {len(columns):,} columns." if len(shown_columns) < len(columns) else ""
    prose = (0, *range(5, len(titles)), *((1, 2) if target.has_labels else ())) if explained else (0, len(titles) - 1)
    table = Table("Rows with the largest errors", titles, tuple(lines), prose, note, folds=True)
    return Section(
        "largest-errors",
        "Largest errors",
        (Paragraph(_text(held_out, kind, has_sums=bool(explained))), table),
        wide=True,
    )


def _text(held_out: HeldOutPredictions, kind: str, *, has_sums: bool) -> str:
    text = "Rows are numbered as in the table, from 1. Check these first: a row may be mislabeled or contain a typo."
    if not has_sums:
        return text
    target = held_out.predictions.target
    subject = target.error_title if target.has_labels else "prediction"
    if len(target.names) > 1:
        subject = f"prediction of {display(target.names[0], 30)}"
    return (
        f"{text} The errors are those of the {kind} predictions. The {subject} of the whole model is that of nncli "
        "predict, which may have been trained on the row. It is the sum of that of the average row and of the "
        "contributions of the columns (integrated gradients)."
    )


@dataclass(frozen=True)
class Contributions:
    """The whole model's prediction for a row, as in `nncli predict`, and a `text` of what the columns contribute."""

    prediction: float
    text: str


def contributions(
    held_out: HeldOutPredictions, importance: FeatureImportance, rows: NDArray[np.int64]
) -> tuple[Contributions, ...]:
    """The contributions to the predictions of the rows at these positions; empty where they take too long.

    What is explained is the probability of the actual class, or the first target.
    """
    if importance.explanation is None or not len(rows):
        return ()
    model, target = held_out.model, held_out.predictions.target
    background, _ = background_rows(held_out.config, held_out.manifest, model, importance.explanation.encoded)
    encoded = EncodedRows.of(model, held_out.table.take(rows))
    found = attribute(encoded, background, held_out.y[rows] if target.has_labels else None)
    return tuple(
        Contributions(
            float(prediction), _sum_text(found.columns, values, float(base), float(prediction), target.format)
        )
        for values, base, prediction in zip(found.values, found.base, found.predictions, strict=True)
    )


def _sum_text(
    columns: Sequence[str],
    values: NDArray[np.float64],
    base: float,
    prediction: float,
    form: Callable[[float], str],
) -> str:
    """The average row, the largest contributions, those of the other columns, and their sum."""
    largest = np.argsort(-np.abs(values), kind="stable")[:MAX_CONTRIBUTIONS]
    terms = [(display(columns[j], 30), float(values[j])) for j in largest]
    if len(values) > MAX_CONTRIBUTIONS:
        terms.append(("other columns", float(np.delete(values, largest).sum())))
    lines = [f"{name} {'−' if value < 0 else '+'}{form(abs(value))}" for name, value in terms if value]
    return "; ".join([f"average row {form(base)}", *lines, f"sum {form(prediction)}"])


def _cell(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return format_number(value) if isinstance(value, float) else display(value, MAX_CELL_LENGTH)
