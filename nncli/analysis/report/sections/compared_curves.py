"""Learning curves of several runs in the same charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.comparison import ComparedRun, Comparison
from nncli.analysis.report.charts import (
    MAX_ROWS,
    Axis,
    Color,
    Line,
    evenly_spaced,
    lines,
    needs_log_scale,
    numeric_table,
)
from nncli.analysis.report.page import Figure, Gallery, Paragraph, Section, display
from nncli.analysis.report.sections.learning_curves import MAX_EPOCHS, Histories, Value

STYLES: tuple[tuple[Color, bool], ...] = tuple(
    (color, dashed) for dashed in (False, True) for color in ("first", "second", "third")
)
"""Color and dashes of the first lines; further lines are thin."""


def compared_curves(comparison: Comparison) -> Section | None:
    """A chart each of validation loss, metric and training loss, for each loss or metric and each target."""
    with_history = [i for i, run in enumerate(comparison.runs) if run.histories]
    if not with_history:
        return None
    figures = [
        *_charts(comparison, with_history, "Validation loss", _loss_names(comparison), lambda report: report.val_loss),
        *_charts(comparison, with_history, "", _metric_names(comparison), lambda report: report.metric),
        *_charts(comparison, with_history, "Training loss", _loss_names(comparison), lambda report: report.loss),
    ]
    text = "Runs with the same target and the same loss or metric share a chart. The line of an ensemble is the mean."
    if len(with_history) > len(STYLES):
        text += f" Only the first {len(STYLES)} runs are in the legend; the others are thin lines."
    return Section("learning-curves", "Learning curves", (Paragraph(text), Gallery(tuple(figures))), wide=True)


def _charts(
    comparison: Comparison, with_history: Sequence[int], title: str, names: Sequence[str | None], value: Value
) -> Iterator[Figure]:
    """A chart for each combination of table, target and name of the loss or metric."""
    style = {i: STYLES[k] for k, i in enumerate(with_history[: len(STYLES)])}
    groups: dict[tuple[int | None, str], list[int]] = {}
    for i in with_history:
        name = names[i]
        if name is not None and any(
            value(report) is not None for _, history in comparison.runs[i].histories for report in history.reports
        ):
            groups.setdefault((comparison.task_ids[i], name), []).append(i)
    several = len({task for task, _ in groups}) > 1
    for (_, name), members in groups.items():
        runs = [comparison.runs[i] for i in members]
        full = f"{title}, {name}" if title else f"val_{name}"
        yield _chart(f"{full}, {_target(runs[0])}" if several else full, runs, [style.get(i) for i in members], value)


def _chart(
    title: str, runs: Sequence[ComparedRun], styles: Sequence[tuple[Color, bool] | None], value: Value
) -> Figure:
    curves = []
    for run, style in zip(runs, styles, strict=True):
        x = evenly_spaced(_epochs(run.histories), MAX_EPOCHS) + 1
        color, dashed = style or ("thin", False)
        y = at_epochs(run.histories, value, x)
        curves.append(Line(display(run.name) if style else "", x.astype(np.float64), y, color, dashed))
    log = needs_log_scale([v for line in curves for v in line.y])
    epochs = evenly_spaced(max(_epochs(run.histories) for run in runs), MAX_ROWS) + 1
    columns = [epochs.astype(np.float64), *(at_epochs(run.histories, value, epochs) for run in runs)]
    table = numeric_table(f"{title} by epoch", ("epoch", *(display(run.name) for run in runs)), columns)
    text = f"{title}, by epoch, of {len(runs):,} run{'s' * (len(runs) != 1)}."
    text += " Logarithmic scale." if log else ""
    return lines(
        title, text, Axis("epoch", title.partition(",")[0].lower(), log=log), curves, table, dots=len(epochs) == 1
    )


def at_epochs(histories: Histories, value: Value, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean over a run's networks after each of the epochs (epochs,), from 1; NaN unless all have a value."""
    means = np.full(len(epochs), np.nan)
    for k, epoch in enumerate(epochs.tolist()):
        each = [value(h.reports[epoch - 1]) if epoch <= len(h.reports) else None for _, h in histories]
        finite = [v for v in each if v is not None and np.isfinite(v)]
        if len(finite) == len(each):
            means[k] = float(np.mean(finite))
    return means


def _epochs(histories: Histories) -> int:
    """Number of epochs that all networks of a run have."""
    return min(len(history.reports) for _, history in histories)


def _loss_names(comparison: Comparison) -> list[str | None]:
    losses = [None if run.config is None else run.config.loss for run in comparison.runs]
    return ["loss" if loss is None else loss.type for loss in losses]


def _metric_names(comparison: Comparison) -> list[str | None]:
    return [run.histories[0][1].metric if run.histories else None for run in comparison.runs]


def _target(run: ComparedRun) -> str:
    return "an unknown target" if run.config is None else display(", ".join(run.config.config.data.target))
