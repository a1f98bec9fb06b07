"""Feature importance by permutation, and partial dependence of the most important columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.explanation import (
    MIN_ROWS,
    ModelExplanation,
    RowsToExplain,
    affordable_rows,
    explain_rows,
)
from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.inspection.permutation_importance import Importance, PartialDependence, in_units
from nncli.analysis.report.charts import DEPTH, Axis, Color, Distribution, ErrorBar, Line, evenly_spaced, lines, ranges
from nncli.analysis.report.page import FigureBlock, Gallery, Notice, Section, TableBlock, display, method
from nncli.analysis.report.sections.scores import format_interval, quoted_names
from nncli.base.text import format_number, quote
from nncli.targets.metrics.registry import higher_is_better, metric_title

MAX_DRAWN, MAX_LISTED = 15, 100
MAX_CURVES = 5
"""Charts of partial dependence, which fill a grid together with that of importance."""
MAX_OUTPUTS = 3
MAX_TABLE_OUTPUTS = 12
MAX_DATES = 4
COLORS: tuple[Color, ...] = ("first", "second", "third")
TOO_SLOW = "Feature importance of this model takes longer than a report should. Run nncli explain RUN to compute it."
PREDICTIONS = {
    "out-of-fold": "Each row is predicted out of fold, by the networks that were not trained on it.",
    "model": "The predictions are those of nncli predict.",
}
"""Whose predictions are explained."""


@dataclass(frozen=True)
class FeatureImportance:
    """Importance and partial dependence of the model, as in `nncli explain`; `reason` says why there is none."""

    explanation: ModelExplanation | None
    reason: str = ""

    @property
    def importances(self) -> tuple[Importance, ...]:
        """The importance of the columns, the most important first."""
        return () if self.explanation is None else self.explanation.importances or ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The model's columns, the most important first; empty where importance is not known."""
        return tuple(importance.column for importance in self.importances)


def compute_importance(held_out: HeldOutPredictions) -> FeatureImportance:
    """Permutation importance and partial dependence on a sample of the scored rows, drawn with the run's seed."""
    model = held_out.model
    if not model.names:
        return FeatureImportance(None, "The model has no features.")
    if affordable_rows(model, held_out.oof_mask) < MIN_ROWS <= len(held_out):
        return FeatureImportance(None, TOO_SLOW)
    with np.errstate(all="ignore"):  # infinite losses are shown as such
        return FeatureImportance(explain_rows(model, held_out.config, RowsToExplain.of(held_out)))


def feature_importance(importance: FeatureImportance) -> Section:
    """The importance of all columns, and partial dependence on the most important ones."""
    name, title = "feature-importance", "Feature importance"
    explanation = importance.explanation
    if explanation is None:
        return Section(name, title, (Notice("note", importance.reason),))
    text = (
        f"Permutation importance: every column was shuffled {explanation.permutations} times among "
        f"{len(explanation.table):,} rows. {PREDICTIONS[explanation.prediction_of]} Correlated columns "
        "share their importance, so each may seem less important than it is. Importance is not causality."
    )
    curves = [
        curve for i, curve in enumerate(explanation.partial_dependence) if i < MAX_CURVES or curve.monotone is not None
    ]
    outputs = _drawn_outputs(curves)
    limits = _limits(curves, outputs)
    drawn = [_dependence_figure(curve, outputs, limits) for curve in curves]
    figures = [_importance_figure(explanation), *(figure for figure in drawn if figure is not None)]
    texts = [text]
    if len(figures) > 1:
        texts.append(
            "Partial dependence: the mean prediction if a column had the same value in every row, with all other "
            "columns unchanged. All charts of it have one scale. Gray bars are the distribution of the column."
        )
    held = [f"{curve.monotone} in {quote(curve.column)}" for curve in curves if curve.monotone is not None]
    if held:
        texts.append(f"Whatever the other columns are, the prediction is monotone by construction: {', '.join(held)}.")
    if sets := explanation.encoded.interactions:
        texts.append(
            "By construction, the output of the network is a sum of a function of each of these sets of columns: "
            f"{'; '.join(map(quoted_names, sets))}."
        )
    return Section(name, title, (Gallery(tuple(figures)), method(*texts)), wide=True)


