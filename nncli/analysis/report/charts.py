"""Charts as figures: line, scatter, calibration, bar and interval charts, drawn by Matplotlib as reproducible SVG.

Text stays text. Placeholder colors are replaced by CSS variables, so that charts follow the light or dark theme of the
page."""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any, Literal, TypeAlias

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import Formatter, Locator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from nncli.analysis.report.page import FigureBlock, TableBlock, display
from nncli.base.text import LETTERS, format_number, format_percent

NAMES = ("ink", "soft", "rule", "first", "second", "third", "thin", "shade", "miss")
"""The CSS variables of the colors of charts, in the order of the placeholders."""
INK, SOFT, RULE, FIRST, SECOND, THIRD, THIN, SHADE, MISS = PLACEHOLDERS = tuple(f"#0a0b0{i}" for i in range(1, 10))

WIDTH, HEIGHT = 360, 250
"""Size of a chart in SVG units."""
PICTURE_WIDTH, PICTURE_HEIGHT = 390, 270
"""Size of the picture at the head of a page."""
FONT, WIDE_FONT = 11, 10
"""Size of letters, and that in a wide chart."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nncli",
    "text.parse_math": False,  # a column may be called $x$
    "font.family": ["DejaVu Sans"],  # shipped with Matplotlib, so that the layout is the same everywhere
    "axes.titlesize": 11,
    "axes.labelcolor": SOFT,
    "axes.edgecolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": "medium",
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "path.simplify": True,
}


def draw(paint: Callable[[Drawing, Axes], None], width: float = WIDTH, height: float = HEIGHT) -> str:
    """The SVG of a drawing of this size, whose axes `paint` fills; wide ones are shown larger, with their letters."""
    with _style(), matplotlib.rc_context({"font.size": FONT if width <= PICTURE_WIDTH else WIDE_FONT}):
        figure = Drawing(figsize=(width / 72, height / 72), layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure, figure.add_subplot())
        figure.savefig(
            content := io.StringIO(), format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return _themed(content.getvalue())


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's defaults with STYLE, independent of the user's settings, and without log messages."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it reports building its font cache
    try:
        with matplotlib.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # glyphs missing in its font are drawn by the browser
            matplotlib.rcdefaults()
            with matplotlib.rc_context(STYLE):
                yield
    finally:
        logger.setLevel(level)


def _themed(svg: str) -> str:
    """The <svg> element alone, with CSS colors, scalable size and short numbers."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(
        r"<metadata>.*?(?:</metadata>|\Z)|<!--.*?(?:-->|\Z)|<style.*?(?:</style>|\Z)", "", svg, flags=re.DOTALL
    )
    svg = re.sub(
        r'<svg (?>[^<>]*?viewBox=")([^"<>]*+)"[^<>]*+>',
        r'<svg viewBox="\1" xmlns="http://www.w3.org/2000/svg">',
        svg,
        count=1,
    )
    svg = re.sub(r'(\s(?:d|x|y)=")([^"]*)"', lambda m: m[1] + re.sub(r"(?<!\d)\d++\.\d{3,}", _short, m[2]) + '"', svg)
    svg = svg.replace("xlink:href", "href")
    for color, name in zip(PLACEHOLDERS, NAMES, strict=True):
        svg = svg.replace(color, f"var(--{name})")
    return re.sub(r"\n\s*", "\n", svg).strip()


def _short(match: re.Match[str]) -> str:
    return f"{float(match[0]):.2f}"


def plain_numbers(axes: Axes, *, x: bool = True, y: bool = True) -> None:
    """Format ticks as plain numbers on linear and logarithmic axes."""
    for enabled, axis in ((x, axes.xaxis), (y, axes.yaxis)):
        if enabled:
            axis.set_major_formatter(PlainFormatter())
            axis.set_minor_formatter(NullFormatter())


def logarithmic(axes: Axes) -> None:
    """Make the y axis logarithmic."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(PlainLogLocator())


MAX_LOG_TICKS = 7
"""Most ticks of a logarithmic axis."""
UNITS_FROM, LARGEST_PLAIN, EXPONENT_BELOW = 1e4, 1e15, 1e-4
"""The largest tick from which numbers have units such as k, and those beyond which they have an exponent."""
MAX_DIGITS = 17
"""Significant digits that tell any two numbers apart."""
TOLERANCE = 0.02
"""Largest error of a tick's number, as a fraction of the distance to the next tick."""


