"""Charts as figures: line, scatter, calibration, bar and interval charts, drawn by Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nncli.analysis.report.page import Figure, Table, display
from nncli.analysis.report.statistics import Bin
from nncli.analysis.report.svg import FIRST, HEIGHT, INK, SECOND, SOFT, THIN, THIRD, draw, logarithmic, plain_numbers
from nncli.base.text import format_number

Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]
Color = Literal["first", "second", "third", "thin"]
COLORS = {"first": FIRST, "second": SECOND, "third": THIRD, "thin": THIN}

TALL = 330
"""Height of a square chart with its legend above."""
MAX_TICK_LENGTH = 22
"""Longest tick label, in characters."""
MAX_POINTS = 1_000
"""Most points of a scatter chart."""
LARGE_DOTS_BELOW = 200
"""Number of points below which dots are drawn larger."""
MAX_ROWS = 60
"""Most rows of the table of a chart."""
LOG_SCALE_RATIO = 30.0
"""Ratio of the largest to the smallest value above which the scale is logarithmic."""


@dataclass(frozen=True)
class Line:
    """A line through (x, y) with gaps at NaN; a line without a name is not in the legend."""

    name: str
    x: Numbers
    y: Numbers
    color: Color = "first"
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """Labels and limits of the axes; `ticks` are labels at positions of x."""

    x: str
    y: str
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    square: bool = False
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None


@dataclass(frozen=True)
class Range:
    """A value with its interval; `low` and `high` are None where it is not known."""

    name: str
    value: float
    low: float | None
    high: float | None


def lines(
    title: str,
    description: str,
    axis: Axis,
    curves: Sequence[Line],
    table: Table,
    *,
    mark: tuple[float, float, str] | None = None,
    diagonal: bool = False,
    dots: bool = False,
) -> Figure:
    """A line chart; `mark` is a named point, `diagonal` draws x = y, `dots` marks every point of the lines."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        if diagonal:
            axes.axline((0, 0), slope=1, color=SOFT, linestyle=":", linewidth=1)
        for line in curves:
            thin = line.color == "thin"
            axes.plot(
                line.x,
                line.y,
                color=COLORS[line.color],
                linestyle="--" if line.dashed else "-",
                linewidth=0.9 if thin else 1.8,
                label=line.name or "_",
                marker="o" if dots and not thin else None,
                markersize=5,
                zorder=1 if thin else 2,
            )
        if mark is not None:
            axes.plot(*mark[:2], "o", color=INK, markersize=6, zorder=3, label=mark[2])
        finish_axes(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def scatter(
    title: str, description: str, axis: Axis, x: Numbers, y: Numbers, table: Table, *, level: float | None = None
) -> Figure:
    """A scatter chart with the line x = y, or y = `level`."""
    indices = evenly_spaced(len(x), MAX_POINTS)

    def paint(drawing: Drawing, axes: Axes) -> None:
        if level is None:
            axes.axline((float(x[0]), float(x[0])), slope=1, color=SOFT, linestyle=":", linewidth=1)
        else:
            axes.axhline(level, color=SOFT, linestyle=":", linewidth=1)
        size, alpha = (5.0, 0.65) if len(indices) < LARGE_DOTS_BELOW else (3.5, 0.45)
        axes.plot(np.asarray(x)[indices], np.asarray(y)[indices], "o", color=FIRST, markersize=size, alpha=alpha, mew=0)
        finish_axes(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def points(title: str, description: str, axis: Axis, bins: Sequence[Bin], sizes: Numbers, table: Table) -> Figure:
    """A calibration chart: observed frequency by mean prediction, dots scaled by `sizes`, and the line x = y."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        axes.axline((0, 0), slope=1, color=SOFT, linestyle=":", linewidth=1)
        for group, size in zip(bins, sizes, strict=True):
            axes.plot([group.mean_predicted, group.mean_predicted], [group.low, group.high], color=THIN, linewidth=1.2)
            axes.plot([group.mean_predicted], [group.observed], "o", color=FIRST, markersize=3 + 12 * size, mew=0)
        finish_axes(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def bars(title: str, description: str, axis: Axis, edges: Numbers, heights: Numbers, table: Table) -> Figure:
    """A histogram with the given `edges` and `heights`."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        axes.bar(edges[:-1], heights, width=np.diff(edges), align="edge", color=FIRST, alpha=0.75, linewidth=0)
        finish_axes(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def ranges(
    title: str,
    description: str,
    label: str,
    values: Sequence[Range],
    table: Table,
    level: float,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Values with their intervals below each other, and a vertical line at `level`; `limits` are those of the axis."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        places = np.arange(len(values))
        for place, item in zip(places, values, strict=True):
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [place, place], color=FIRST, linewidth=2)
        axes.plot([item.value for item in values], places, "o", color=FIRST, markersize=6)
        axes.axvline(level, color=SOFT, linestyle=":", linewidth=1)
        axes.set_yticks(places, [display(item.name, MAX_TICK_LENGTH) for item in values])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        if limits is not None:
            axes.set_xlim(*limits)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        plain_numbers(axes, y=False)
        axes.set_xlabel(label)

    return Figure(draw(paint, height=70 + 22 * len(values)), title, description, table)


def _height(axis: Axis) -> float:
    return TALL if axis.square else HEIGHT


def finish_axes(drawing: Drawing, axes: Axes, axis: Axis) -> None:
    """Label, scale and limit the axes of a chart, and add the legend of what has a label."""
    axes.set_xlabel(axis.x)
    axes.set_ylabel(axis.y)
    if axis.log:
        logarithmic(axes)
    if axis.x_limits:
        axes.set_xlim(*axis.x_limits)
    if axis.y_limits:
        axes.set_ylim(*axis.y_limits)
    if axis.square:
        axes.set_box_aspect(1)
    if axis.ticks is None:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=axis.x == "epoch"))
    plain_numbers(axes)
    if axis.ticks is not None:
        places, names = zip(*((place, display(name, MAX_TICK_LENGTH)) for place, name in axis.ticks), strict=True)
        axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        drawing.legend(handles, labels, loc="outside upper left", ncols=2, borderaxespad=0, handlelength=1.5)


def evenly_spaced(n: int, max_points: int) -> NDArray[np.int64]:
    """At most `max_points` evenly spaced positions among n, including the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, max_points)).round().astype(np.int64))


def numeric_table(caption: str, columns: Sequence[str], values: Sequence[Numbers]) -> Table:
    """Columns of numbers as a table of at most MAX_ROWS evenly spaced rows."""
    n = len(values[0])
    indices = evenly_spaced(n, MAX_ROWS)
    rows = tuple(tuple(format_number(float(column[i])) for column in values) for i in indices)
    note = f"{len(indices)} of {n:,} rows, evenly spaced." if len(indices) < n else ""
    return Table(caption, tuple(columns), rows, prose=(), note=note)


def needs_log_scale(values: Numbers) -> bool:
    """Whether the values are positive and their range calls for a logarithmic scale."""
    finite = [float(value) for value in values if isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > LOG_SCALE_RATIO
