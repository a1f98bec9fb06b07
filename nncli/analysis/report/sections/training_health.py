"""Health of the training: what is wrong with it, and the gradients, updates and units of each layer by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nncli.analysis.diagnosis import TrainingDiagnosis
from nncli.analysis.report.charts import Axis, Color, Line, lines, needs_log_scale, numeric_table
from nncli.analysis.report.page import Details, FigureBlock, Gallery, Paragraph, Part, Section, TableBlock, display
from nncli.nn.training.health import Health, LayerHealth

COLORS: tuple[Color, ...] = ("first", "second", "third")
"""Colors of the first layer, the middle one and the output; the lines of the others are thin."""
MAX_TEXT = 400


def training_health(diagnosis: TrainingDiagnosis) -> Section | None:
    """The remedies that were measured, and a chart each of gradients, updates and, if there are any, useless units.

    The charts are folded where none was measured. Of an ensemble the lines are medians over its networks at the epochs
    that all of them have.
    """
    networks = [moments for moments in diagnosis.health if moments]
    if not networks:
        return None
    epochs = sorted(set.intersection(*({moment.epoch for moment in moments} for moments in networks)))
    moments = [[m for m in network if m.epoch in set(epochs)] for network in networks]
    names = [layer.name for layer in moments[0][0].layers if layer.weight_norm or layer.name != "input"]
    charts = [
        _chart("Norm of the gradient", "Of the weights of each layer.", moments, names, lambda p: p.gradient_norm),
        _chart(
            "Update relative to the weights",
            "What a step adds to the weights of each layer, relative to them; about 0.001 is usual.",
            moments,
            names,
            lambda p: p.update_ratio,
        ),
        _chart(
            "Dead units and saturated values",
            "The fraction of the units that pass no gradient on, or of the values where the activation is flat.",
            moments,
            names,
            lambda p: max((x for x in (p.dead, p.saturated) if x is not None), default=None),
        ),
    ]
    text = "Measured on two batches before the training and after some of the epochs."
    text += f" Medians of {len(networks):,} networks." if len(networks) > 1 else ""
    shown: tuple[Part, ...] = (Paragraph(text), Gallery(tuple(chart for chart in charts if chart is not None)))
    if not diagnosis.remedies:
        shown = (Details("Gradients, updates and units of each layer", shown),)
    return Section("training-health", "Health of the training", (_remedies(diagnosis), *shown), wide=True)


def _remedies(diagnosis: TrainingDiagnosis) -> Part:
    if not diagnosis.remedies:
        return Paragraph(
            "What may be wrong with the training is printed by nncli diagnose RUN; with --try it trains each remedy on "
            "the same folds, and the report shows what that does to the score."
        )
    rows = tuple(
        (remedy.code.description, display(remedy.options, MAX_TEXT), display(remedy.sentence, MAX_TEXT))
        for remedy in diagnosis.remedies
    )
    return TableBlock("Remedies that were measured", ("finding", "remedy", "what it does"), rows, (0, 1, 2), folds=True)


def _chart(
    title: str,
    text: str,
    networks: Sequence[Sequence[Health]],
    names: Sequence[str],
    value: Callable[[LayerHealth], float | None],
) -> FigureBlock | None:
    """A line for each layer at the moments that were measured, evenly spaced; None if no layer has a value above 0."""
    epochs = [moment.epoch for moment in networks[0]]
    values = {name: _medians(networks, name, value) for name in names}
    values = {name: y for name, y in values.items() if np.isfinite(y).any()}
    if not any(np.nan_to_num(y).any() for y in values.values()):
        return None
    shown = list(values)
    colored = dict(zip(dict.fromkeys((shown[0], shown[len(shown) // 2], shown[-1])), COLORS, strict=False))
    x = np.arange(len(epochs), dtype=np.float64)
    curves = [Line(name if name in colored else "", x, y, colored.get(name, "thin")) for name, y in values.items()]
    log = needs_log_scale([number for y in values.values() for number in y])
    axis = Axis("epoch", title.lower(), log=log, ticks=tuple((i, f"{epoch:,}") for i, epoch in enumerate(epochs)))
    table = numeric_table(f"{title} by epoch", ("epoch", *shown), [np.array(epochs, np.float64), *values.values()])
    return lines(title, text + (" Logarithmic scale." if log else ""), axis, curves, table, dots=True)


def _medians(
    networks: Sequence[Sequence[Health]], name: str, value: Callable[[LayerHealth], float | None]
) -> NDArray[np.float64]:
    """The median over networks of a value of a layer at each moment; NaN where it has none."""
    each = np.full((len(networks), len(networks[0])), np.nan)
    for i, moments in enumerate(networks):
        for j, moment in enumerate(moments):
            layer = next((part for part in moment.layers if part.name == name), None)
            number = None if layer is None else value(layer)
            each[i, j] = np.nan if number is None else number
    return np.where(np.isfinite(each).all(axis=0), np.sort(each, axis=0)[len(networks) // 2], np.nan)
