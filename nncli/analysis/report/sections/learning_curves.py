"""Learning curves: losses, the metric and the learning rate by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.report.charts import Axis, Color, Line, evenly_spaced, lines, needs_log_scale
from nncli.analysis.report.page import Figure, Gallery, Paragraph, Section, Table
from nncli.base.text import format_number
from nncli.nn.training.loop import EpochReport
from nncli.runs.history import History

Value: TypeAlias = Callable[[EpochReport], float | None]
Histories: TypeAlias = Sequence[tuple[int, History]]

MAX_EPOCHS = 300
"""Most epochs of a line that are drawn."""
MAX_LISTED = 40


def learning_curves(histories: Histories, monitor: str | None = None) -> Section | None:
    """A chart each of loss, metric and learning rate, with a thin line for each member of an ensemble.

    The chart of the `monitor`, the value that chooses the best epoch, comes first and says so; None if it is unknown.
    """
    if not histories:
        return None
    metric = histories[0][1].metric
    figures = [_losses(histories, monitor)]
    if metric is not None:
        name = f"val_{metric}"
        text = f"{metric} of the validation rows after each epoch."
        if monitor == name:
            text += " It chooses the best epoch."
        figure = _single(histories, name, text, lambda report: report.metric, marked=monitor == name)
        figures.insert(0 if monitor == name else 1, figure)
    if len({report.learning_rate for _, history in histories for report in history.reports}) > 1:
        figures.append(
            _single(
                histories,
                "Learning rate",
                "Learning rate at the end of each epoch.",
                lambda report: report.learning_rate,
            )
        )
    return Section(
        "learning-curves", "Learning curves", (Paragraph(_text(histories)), Gallery(tuple(figures))), wide=True
    )


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


def _losses(histories: Histories, monitor: str | None) -> Figure:
    single = len(histories) == 1
    curves: list[Line] = []
    kinds: tuple[tuple[str, Color, Value], ...] = (("training", "second", _loss), ("validation", "first", _val_loss))
    for name, color, value in kinds:
        each = [(_epochs(history), _of(history, value)) for _, history in histories]
        if not any(np.isfinite(y).any() for _, y in each):
            continue
        if not single:
            curves += [Line("", x, y, "thin") for x, y in each]
        x, y = each[0] if single else _mean(histories, value)
        curves.append(Line(name, x, y, color, dashed=name == "training"))
    log = needs_log_scale([value for line in curves for value in line.y])
    text = "Training and validation loss by epoch."
    if monitor in ("loss", "val_loss"):
        text += f" The {'training' if monitor == 'loss' else 'validation'} loss chooses the best epoch."
    text += " Logarithmic scale." if log else ""
    mark = None
    if monitor in ("loss", "val_loss"):
        mark = _mark(histories, _loss if monitor == "loss" else _val_loss)
    return lines("Loss", text, Axis("epoch", "loss", log=log), curves, _table(histories, "Loss"), mark=mark)


def _single(histories: Histories, title: str, text: str, value: Value, *, marked: bool = False) -> Figure:
    single = len(histories) == 1
    curves = [
        Line("", _epochs(history), _of(history, value), "first" if single else "thin") for _, history in histories
    ]
    if not single:
        curves.append(Line("", *_mean(histories, value), "first"))
    mark = _mark(histories, value) if marked else None
    return lines(title, text, Axis("epoch", title), curves, _table(histories, title), mark=mark)


def _mark(histories: Histories, value: Value) -> tuple[float, float, str] | None:
    """The point of the best epoch, for a single network."""
    best = histories[0][1].best if len(histories) == 1 else None
    if best is None:
        return None
    y = value(best)
    return None if y is None else (float(best.epoch), y, f"best epoch: {best.epoch:,}")


def _loss(report: EpochReport) -> float:
    return report.loss


def _val_loss(report: EpochReport) -> float | None:
    return report.val_loss


def _epochs(history: History) -> NDArray[np.float64]:
    return np.array([history.reports[i].epoch for i in evenly_spaced(len(history.reports), MAX_EPOCHS)], np.float64)


def _of(history: History, value: Value, epochs: int | None = None) -> NDArray[np.float64]:
    """The value after each drawn epoch (epochs,), NaN where there is none."""
    values = [value(history.reports[i]) for i in evenly_spaced(epochs or len(history.reports), MAX_EPOCHS)]
    return np.array([np.nan if y is None or not np.isfinite(y) else y for y in values])


def _mean(histories: Histories, value: Value) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The epochs that all members have, and the mean of the members there."""
    n = min(len(history.reports) for _, history in histories)
    total = sum((_of(history, value, n) for _, history in histories), np.zeros(len(evenly_spaced(n, MAX_EPOCHS))))
    return evenly_spaced(n, MAX_EPOCHS).astype(np.float64) + 1, total / len(histories)


def _table(histories: Histories, caption: str) -> Table:
    """The epochs of best_epoch network, or the best epoch of each of several."""
    metric = histories[0][1].metric or "metric"
    titles = ("loss", "val_loss", f"val_{metric}", "learning rate")
    if len(histories) > 1:
        best = [(member, len(history.reports), history.best or history.reports[-1]) for member, history in histories]
        rows = tuple(
            (str(member), f"{epochs:,}", f"{report.epoch:,}", *_cells(report)) for member, epochs, report in best
        )
        return Table(
            f"{caption} of each network at its best epoch", ("network", "epochs", "best epoch", *titles), rows, ()
        )
    reports = histories[0][1].reports
    listed = evenly_spaced(len(reports), MAX_LISTED)
    note = f"{len(listed)} of {len(reports):,} epochs, evenly spaced." if len(listed) < len(reports) else ""
    lines_of_epochs = tuple((f"{reports[i].epoch:,}", *_cells(reports[i])) for i in listed)
    return Table(f"{caption} by epoch", ("epoch", *titles), lines_of_epochs, (), note)


def _cells(report: EpochReport) -> tuple[str, str, str, str]:
    loss, val_loss = format_number(report.loss), format_number(report.val_loss)
    return loss, val_loss, format_number(report.metric), format_number(report.learning_rate)
