"""How the trainings of several runs went, drawn over each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nncli.commands.compare import Comparison, Side
from nncli.reporting.charts import MOST_ROWS, Axis, Colour, Line, lines, spread, table_of, wide
from nncli.reporting.page import Figure, Gallery, Paragraph, Section, shown
from nncli.reporting.sections.learning_curves import MOST_EPOCHS, Histories, Value

STYLES: tuple[tuple[Colour, bool], ...] = tuple(
    (colour, dashed) for dashed in (False, True) for colour in ("first", "second", "third")
)
"""Colour and dashes of the lines that can be told apart; further ones are thin."""


def compared_curves(found: Comparison) -> Section | None:
    """A chart each of validation loss, metric and training loss, for the runs of which they are of one kind."""
    known = [i for i, side in enumerate(found.sides) if side.histories]
    if not known:
        return None
    figures = [
        *_charts(found, known, "Validation loss", _loss_names(found), lambda report: report.val_loss),
        *_charts(found, known, "", _metric_names(found), lambda report: report.metric),
        *_charts(found, known, "Training loss", _loss_names(found), lambda report: report.loss),
    ]
    said = (
        "Only what is of one kind is in one chart. Of several networks together the line is their mean, as far as all"
    )
    text = f"{said} of them went."
    if len(known) > len(STYLES):
        text += f" The first {len(STYLES)} runs have lines of their own, all others thin ones."
    return Section("training", "How the trainings went", (Paragraph(text), Gallery(tuple(figures))))


def _charts(
    found: Comparison, known: Sequence[int], title: str, names: Sequence[str | None], value: Value
) -> Iterator[Figure]:
    """A chart for each table and target, and each name of what is along y."""
    style = {i: STYLES[k] for k, i in enumerate(known[: len(STYLES)])}
    groups: dict[tuple[int | None, str], list[int]] = {}
    for i in known:
        name = names[i]
        if name is not None and any(
            value(report) is not None for _, one in found.sides[i].histories for report in one.reports
        ):
            groups.setdefault((found.kinds[i], name), []).append(i)
    several = len({kind for kind, _ in groups}) > 1
    for (_, name), members in groups.items():
        sides = [found.sides[i] for i in members]
        whole = f"{title}, {name}" if title else f"val_{name}"
        yield _chart(
            f"{whole}, of {_target(sides[0])}" if several else whole, sides, [style.get(i) for i in members], value
        )


def _chart(title: str, sides: Sequence[Side], styles: Sequence[tuple[Colour, bool] | None], value: Value) -> Figure:
    drawn = []
    for side, style in zip(sides, styles, strict=True):
        x = spread(_epochs(side.histories), MOST_EPOCHS) + 1
        colour, dashed = style or ("thin", False)
        y = at_epochs(side.histories, value, x)
        drawn.append(Line(shown(side.name) if style else "", x.astype(np.float64), y, colour, dashed))
    log = wide([v for line in drawn for v in line.y])
    epochs = spread(max(_epochs(side.histories) for side in sides), MOST_ROWS) + 1
    columns = [epochs.astype(np.float64), *(at_epochs(side.histories, value, epochs) for side in sides)]
    table = table_of(f"{title} by epoch", ("epoch", *(shown(side.name) for side in sides)), columns)
    said = f"{title}, after each epoch, of {len(sides):,} run{'s' * (len(sides) != 1)}."
    said += " Its scale is logarithmic." if log else ""
    return lines(
        title, said, Axis("epoch", title.partition(",")[0].lower(), log=log), drawn, table, dots=len(epochs) == 1
    )


def at_epochs(histories: Histories, value: Value, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a run had after each of some epochs, from 1 (epochs,): the mean of its networks, NaN unless all have it."""
    whole = np.full(len(epochs), np.nan)
    for k, epoch in enumerate(epochs.tolist()):
        each = [value(one.reports[epoch - 1]) if epoch <= len(one.reports) else None for _, one in histories]
        known = [v for v in each if v is not None and np.isfinite(v)]
        if len(known) == len(each):
            whole[k] = float(np.mean(known))
    return whole


def _epochs(histories: Histories) -> int:
    """As far as all networks of a run went."""
    return min(len(one.reports) for _, one in histories)


def _loss_names(found: Comparison) -> list[str | None]:
    losses = [None if side.config is None else side.config.loss for side in found.sides]
    return ["loss" if loss is None else loss.type for loss in losses]


def _metric_names(found: Comparison) -> list[str | None]:
    return [side.histories[0][1].metric if side.histories else None for side in found.sides]


def _target(side: Side) -> str:
    return "an unknown target" if side.config is None else shown(", ".join(side.config.config.data.target))
