"""Feature importance by permutation, and partial dependence of the most important columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.inspection.attribution import attribute
from nncli.inspection.encoded_rows import EncodedRows
from nncli.inspection.partial_dependence import PartialDependence, partial_dependence
from nncli.inspection.permutation_importance import Importance, Scorer, permutation_importance
from nncli.metrics.registry import DEFAULT_METRIC
from nncli.reporting.charts import Axis, Color, Line, Range, evenly_spaced, lines, ranges
from nncli.reporting.page import Figure, Gallery, Notice, Paragraph, Section, Table, display
from nncli.text import format_number

REPEATS = 3
MAX_ROWS, MIN_ROWS = 2_000, 100
MULTIPLICATIONS = 1.5e10
"""Budget of a few seconds, which limits the number of rows that are shuffled."""
MAX_AVERAGED = 300
"""Rows over which partial dependence is averaged."""
MAX_DRAWN, MAX_LISTED = 15, 100
TOP_COLUMNS = 5
MAX_OUTPUTS = 3
MAX_TABLE_OUTPUTS = 12
MAX_DATES = 4
COLORS: tuple[Color, ...] = ("first", "second", "third")
MIN_ATTRIBUTION, MAX_ATTRIBUTIONS = 1e-12, 4
TOO_SLOW = "Feature importance of this model takes longer than a report should. Run nncli explain RUN to compute it."


@dataclass(frozen=True)
class FeatureImportance:
    """Importance and partial dependence, computed on `rows` rows; `reason` says why there is none."""

    rows: int
    loss_name: str
    importances: tuple[Importance, ...]
    partial_dependence: tuple[PartialDependence, ...]
    encoded: EncodedRows | None
    reason: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The model's columns, the most important first; empty where importance is not known."""
        return tuple(importance.column for importance in self.importances)


def compute_importance(held_out: HeldOutPredictions) -> FeatureImportance:
    """Permutation importance and partial dependence on a sample of the scored rows, drawn with the run's seed."""
    model, rng = held_out.model, np.random.default_rng(held_out.manifest.seed)
    cost_per_row = max(1, held_out.manifest.parameters) * (len(model.names) * REPEATS + 1)
    affordable = int(MULTIPLICATIONS / cost_per_row)
    if not model.names or affordable < MIN_ROWS <= len(held_out):
        reason = TOO_SLOW if model.names else "The model has no features."
        return FeatureImportance(0, "", (), (), None, reason)
    n = min(len(held_out), MAX_ROWS, max(affordable, MIN_ROWS))
    rows = np.arange(len(held_out)) if n == len(held_out) else np.sort(rng.choice(len(held_out), n, replace=False))
    table = held_out.table.take(rows)
    oof_mask = None if held_out.oof_mask is None else held_out.oof_mask[:, rows]
    encoded = EncodedRows.of(model, table, oof_mask, None if held_out.weights is None else held_out.weights[rows])
    metric = DEFAULT_METRIC[held_out.predictions.target.task]
    scorer = Scorer(model, held_out.y[rows], metric)
    with np.errstate(all="ignore"):  # infinite losses are shown as such
        importances = permutation_importance(encoded, scorer, REPEATS, rng)
    averaged = np.linspace(0, n - 1, min(n, MAX_AVERAGED)).round().astype(np.int64)
    top = [importance.column for importance in importances[:TOP_COLUMNS]]
    curves = partial_dependence(encoded.take(averaged), table.take(averaged), top, rng)
    return FeatureImportance(n, scorer.loss_name, importances, curves, encoded)


def feature_importance(held_out: HeldOutPredictions, importance: FeatureImportance) -> Section:
    """The importance of all columns, and partial dependence on the most important ones."""
    name, title = "feature-importance", "Feature importance"
    if not importance.importances:
        return Section(name, title, (Notice("note", importance.reason),))
    text = (
        f"Permutation importance: every column was shuffled {REPEATS} times among {importance.rows:,} rows. Correlated "
        "columns share their importance, so each may seem less important than it is. Importance is not causality."
    )
    metric = "accuracy decrease" if held_out.predictions.target.task == "classification" else "rmse increase"
    figures = [_importance_figure(importance, metric)]
    outputs = _drawn_outputs(importance.partial_dependence)
    curves = [_dependence_figure(curve, outputs) for curve in importance.partial_dependence]
    figures += [figure for figure in curves if figure is not None]
    parts = [Paragraph(text)]
    if len(figures) > 1:
        text = (
            "Partial dependence: the mean prediction if a column had the same value in every row, with all other "
            "columns unchanged."
        )
        parts.append(Paragraph(text))
    return Section(name, title, (*parts, Gallery(tuple(figures))), wide=True)


