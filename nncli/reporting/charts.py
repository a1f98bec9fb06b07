"""The charts: numbers in, a figure out, with what it shows in words and the numbers in a table."""

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

from nncli.reporting.page import Figure, Table, number, shown
from nncli.reporting.statistics import Bin
from nncli.reporting.svg import FIRST, HEIGHT, INK, SECOND, SOFT, THIN, THIRD, draw, logarithmic, plain_numbers

Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]
Colour = Literal["first", "second", "third", "thin"]
COLOURS = {"first": FIRST, "second": SECOND, "third": THIRD, "thin": THIN}

TALL = 330
"""Of a chart that is as high as wide, with its legend above."""
MOST_TICK = 22
"""Characters of a name beside an axis; the table has all of it."""
MOST_POINTS = 1_000
"""Points of a scatter that are drawn."""
FEW_POINTS = 200
"""Points below which each is drawn larger."""
MOST_ROWS = 60
"""Rows of the table of a chart."""
DECADES = 30.0
"""From how many times the smallest value on a loss is drawn on a logarithmic scale."""


@dataclass(frozen=True)
class Line:
    """A line through (x, y); NaN leaves a gap. Lines without a name are not in the legend."""

    name: str
    x: Numbers
    y: Numbers
    colour: Colour = "first"
    dashed: bool = False


@dataclass(frozen=True)
class Axis:
    """What is along the two sides, and where they end; `ticks` are names at places along x."""

    x: str
    y: str
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    square: bool = False
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None


@dataclass(frozen=True)
class Range:
    """A value with what it may be; `low` is None where that is not known."""

    name: str
    value: float
    low: float | None
    high: float | None


def lines(
    title: str,
    description: str,
    axis: Axis,
    drawn: Sequence[Line],
    table: Table,
    *,
    mark: tuple[float, float, str] | None = None,
    diagonal: bool = False,
    dots: bool = False,
) -> Figure:
    """Lines; `mark` is a point with a name, `diagonal` that of x = y, `dots` stand on the first line."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        if diagonal:
            axes.axline((0, 0), slope=1, color=SOFT, linestyle=":", linewidth=1)
        for line in drawn:
            thin = line.colour == "thin"
            axes.plot(
                line.x,
                line.y,
                color=COLOURS[line.colour],
                linestyle="--" if line.dashed else "-",
                linewidth=0.9 if thin else 1.8,
                label=line.name or "_",
                marker="o" if dots and not thin else None,
                markersize=5,
                zorder=1 if thin else 2,
            )
        if mark is not None:
            axes.plot(*mark[:2], "o", color=INK, markersize=6, zorder=3, label=mark[2])
        _finish(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def scatter(
    title: str, description: str, axis: Axis, x: Numbers, y: Numbers, table: Table, *, level: float | None = None
) -> Figure:
    """Points, and the line x = y, or y = `level`."""
    some = spread(len(x), MOST_POINTS)

    def paint(drawing: Drawing, axes: Axes) -> None:
        if level is None:
            axes.axline((float(x[0]), float(x[0])), slope=1, color=SOFT, linestyle=":", linewidth=1)
        else:
            axes.axhline(level, color=SOFT, linestyle=":", linewidth=1)
        size, alpha = (5.0, 0.65) if len(some) < FEW_POINTS else (3.5, 0.45)
        axes.plot(np.asarray(x)[some], np.asarray(y)[some], "o", color=FIRST, markersize=size, alpha=alpha, mew=0)
        _finish(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def points(title: str, description: str, axis: Axis, bins: Sequence[Bin], sizes: Numbers, table: Table) -> Figure:
    """How often what was said came true, each with its interval, as large as `sizes` say; and the line x = y."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        axes.axline((0, 0), slope=1, color=SOFT, linestyle=":", linewidth=1)
        for one, size in zip(bins, sizes, strict=True):
            axes.plot([one.said, one.said], [one.low, one.high], color=THIN, linewidth=1.2)
            axes.plot([one.said], [one.true], "o", color=FIRST, markersize=3 + 12 * size, mew=0)
        _finish(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def bars(title: str, description: str, axis: Axis, edges: Numbers, heights: Numbers, table: Table) -> Figure:
    """Bars from edge to edge."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        axes.bar(edges[:-1], heights, width=np.diff(edges), align="edge", color=FIRST, alpha=0.75, linewidth=0)
        _finish(drawing, axes, axis)

    return Figure(draw(paint, height=_height(axis)), title, description, table)


def ranges(
    title: str, description: str, label: str, shown_ranges: Sequence[Range], table: Table, level: float
) -> Figure:
    """Values one beneath another, each with its interval, and a line at `level`."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        places = np.arange(len(shown_ranges))
        for place, one in zip(places, shown_ranges, strict=True):
            if one.low is not None and one.high is not None:
                axes.plot([one.low, one.high], [place, place], color=FIRST, linewidth=2)
        axes.plot([one.value for one in shown_ranges], places, "o", color=FIRST, markersize=6)
        axes.axvline(level, color=SOFT, linestyle=":", linewidth=1)
        axes.set_yticks(places, [shown(one.name, MOST_TICK) for one in shown_ranges])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        axes.xaxis.set_major_locator(MaxNLocator(4))
        plain_numbers(axes, y=False)
        axes.set_xlabel(label)

    return Figure(draw(paint, height=70 + 22 * len(shown_ranges)), title, description, table)


def _height(axis: Axis) -> float:
    return TALL if axis.square else HEIGHT


def _finish(drawing: Drawing, axes: Axes, axis: Axis) -> None:
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
        places, names = zip(*((place, shown(name, MOST_TICK)) for place, name in axis.ticks), strict=True)
        axes.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        drawing.legend(handles, labels, loc="outside upper left", ncols=2, borderaxespad=0, handlelength=1.5)


def spread(n: int, most: int) -> NDArray[np.int64]:
    """At most `most` positions among n, the first and the last among them, evenly apart."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))


def table_of(caption: str, columns: Sequence[str], values: Sequence[Numbers]) -> Table:
    """Columns of numbers as a table, thinned to `MOST_ROWS`."""
    n = len(values[0])
    some = spread(n, MOST_ROWS)
    rows = tuple(tuple(number(float(column[i])) for column in values) for i in some)
    note = f"{len(some)} of {n:,} rows, evenly apart." if len(some) < n else ""
    return Table(caption, tuple(columns), rows, prose=(), note=note)


def wide(values: Numbers) -> bool:
    """Whether the values, which are positive then, range so far that a logarithmic scale shows more."""
    known = [float(value) for value in values if isfinite(value)]
    return bool(known) and min(known) > 0 and max(known) / min(known) > DECADES
