"""Learning curves: losses, the metric and the learning rate by epoch, of one run or of several in the same charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

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
from nncli.analysis.report.page import FigureBlock, Gallery, Paragraph, Section, TableBlock, capitalized, display
from nncli.analysis.run_comparison import ComparedRun, RunComparison
from nncli.base.text import format_number
from nncli.nn.training.loop import EpochReport
from nncli.run_directory.history_and_metrics import History
from nncli.targets.metrics.registry import metric_title

Histories: TypeAlias = Sequence[tuple[int, History]]

MAX_EPOCHS = 300
"""Most epochs of a line that are drawn."""
MAX_LISTED = 40
STYLES: tuple[tuple[Color, bool], ...] = tuple(
    (color, dashed) for dashed in (False, True) for color in ("first", "second", "third")
)
"""Color and dashes of the lines of the first runs; those of further runs are thin."""


def learning_curves(histories: Histories, monitor: str | None = None) -> Section | None:
    """A chart each of loss, metric and learning rate, with a thin line for each member of an ensemble.

    The chart of the `monitor`, the value that chooses the best epoch, comes first and says so; None if it is unknown.
    """
    if not histories:
        return None
    metric = histories[0][1].metric
    figures = [_losses(histories, monitor)]
    if metric is not None:
        is_monitor = monitor == f"val_{metric}"
        text = f"The {metric_title(metric)} of the validation rows after each epoch."
        if is_monitor:
            text += " It chooses the best epoch."
        figure = _single(histories, capitalized(metric_title(metric)), text, "metric", marked=is_monitor)
        figures.insert(0 if is_monitor else 1, figure)
    if len({report.learning_rate for _, history in histories for report in history.reports}) > 1:
        text = "Learning rate at the end of each epoch."
        figures.append(_single(histories, "Learning rate", text, "learning_rate"))
    return _section(_text(histories), figures)


def _section(text: str, figures: Sequence[FigureBlock]) -> Section:
    return Section("learning-curves", "Learning curves", (Paragraph(text), Gallery(tuple(figures))), wide=True)


def _text(histories: Histories) -> str:
    if len(histories) == 1:
        history = histories[0][1]
        best, last = history.best, history.reports[-1]
        kept = "no best epoch" if best is None else f"the weights of epoch {best.epoch:,} were kept"
        return f"{len(history.reports):,} epochs; {kept}. The last took {last.seconds:.2g} seconds."
    epochs = [len(history.reports) for _, history in histories]
    best_epochs = [history.best.epoch for _, history in histories if history.best]
    kept = f"; the weights of epoch {_span(best_epochs)} were kept" if best_epochs else ""
    return (
        f"{len(histories):,} networks, trained for {_span(epochs)} epochs{kept}. "
        "Thin lines are single networks, thick lines the mean of all networks."
    )


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _losses(histories: Histories, monitor: str | None) -> FigureBlock:
    kinds: tuple[tuple[str, Color, str], ...] = (("training", "second", "loss"), ("validation", "first", "val_loss"))
    curves: list[Line] = []
    for name, color, value in kinds:
        drawn = _with_members(histories, value, name, color, dashed=name == "training")
        curves += drawn if any(np.isfinite(line.y).any() for line in drawn) else []
    log = needs_log_scale([value for line in curves for value in line.y])
    text, mark = "Training and validation loss by epoch.", None
    if monitor in ("loss", "val_loss"):
        text += f" The {'training' if monitor == 'loss' else 'validation'} loss chooses the best epoch."
        mark = _mark(histories, monitor)
    text += " Logarithmic scale." if log else ""
    return lines("Loss", text, Axis("epoch", "loss", log=log), curves, _table(histories, "Loss"), mark=mark)


def _single(histories: Histories, title: str, text: str, value: str, *, marked: bool = False) -> FigureBlock:
    mark = _mark(histories, value) if marked else None
    curves = _with_members(histories, value, "", "first")
    return lines(title, text, Axis("epoch", title), curves, _table(histories, title), mark=mark)


def _mark(histories: Histories, value: str) -> tuple[float, float, str] | None:
    """The point of the best epoch, for a single network."""
    best = histories[0][1].best if len(histories) == 1 else None
    y = None if best is None else getattr(best, value)
    return None if best is None or y is None else (float(best.epoch), y, f"best epoch: {best.epoch:,}")


def _with_members(histories: Histories, value: str, name: str, color: Color, *, dashed: bool = False) -> list[Line]:
    """The line of a run after a thin one for each of several networks."""
    members = [_line([history], value, "", "thin") for history in histories] if len(histories) > 1 else []
    return [*members, _line(histories, value, name, color, dashed=dashed)]


def _line(histories: Histories, value: str, name: str, color: Color, *, dashed: bool = False) -> Line:
    """The mean over a run's networks of a value of `EpochReport` after each drawn epoch."""
    epochs = evenly_spaced(_epochs(histories), MAX_EPOCHS) + 1
    return Line(name, epochs.astype(np.float64), at_epochs(histories, value, epochs), color, dashed)


