"""Numbers: what was predicted against what is true, and where the errors are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nncli.evaluation.held_out import HeldOutPredictions
from nncli.reporting.charts import MOST_POINTS, Axis, bars, scatter, spread, table_of
from nncli.reporting.page import Figure, Gallery, Heading, Paragraph, Part, Section, Table, number, percent, shown

MOST_TARGETS = 4
BARS = 24
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def numbers(judged: HeldOutPredictions) -> Section | None:
    """Charts for each target; None for classes."""
    target = judged.predictions.target
    if target.task == "classification":
        return None
    parts: list[Part] = []
    if judged.loss.quantile is not None:
        below = float((judged.y <= judged.predictions.values).mean())
        parts.append(
            Paragraph(
                f"It predicts the quantile {judged.loss.quantile:g}: {percent(below)} of the truth is not above it."
            )
        )
    for j, name in enumerate(target.names[:MOST_TARGETS]):
        if len(target.names) > 1:
            parts.append(Heading(shown(name)))
        parts += _of(judged.y[:, j], judged.predictions.values[:, j], shown(name, 30))
    if len(target.names) > MOST_TARGETS:
        parts.append(Paragraph(f"The first {MOST_TARGETS} of {len(target.names):,} targets."))
    return Section("numbers", "Predicted against true", tuple(parts))


def _of(y: NDArray[np.float64], said: NDArray[np.float64], name: str) -> list[Part]:
    with np.errstate(over="ignore", invalid="ignore"):
        residual = y - said
    drawn = np.isfinite(residual) & (np.abs(y) < 1e300) & (np.abs(said) < 1e300)
    if not drawn.any():
        return [Paragraph("Every prediction is beyond measure.")]
    y, said, residual = y[drawn], said[drawn], residual[drawn]
    parts: list[Part] = []
    if not drawn.all():
        parts.append(
            Paragraph(f"{int((~drawn).sum()):,} rows are left out of the charts: they are off beyond measure.")
        )
    return [*parts, Gallery((_against(y, said, name), _residuals(said, residual, name), _histogram(residual, name)))]


def _some(n: int) -> str:
    return f" {MOST_POINTS:,} of {n:,} rows, evenly apart in the table." if n > MOST_POINTS else ""


def _against(y: NDArray[np.float64], said: NDArray[np.float64], name: str) -> Figure:
    text = f"A dot is a row; on the dotted line a prediction is right.{_some(len(y))}"
    order = np.argsort(y, kind="stable")[spread(len(y), MOST_POINTS)]
    table = table_of(f"{name}, rows by what is true", ("true", "predicted"), (y[order], said[order]))
    return scatter("Predicted against true", text, Axis("true", "predicted"), y, said, table)


def _residuals(said: NDArray[np.float64], residual: NDArray[np.float64], name: str) -> Figure:
    text = f"What is true minus what was predicted; a pattern here is something left to learn.{_some(len(said))}"
    order = np.argsort(said, kind="stable")[spread(len(said), MOST_POINTS)]
    columns = ("predicted", "true minus predicted")
    table = table_of(f"{name}, rows by what was predicted", columns, (said[order], residual[order]))
    axis = Axis("predicted", "true − predicted")
    return scatter("Residuals", text, axis, said, residual, table, level=0.0)


def _histogram(residual: NDArray[np.float64], name: str) -> Figure:
    """The bars cover all but the outermost hundredth on either side, the first and last of them what is beyond, too."""
    low, high = np.quantile(residual, [0.01, 0.99]) if len(residual) > 100 else (residual.min(), residual.max())
    if not high > low:
        low, high = low - max(1e-9, abs(low) * 0.5), high + max(1e-9, abs(high) * 0.5)
    edges = np.linspace(low, high, BARS + 1)
    heights, _ = np.histogram(residual.clip(low, high), edges)
    values = np.quantile(residual, QUANTILES)
    rows = tuple((f"{q:.0%}", number(float(value))) for q, value in zip(QUANTILES, values, strict=True))
    table = Table(f"{name}: so many rows have a residual of no more", ("rows", "true minus predicted"), rows)
    text = "How many rows are off by how much; the outermost bars hold all beyond."
    axis = Axis("true − predicted", "rows")
    return bars("Histogram of the residuals", text, axis, edges, heights.astype(np.float64), table)