class PlainFormatter(Formatter):
    """Formats all ticks of an axis with as many digits as tell them apart."""

    def __init__(self) -> None:
        self._labels: dict[float, str] = {}

    def set_locs(self, locs: Sequence[float]) -> None:
        """Format the ticks at these positions."""
        values = [float(value) for value in locs]
        self._labels = dict(zip(values, tick_labels(values), strict=True))

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label of the tick at `x`."""
        return self._labels.get(float(x)) or tick_labels([float(x)])[0]


class PlainLogLocator(Locator):
    """Ticks of a logarithmic axis: 1, 2 and 5 times the powers of ten, or some of the powers."""

    def __call__(self) -> Sequence[float]:
        """The positions for the present limits."""
        low, high = self.axis.get_view_interval()  # type: ignore[union-attr]
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The positions between two positive limits, in ascending order."""
        return log_ticks(*sorted((float(vmin), float(vmax))))


def log_ticks(low: float, high: float) -> list[float]:
    """At most MAX_LOG_TICKS positions between two positive limits."""
    if not 0 < low <= high or not isfinite(high):
        return []
    first, last = floor(log10(low)), ceil(log10(high))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [value for k in range(first, last + 1) for s in steps if low <= (value := _power(s, k)) <= high]
        if len(ticks) <= MAX_LOG_TICKS:
            return ticks
    stride = ceil(len(ticks) / MAX_LOG_TICKS)
    return ticks[(len(ticks) - 1) % stride :: stride]


def _power(factor: int, exponent: int) -> float:
    """`factor` times a power of ten, rounded correctly."""
    return float(f"{factor}e{exponent}")


def tick_labels(values: Sequence[float]) -> list[str]:
    """Short numbers for ticks, with the fewest digits by which all of them differ."""
    finite = sorted({value for value in values if isfinite(value)})
    largest = max(map(abs, finite), default=0.0)
    gap = min((b - a for a, b in pairwise(finite)), default=0.0)
    exact = [0.0 if abs(value) < 1e-9 * gap else value for value in values]
    spread = {value: _neighbor_gap(value, finite) for value in exact}
    for digits in range(3, MAX_DIGITS + 1):
        if all(abs(float(f"{value:.{digits}g}") - value) <= TOLERANCE * spread[value] for value in exact):
            break
    return [_label(float(f"{value:.{digits}g}"), digits, largest) for value in exact]


def _neighbor_gap(value: float, finite: Sequence[float]) -> float:
    """The distance from `value` to the nearest other position; without another, the size of the value."""
    others = [abs(other - value) for other in finite if other != value]
    return min(others, default=abs(value)) or abs(value)


def _label(value: float, digits: int, largest: float) -> str:
    """A tick: in units of k, M, B or T if the largest is 10,000 or more, with an exponent beyond and below 0.0001."""
    if value == 0:
        return "0"
    size = abs(value)
    if not EXPONENT_BELOW <= size < LARGEST_PLAIN:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text, letter = _stripped(mantissa), f"e{int(exponent)}"
    else:
        units = LETTERS if largest >= UNITS_FROM else ()
        unit, letter = next(((unit, letter) for unit, letter in units if size >= unit), (1.0, ""))
        places = max(0, digits - 1 - floor(log10(size)) + round(log10(unit)))
        text = _stripped(f"{value / unit:.{places}f}")
    return (text + letter).replace("-", "−")


def _stripped(text: str) -> str:
    """A number without zeros at the end of its fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


NumberSequence: TypeAlias = Sequence[float] | NDArray[np.float64]
Color = Literal["first", "second", "third", "thin"]
COLORS = {"first": FIRST, "second": SECOND, "third": THIRD, "thin": THIN}

TALL = 330
"""Height of a square chart with its legend above."""
MAX_TICK_LENGTH = 22
"""Longest tick label, in characters."""
MAX_LEVEL = 36
"""Most characters of all tick labels that stand beside each other."""
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
    x: NumberSequence
    y: NumberSequence
    color: Color = "first"
    dashed: bool = False


@dataclass(frozen=True)
class Distribution:
    """The numbers of rows between the `edges` (bins + 1,) of x, or at its places, drawn small along the x axis."""

    edges: NumberSequence
    counts: NumberSequence


@dataclass(frozen=True)
class Axis:
    """Labels and limits of the axes; `ticks` are labels at positions of x, which else may be `integer` alone."""

    x: str
    y: str
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    square: bool = False
    log: bool = False
    ticks: tuple[tuple[float, str], ...] | None = None
    integer: bool = False


@dataclass(frozen=True)
class ErrorBar:
    """A value with its interval, None where it is not known; `share` is the fraction of the rows that it is of."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    share: float | None = None