def at_epochs(histories: Histories, value: str, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean over a run's networks after each of the epochs (epochs,), from 1; NaN unless all have a value."""
    means = np.full(len(epochs), np.nan)
    for k, epoch in enumerate(epochs.tolist()):
        each = [getattr(h.reports[epoch - 1], value) if epoch <= len(h.reports) else None for _, h in histories]
        finite = [v for v in each if v is not None and np.isfinite(v)]
        if len(finite) == len(each):
            means[k] = float(np.mean(finite))
    return means


def _epochs(histories: Histories) -> int:
    """Number of epochs that all networks of a run have."""
    return min(len(history.reports) for _, history in histories)


def _table(histories: Histories, caption: str) -> TableBlock:
    """The epochs of a network, or the best epoch of each of several."""
    metric = histories[0][1].metric or "metric"
    titles = ("loss", "val_loss", f"val_{metric}", "learning rate")
    if len(histories) > 1:
        best = [(member, len(history.reports), history.best or history.reports[-1]) for member, history in histories]
        rows = tuple(
            (str(member), f"{epochs:,}", f"{report.epoch:,}", *_cells(report)) for member, epochs, report in best
        )
        return TableBlock(
            f"{caption} of each network at its best epoch", ("network", "epochs", "best epoch", *titles), rows, ()
        )
    reports = histories[0][1].reports
    listed = evenly_spaced(len(reports), MAX_LISTED)
    note = f"{len(listed)} of {len(reports):,} epochs, evenly spaced." if len(listed) < len(reports) else ""
    lines_of_epochs = tuple((f"{reports[i].epoch:,}", *_cells(reports[i])) for i in listed)
    return TableBlock(f"{caption} by epoch", ("epoch", *titles), lines_of_epochs, (), note)


def _cells(report: EpochReport) -> tuple[str, ...]:
    return tuple(map(format_number, (report.loss, report.val_loss, report.metric, report.learning_rate)))


def compared_curves(comparison: RunComparison) -> Section | None:
    """A chart each of validation loss, metric and training loss, for each loss or metric and each target."""
    with_history = [i for i, run in enumerate(comparison.runs) if run.histories]
    if not with_history:
        return None
    configs = [run.config for run in comparison.runs]
    losses = ["loss" if config is None or config.loss is None else config.loss.type for config in configs]
    metrics = [run.histories[0][1].metric if run.histories else None for run in comparison.runs]
    figures = [
        *_compared(comparison, with_history, "Validation loss", losses, "val_loss"),
        *_compared(comparison, with_history, "", metrics, "metric"),
        *_compared(comparison, with_history, "Training loss", losses, "loss"),
    ]
    text = "Runs with the same target and the same loss or metric share a chart. The line of an ensemble is the mean."
    if len(with_history) > len(STYLES):
        text += f" Only the first {len(STYLES)} runs are in the legend; the others are thin lines."
    return _section(text, figures)


def _compared(
    comparison: RunComparison, with_history: Sequence[int], title: str, names: Sequence[str | None], value: str
) -> Iterator[FigureBlock]:
    """A chart for each combination of table, target and name of the loss or metric."""
    style = {i: STYLES[k] for k, i in enumerate(with_history[: len(STYLES)])}
    groups: dict[tuple[int | None, str], list[int]] = {}
    for i in with_history:
        reports = (report for _, history in comparison.runs[i].histories for report in history.reports)
        name = names[i]
        if name is not None and any(getattr(report, value) is not None for report in reports):
            groups.setdefault((comparison.task_ids[i], name), []).append(i)
    several = len({task for task, _ in groups}) > 1
    for (_, name), members in groups.items():
        runs = [comparison.runs[i] for i in members]
        full = f"{title}, {metric_title(name)}" if title else f"Validation {metric_title(name)}"
        if several:
            config = runs[0].config
            target = "an unknown target" if config is None else display(", ".join(config.config.data.target))
            full += f", {target}"
        yield _compared_figure(full, runs, [style.get(i) for i in members], value)


def _compared_figure(
    title: str, runs: Sequence[ComparedRun], styles: Sequence[tuple[Color, bool] | None], value: str
) -> FigureBlock:
    curves = []
    for run, style in zip(runs, styles, strict=True):
        color, dashed = style or ("thin", False)
        curves.append(_line(run.histories, value, display(run.name) if style else "", color, dashed=dashed))
    log = needs_log_scale([v for line in curves for v in line.y])
    epochs = evenly_spaced(max(_epochs(run.histories) for run in runs), MAX_ROWS) + 1
    columns = [epochs.astype(np.float64), *(at_epochs(run.histories, value, epochs) for run in runs)]
    table = numeric_table(f"{title} by epoch", ("epoch", *(display(run.name) for run in runs)), columns)
    text = f"{title}, by epoch, of {len(runs):,} run{'s' * (len(runs) != 1)}."
    text += " Logarithmic scale." if log else ""
    return lines(
        title,
        text,
        Axis("epoch", title[0].lower() + title[1:].partition(",")[0], log=log),
        curves,
        table,
        dots=len(epochs) == 1,
    )