def _importance_figure(explanation: ModelExplanation) -> FigureBlock:
    """The most important columns with their intervals, above a table of all."""
    loss_name, importances = in_units(explanation.loss_name, explanation.loss or 0.0, explanation.importances or ())
    metric = f"{metric_title(explanation.metric)} {'decrease' if higher_is_better(explanation.metric) else 'increase'}"
    same = loss_name == explanation.metric  # one number is enough
    rows = tuple(
        (
            display(item.column),
            format_number(item.loss_increase),
            format_interval(item.interval),
            *(() if same else (format_number(item.metric_worsening),)),
        )
        for item in importances[:MAX_LISTED]
    )
    cut = len(importances) > MAX_LISTED
    note = f"The first {MAX_LISTED} of {len(importances):,} columns." if cut else ""
    label = f"{metric_title(loss_name)} increase"
    titles = ("column", label, "95 % CI", *(() if same else (metric,)))
    table = TableBlock("Importance by column", titles, rows, note=note)
    drawn = [
        ErrorBar(item.column, item.loss_increase, *((item.low, item.high) if np.isfinite(item.low) else (None, None)))
        for item in importances[:MAX_DRAWN]
        if np.isfinite(item.loss_increase)
    ]
    description = f"The {label} when a column is shuffled, with 95 % confidence intervals."
    return ranges("Permutation importance", description, label, drawn, table, 0.0, from_level=True)


def _drawn_outputs(curves: Sequence[PartialDependence]) -> dict[int, Color]:
    """The colors of the outputs that change most over all charts, so that a class has one color in a report."""
    drawable = [curve.means for curve in curves if len(curve.means) > 1]
    if not drawable:
        return {}
    changes = sum(np.ptp(np.where(np.isfinite(means), means, 0.0), axis=0) for means in drawable)
    chosen = np.sort(np.argsort(-changes, kind="stable")[:MAX_OUTPUTS]).tolist()
    return dict(zip(chosen, COLORS, strict=False))


def _limits(curves: Sequence[PartialDependence], colors: Mapping[int, Color]) -> tuple[float, float] | None:
    """The limits of the predictions of all charts, so that large and small effects look like it."""
    values = [curve.means[:, j] for curve in curves if len(curve.means) > 1 for j in colors]
    finite = np.concatenate(values)[np.isfinite(np.concatenate(values))] if values else np.empty(0)
    if not len(finite) or not np.ptp(finite) > 0:
        return None
    spread = float(np.ptp(finite))  # below is room for the distributions
    return float(finite.min()) - 1.5 * DEPTH * spread, float(finite.max()) + 0.05 * spread


def _dependence_figure(
    curve: PartialDependence, colors: Mapping[int, Color], limits: tuple[float, float] | None
) -> FigureBlock | None:
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
        shares = [None] * len(y) if curve.counts is None else (curve.counts / curve.counts.sum()).tolist()
        drawn = [ErrorBar(*one[:2], share=one[2]) for one in zip(labels, y.tolist(), shares, strict=True)]
        return ranges(title, f"{table.caption}. Dotted line: their mean.", axis, drawn, table, float(y.mean()), limits)
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
    distribution = None
    if curve.counts is not None and np.ptp(x) > 0:
        edges = x if curve.values is None else np.linspace(x[0], x[-1], len(curve.counts) + 1)
        distribution = Distribution(edges, curve.counts.astype(np.float64))
    axes = Axis(title, axis, y_limits=limits, ticks=ticks, integer=bool((x == np.round(x)).all()))
    return lines(title, f"{table.caption}.{note}", axes, plotted, table, distribution=distribution)


def _dependence_table(curve: PartialDependence, labels: Sequence[str]) -> TableBlock:
    column, meaning = display(curve.column), display(curve.meaning, 120)
    titles = (column, *(display(output, 30) for output in curve.outputs[:MAX_TABLE_OUTPUTS]))
    rows = tuple(
        (label, *map(format_number, means[:MAX_TABLE_OUTPUTS]))
        for label, means in zip(labels, curve.means.tolist(), strict=True)
    )
    return TableBlock(f"M{meaning.removeprefix('m')}, by {column}", titles, rows)