def lines(
    title: str,
    description: str,
    axis: Axis,
    curves: Sequence[Line],
    table: TableBlock,
    *,
    mark: tuple[float, float, str] | None = None,
    diagonal: bool = False,
    dots: bool = False,
    distribution: Distribution | None = None,
) -> FigureBlock:
    """A line chart; `mark` is a named point, `diagonal` draws x = y, `dots` marks every point of the lines."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        if distribution is not None:
            _paint_distribution(axes, distribution)
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

    return FigureBlock(draw(paint, height=_height(axis)), title, description, table)


def scatter(
    title: str,
    description: str,
    axis: Axis,
    x: NumberSequence,
    y: NumberSequence,
    table: TableBlock,
    *,
    level: float | None = None,
) -> FigureBlock:
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

    return FigureBlock(draw(paint, height=_height(axis)), title, description, table)


@dataclass(frozen=True)
class Bin:
    """A bin of a calibration curve: rows, mean predicted probability, observed frequency and its Wilson interval."""

    rows: int
    mean_predicted: float
    observed: float
    low: float
    high: float


def points(
    title: str, description: str, axis: Axis, bins: Sequence[Bin], sizes: NumberSequence, table: TableBlock
) -> FigureBlock:
    """A calibration chart: observed frequency by mean prediction, dots scaled by `sizes`, and the line x = y."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        axes.axline((0, 0), slope=1, color=SOFT, linestyle=":", linewidth=1)
        for group, size in zip(bins, sizes, strict=True):
            axes.plot([group.mean_predicted, group.mean_predicted], [group.low, group.high], color=THIN, linewidth=1.2)
            axes.plot([group.mean_predicted], [group.observed], "o", color=FIRST, markersize=3 + 12 * size, mew=0)
        finish_axes(drawing, axes, axis)

    return FigureBlock(draw(paint, height=_height(axis)), title, description, table)


def bars(
    title: str, description: str, axis: Axis, edges: NumberSequence, heights: NumberSequence, table: TableBlock
) -> FigureBlock:
    """A histogram with the given `edges` and `heights`."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        width, gap = np.diff(edges), 0.0 if axis.ticks is None else 0.1
        axes.bar(edges[:-1] + gap * width, heights, (1 - 2 * gap) * width, align="edge", color=FIRST, alpha=0.8, lw=0)
        finish_axes(drawing, axes, axis)

    return FigureBlock(draw(paint, height=_height(axis)), title, description, table)


def paired_bars(
    title: str,
    description: str,
    axis: Axis,
    first: tuple[str, NumberSequence],
    second: tuple[str, NumberSequence],
    table: TableBlock,
) -> FigureBlock:
    """Two bars at each of the axis's ticks; `first` and `second` are their names and heights."""

    def paint(drawing: Drawing, axes: Axes) -> None:
        for (name, heights), color, shift in ((first, THIN, -0.2), (second, SECOND, 0.2)):
            axes.bar(np.arange(len(heights)) + shift, heights, 0.38, color=color, alpha=0.9, linewidth=0, label=name)
        axes.grid(visible=False, axis="x")
        finish_axes(drawing, axes, axis)

    return FigureBlock(draw(paint, height=_height(axis)), title, description, table)


DEPTH = 0.16
"""Height of a distribution along the x axis, as a fraction of that of the chart."""


def _paint_distribution(axes: Axes, distribution: Distribution) -> None:
    """Bars along the x axis, the highest of which takes the lowest DEPTH of the chart."""
    counts, edges = np.asarray(distribution.counts, np.float64), np.asarray(distribution.edges, np.float64)
    x, width = (edges[:-1], np.diff(edges)) if len(edges) > len(counts) else (edges - 0.35, np.full(len(edges), 0.7))
    heights = DEPTH * counts / max(1.0, float(counts.max()))
    bottom = axes.get_xaxis_transform()
    axes.bar(x, heights, width, align="edge", transform=bottom, color=THIN, alpha=0.55, linewidth=0, zorder=0)


