"""How the training went: losses and the metric, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nncli.reporting.charts import Axis, Colour, Line, lines, spread, wide
from nncli.reporting.page import Figure, Gallery, Paragraph, Section, Table, number
from nncli.runs.history import History
from nncli.training.loop import EpochReport

Value: TypeAlias = Callable[[EpochReport], float | None]
Histories: TypeAlias = Sequence[tuple[int, History]]

MOST_EPOCHS = 300
"""Epochs of a line that are drawn."""
MOST_LISTED = 40


def curves(histories: Histories) -> Section | None:
    """A chart each of loss, metric and learning rate, a thin line for each member where there are several."""
    if not histories:
        return None
    metric = histories[0][1].metric
    figures = [_losses(histories)]
    if metric is not None:
        said = f"{metric} of the validation rows, after each epoch."
        figures.append(_single(histories, f"val_{metric}", said, lambda report: report.metric, marked=True))
    if len({report.learning_rate for _, history in histories for report in history.reports}) > 1:
        figures.append(_single(histories, "Learning rate", "How far a step goes.", lambda report: report.learning_rate))
    return Section("training", "How the training went", (Paragraph(_told(histories)), Gallery(tuple(figures))))


def _told(histories: Histories) -> str:
    if len(histories) == 1:
        history = histories[0][1]
        best, last = history.best, history.reports[-1]
        kept = "none of them was kept" if best is None else f"the weights are those of epoch {best.epoch:,}"
        return f"{len(history.reports):,} epochs; {kept}. The last took {last.seconds:.2g} seconds."
    epochs = [len(history.reports) for _, history in histories]
    kept_at = [history.best.epoch for _, history in histories if history.best]
    kept = f", and the weights those of epoch {_span(kept_at)}" if kept_at else ""
    return (
        f"{len(histories):,} networks, each of {_span(epochs)} epochs{kept}. "
        "A thin line is one network, a thick one their mean as far as all of them went."
    )


def _span(values: list[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _losses(histories: Histories) -> Figure:
    alone = len(histories) == 1
    drawn: list[Line] = []
    kinds: tuple[tuple[str, Colour, Value], ...] = (("training", "second", _loss), ("validation", "first", _val_loss))
    for name, colour, value in kinds:
        each = [(_epochs(history), _of(history, value)) for _, history in histories]
        if not any(np.isfinite(y).any() for _, y in each):
            continue
        if not alone:
            drawn += [Line("", x, y, "thin") for x, y in each]
        x, y = each[0] if alone else _mean(histories, value)
        drawn.append(Line(name, x, y, colour, dashed=name == "training"))
    log = wide([value for line in drawn for value in line.y])
    said = "The loss after each epoch: of the training rows, which it lowers, and of the validation rows."
    said += " Its scale is logarithmic." if log else ""
    return lines("Loss", said, Axis("epoch", "loss", log=log), drawn, _table(histories, "Loss"), mark=_mark(histories))


def _single(histories: Histories, title: str, said: str, value: Value, *, marked: bool = False) -> Figure:
    alone = len(histories) == 1
    drawn = [Line("", _epochs(history), _of(history, value), "first" if alone else "thin") for _, history in histories]
    if not alone:
        drawn.append(Line("", *_mean(histories, value), "first"))
    mark = _mark(histories, value) if marked else None
    return lines(title, said, Axis("epoch", title), drawn, _table(histories, title), mark=mark)


def _mark(histories: Histories, value: Value | None = None) -> tuple[float, float, str] | None:
    """Where the best epoch of a single network is."""
    best = histories[0][1].best if len(histories) == 1 else None
    if best is None:
        return None
    y = value(best) if value else _loss(best) if best.val_loss is None else best.val_loss
    return None if y is None else (float(best.epoch), y, f"best, epoch {best.epoch:,}")


def _loss(report: EpochReport) -> float:
    return report.loss


def _val_loss(report: EpochReport) -> float | None:
    return report.val_loss


def _epochs(history: History) -> NDArray[np.float64]:
    return np.array([history.reports[i].epoch for i in spread(len(history.reports), MOST_EPOCHS)], np.float64)


def _of(history: History, value: Value, epochs: int | None = None) -> NDArray[np.float64]:
    """A number of each epoch that is drawn (epochs,), NaN where there is none."""
    found = [value(history.reports[i]) for i in spread(epochs or len(history.reports), MOST_EPOCHS)]
    return np.array([np.nan if one is None or not np.isfinite(one) else one for one in found])


def _mean(histories: Histories, value: Value) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Epochs that every member has, and the mean of the members there."""
    n = min(len(history.reports) for _, history in histories)
    total = sum((_of(history, value, n) for _, history in histories), np.zeros(len(spread(n, MOST_EPOCHS))))
    return spread(n, MOST_EPOCHS).astype(np.float64) + 1, total / len(histories)


def _table(histories: Histories, caption: str) -> Table:
    """The epochs of one network, or how each of several stood at its best."""
    metric = histories[0][1].metric or "metric"
    titles = ("loss", "val_loss", f"val_{metric}", "rate")
    if len(histories) > 1:
        best = [(member, len(history.reports), history.best or history.reports[-1]) for member, history in histories]
        rows = tuple((str(member), f"{epochs:,}", f"{one.epoch:,}", *_cells(one)) for member, epochs, one in best)
        return Table(f"{caption}: each network at its best", ("network", "epochs", "best epoch", *titles), rows, ())
    reports = histories[0][1].reports
    some = spread(len(reports), MOST_LISTED)
    note = f"{len(some)} of {len(reports):,} epochs, evenly apart." if len(some) < len(reports) else ""
    single = tuple((f"{reports[i].epoch:,}", *_cells(reports[i])) for i in some)
    return Table(f"{caption} by epoch", ("epoch", *titles), single, (), note)


def _cells(report: EpochReport) -> tuple[str, str, str, str]:
    loss, held, metric, rate = map(number, (report.loss, report.val_loss, report.metric, report.learning_rate))
    return loss, held, metric, rate
