"""Predicted versus actual values of numeric targets, and the residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.evaluation.held_out import HeldOutPredictions
from nncli.analysis.report.charts import MAX_POINTS, Axis, bars, evenly_spaced, numeric_table, scatter
from nncli.analysis.report.page import Figure, Gallery, Heading, Paragraph, Part, Section, Table, display
from nncli.base.text import format_number, format_percent

Floats = NDArray[np.float64]
MAX_TARGETS = 4
BARS = 24
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
LARGEST = 1e300
"""Largest number that is drawn."""


def regression(held_out: HeldOutPredictions) -> Section | None:
    """Charts for each target that is a number; None without."""
    target = held_out.predictions.target
    if target.has_labels:
        return None
    parts: list[Part] = []
    if held_out.loss.quantile is not None:
        below = format_percent(float((held_out.y <= held_out.predictions.values).mean()))
        text = f"The model predicts the {held_out.loss.quantile:g} quantile: {below} of the actual values are below it."
        parts.append(Paragraph(text))
    if held_out.predictions.quantiles is not None:
        parts.append(_shares_below(held_out))
    for j, name in enumerate(target.names[:MAX_TARGETS]):
        if len(target.names) > 1:
            parts.append(Heading(display(name)))
        parts += _charts(held_out.y[:, j], held_out.predictions.values[:, j], display(name, 30))
    if len(target.names) > MAX_TARGETS:
        parts.append(Paragraph(f"The first {MAX_TARGETS} of {len(target.names):,} targets are shown."))
    return Section("predicted-vs-actual", "Predicted vs. actual", tuple(parts), wide=True)


def _shares_below(held_out: HeldOutPredictions) -> Table:
    """The share of the actual values of each target that is at most the predicted quantile of each level."""
    predictions = held_out.predictions
    shares = np.average(held_out.y[:, :, None] <= predictions.loss_inputs, axis=0, weights=held_out.weights)
    rows = tuple(
        (f"{level:g}", *(format_percent(float(share)) for share in shares[:MAX_TARGETS, k]))
        for k, level in enumerate(predictions.levels)
    )
    names = predictions.target.names[:MAX_TARGETS]
    titles = (
        ("below",) if len(predictions.target.names) == 1 else tuple(f"below, {display(name, 30)}" for name in names)
    )
    return Table("Share of the actual values that is below each predicted quantile", ("level", *titles), rows)


def _charts(y: Floats, predicted: Floats, name: str) -> list[Part]:
    """Predicted vs. actual, residuals, and their histogram; rows with huge or infinite numbers are left out."""
    with np.errstate(over="ignore", invalid="ignore"):
        residual = y - predicted
    in_range = np.isfinite(residual) & (np.abs(y) < LARGEST) & (np.abs(predicted) < LARGEST)
    if not in_range.any():
        return [Paragraph("No row has a finite residual.")]
    parts: list[Part] = []
    if not in_range.all():
        parts.append(Paragraph(f"{int((~in_range).sum()):,} rows without a finite residual are not drawn."))
    y, predicted, residual = y[in_range], predicted[in_range], residual[in_range]
    figures = (
        _predicted_vs_actual(y, predicted, name),
        _residuals(predicted, residual, name),
        _histogram(residual, name),
    )
    return [*parts, Gallery(figures)]


def _sampling_note(n: int) -> str:
    return f" {MAX_POINTS:,} of {n:,} rows, evenly spaced in the table." if n > MAX_POINTS else ""


def _predicted_vs_actual(y: Floats, predicted: Floats, name: str) -> Figure:
    text = f"Each dot is a row; on the dotted line the prediction is exact.{_sampling_note(len(y))}"
    order = np.argsort(y, kind="stable")[evenly_spaced(len(y), MAX_POINTS)]
    table = numeric_table(f"{name}: rows by actual value", ("actual", "predicted"), (y[order], predicted[order]))
    return scatter("Predicted vs. actual", text, Axis("actual", "predicted"), y, predicted, table)


def _residuals(predicted: Floats, residual: Floats, name: str) -> Figure:
    text = f"Actual minus predicted. A visible pattern is a sign of underfitting.{_sampling_note(len(predicted))}"
    order = np.argsort(predicted, kind="stable")[evenly_spaced(len(predicted), MAX_POINTS)]
    table = numeric_table(
        f"{name}: rows by predicted value", ("predicted", "residual"), (predicted[order], residual[order])
    )
    return scatter("Residuals", text, Axis("predicted", "residual"), predicted, residual, table, level=0.0)


def _histogram(residual: Floats, name: str) -> Figure:
    """The histogram of the 1st to the 99th percentile, whose outermost bars include all rows beyond."""
    low, high = np.quantile(residual, [0.01, 0.99]) if len(residual) > 100 else (residual.min(), residual.max())
    if not high > low:
        low, high = low - max(1e-9, abs(low) * 0.5), high + max(1e-9, abs(high) * 0.5)
    edges = np.linspace(low, high, BARS + 1)
    heights, _ = np.histogram(residual.clip(low, high), edges)
    values = np.quantile(residual, QUANTILES)
    rows = tuple((f"{q:.0%}", format_number(float(value))) for q, value in zip(QUANTILES, values, strict=True))
    table = Table(f"{name}: quantiles of the residuals", ("quantile", "residual"), rows)
    text = "Number of rows by residual; the outermost bars include all rows beyond."
    axis = Axis("residual", "rows")
    return bars("Residual histogram", text, axis, edges, heights.astype(np.float64), table)