def ranges(
    title: str,
    description: str,
    label: str,
    values: Sequence[ErrorBar],
    table: TableBlock,
    level: float,
    limits: tuple[float, float] | None = None,
    *,
    from_level: bool = False,
    mark: tuple[float, str] | None = None,
    width: float = WIDTH,
) -> FigureBlock:
    """Values with their intervals below each other, and a vertical line at `level`; `limits` are those of the axis.

    A `mark` is a second line with a name.
    Values are dots, or bars that begin `from_level`. A value's share of the rows is a gray bar below it, and a text.
    """

    def paint(drawing: Drawing, axes: Axes) -> None:
        places = np.arange(len(values))
        numbers = np.array([item.value for item in values])
        color, thickness = (INK, 1.2) if from_level else (FIRST, 2)
        if from_level:
            axes.barh(places, numbers - level, 0.62, level, color=FIRST, alpha=0.8, linewidth=0)
        else:
            axes.plot(numbers, places, "o", color=FIRST, markersize=6)
            if limits is not None:  # how far the values are from the level is comparable between charts
                axes.hlines(places, level, numbers, color=FIRST, linewidth=2)
        for place, item in zip(places, values, strict=True):
            if item.low is not None and item.high is not None:
                axes.plot([item.low, item.high], [place, place], color=color, linewidth=thickness)
            if item.share is not None:
                left = axes.get_yaxis_transform()
                axes.barh(place + 0.35, item.share, 0.2, transform=left, color=THIN, alpha=0.55, linewidth=0, zorder=0)
                text = format_percent(item.share)
                axes.text(1.01, place + 0.35, text, transform=left, va="center", color=SOFT, fontsize=9)
        axes.axvline(level, color=SOFT, linestyle="-" if from_level else ":", linewidth=1)
        if mark is not None:
            axes.axvline(mark[0], color=INK, linestyle="--", linewidth=1.2, label=mark[1])
            add_legend(drawing, axes)
        axes.set_yticks(places, [display(item.name, MAX_TICK_LENGTH) for item in values])
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        if limits is not None:
            axes.set_xlim(*limits)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        plain_numbers(axes, y=False)
        axes.set_xlabel(label)

    return FigureBlock(draw(paint, width, 70 + 22 * len(values)), title, description, table)


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
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=axis.integer or axis.x == "epoch"))
    plain_numbers(axes)
    if axis.ticks is not None:
        places, names = zip(*((place, display(name, MAX_TICK_LENGTH)) for place, name in axis.ticks), strict=True)
        name_ticks(axes, places, names)
    add_legend(drawing, axes)


def name_ticks(axes: Axes, places: Sequence[float], names: Sequence[str], font: float | None = None) -> None:
    """Name places of the x axis, tilted where the names are long."""
    axes.set_xticks(places, names)
    for label in axes.get_xticklabels():
        if font is not None:
            label.set_fontsize(font)
        if sum(map(len, names)) > MAX_LEVEL:
            label.set(rotation=40, ha="right", rotation_mode="anchor")


def add_legend(drawing: Drawing, axes: Axes, columns: int = 2) -> None:
    """Add a legend above the chart of what has a label, if there is any."""
    handles, labels = axes.get_legend_handles_labels()
    if labels:
        drawing.legend(handles, labels, loc="outside upper left", ncols=columns, borderaxespad=0, handlelength=1.5)


def evenly_spaced(n: int, max_points: int) -> NDArray[np.int64]:
    """At most `max_points` evenly spaced positions among n, including the first and the last."""
    return np.unique(np.linspace(0, n - 1, min(n, max_points)).round().astype(np.int64))


def numeric_table(caption: str, columns: Sequence[str], values: Sequence[NumberSequence]) -> TableBlock:
    """Columns of numbers as a table of at most MAX_ROWS evenly spaced rows."""
    n = len(values[0])
    indices = evenly_spaced(n, MAX_ROWS)
    rows = tuple(tuple(format_number(float(column[i])) for column in values) for i in indices)
    note = f"{len(indices)} of {n:,} rows, evenly spaced." if len(indices) < n else ""
    return TableBlock(caption, tuple(columns), rows, prose=(), note=note)


def needs_log_scale(values: NumberSequence) -> bool:
    """Whether the values are positive and their range calls for a logarithmic scale."""
    finite = [float(value) for value in values if isfinite(value)]
    return bool(finite) and min(finite) > 0 and max(finite) / min(finite) > LOG_SCALE_RATIO