def _importance_figure(importance: FeatureImportance, metric: str) -> Figure:
    """The most important columns with their intervals, above a table of all."""
    rows = tuple(
        (display(item.column), format_number(item.loss_increase), _interval(item), format_number(item.metric_worsening))
        for item in importance.importances[:MAX_LISTED]
    )
    cut = len(importance.importances) > MAX_LISTED
    note = f"The first {MAX_LISTED} of {len(importance.importances):,} columns." if cut else ""
    label = f"{importance.loss_name.replace('_', ' ')} increase"
    table = Table("Importance by column", ("column", label, "95 % CI", metric), rows, note=note)
    drawn = [
        Range(item.column, item.loss_increase, *((item.low, item.high) if np.isfinite(item.low) else (None, None)))
        for item in importance.importances[:MAX_DRAWN]
        if np.isfinite(item.loss_increase)
    ]
    description = f"The {label} when a column is shuffled, with 95 % confidence intervals."
    return ranges("Permutation importance", description, label, drawn, table, 0.0)


def _interval(importance: Importance) -> str:
    if not np.isfinite(importance.low):
        return "–"
    return f"{format_number(importance.low)} to {format_number(importance.high)}"


def _drawn_outputs(curves: Sequence[PartialDependence]) -> dict[int, Color]:
    """The colors of the outputs that change most over all charts, so that a class has one color in a report."""
    drawable = [curve.means for curve in curves if len(curve.means) > 1]
    if not drawable:
        return {}
    changes = sum(np.ptp(np.where(np.isfinite(means), means, 0.0), axis=0) for means in drawable)
    chosen = np.sort(np.argsort(-changes, kind="stable")[:MAX_OUTPUTS]).tolist()
    return dict(zip(chosen, COLORS, strict=False))


def _dependence_figure(curve: PartialDependence, colors: Mapping[int, Color]) -> Figure | None:
    """Lines for numbers and dates, points for categories; of many outputs those with a color."""
    finite: NDArray[np.bool_] = np.all(np.isfinite(curve.means), axis=0)
    outputs = [j for j in colors if finite[j]]
    if len(curve.means) < 2 or not outputs:
        return None
    values = () if curve.values is None else curve.values
    points = curve.labels or [format_number(float(value)) for value in values]
    labels = ["missing" if label is None else display(label, 30) for label in points]
    title, table = display(curve.column, 30), _dependence_table(curve, labels)
    axis = "mean prediction" if curve.target is None else "mean probability"
    if curve.values is None and len(outputs) == 1:
        y = curve.means[:, outputs[0]]
        drawn = [Range(label, float(mean), None, None) for label, mean in zip(labels, y, strict=True)]
        return ranges(title, f"{table.caption}. Dotted line: their mean.", axis, drawn, table, float(y.mean()))
    x = np.arange(len(labels), dtype=np.float64) if curve.values is None else curve.values
    plotted = [
        Line(display(curve.outputs[j], 16) if len(curve.outputs) > 1 else "", x, curve.means[:, j], colors[j])
        for j in outputs
    ]
    ticks = None
    if curve.labels is not None:  # all categories are named, and some of the dates
        named = range(len(labels)) if curve.values is None else evenly_spaced(len(labels), MAX_DATES).tolist()
        ticks = tuple((float(x[i]), labels[i]) for i in named)
    cut = len(outputs) < len(curve.outputs)
    note = f" The {len(outputs)} of {len(curve.outputs):,} outputs that change most over all charts." if cut else ""
    return lines(title, f"{table.caption}.{note}", Axis(title, axis, ticks=ticks), plotted, table)


def _dependence_table(curve: PartialDependence, labels: Sequence[str]) -> Table:
    column, meaning = display(curve.column), display(curve.meaning, 120)
    titles = (column, *(display(output, 30) for output in curve.outputs[:MAX_TABLE_OUTPUTS]))
    rows = tuple(
        (label, *map(format_number, means[:MAX_TABLE_OUTPUTS]))
        for label, means in zip(labels, curve.means.tolist(), strict=True)
    )
    return Table(f"M{meaning.removeprefix('m')}, by {column}", titles, rows)


def attributions(
    held_out: HeldOutPredictions, importance: FeatureImportance, rows: NDArray[np.int64]
) -> tuple[str, ...]:
    """The largest attributions of each of the rows at these positions, as text; empty where they are not known."""
    if importance.encoded is None or not len(rows):
        return ()
    attribution = attribute(EncodedRows.of(held_out.model, held_out.table.take(rows)), importance.encoded)
    texts, classes = [], held_out.predictions.target.task == "classification"
    for output, values in zip(attribution.outputs, attribution.values, strict=True):
        largest = np.argsort(-np.abs(values), kind="stable")[:MAX_ATTRIBUTIONS]
        terms = [
            f"{display(attribution.columns[j], 30)} {'+' if values[j] > 0 else ''}{format_number(values[j])}"
            for j in largest
            if abs(values[j]) > MIN_ATTRIBUTION
        ]
        name = f"{display(output, 20)}: " if classes else ""
        texts.append(name + ", ".join(terms))
    return tuple(texts)
