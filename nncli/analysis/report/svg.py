"""Reproducible SVG by Matplotlib, with text as text and the colors of the style sheet.

Placeholder colors are replaced by CSS variables, so that charts follow the light or dark theme of the page.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import Formatter, Locator, NullFormatter

INK, SOFT, RULE, FIRST, SECOND, THIRD, THIN = (f"#0a0b0{i}" for i in range(1, 8))
VARIABLES = {INK: "ink", SOFT: "soft", RULE: "rule", FIRST: "first", SECOND: "second", THIRD: "third", THIN: "thin"}

WIDTH, HEIGHT = 360, 250
"""Size of a chart in SVG units."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nncli",
    "text.parse_math": False,  # a column may be called $x$
    "font.family": ["DejaVu Sans"],  # shipped with Matplotlib, so that the layout is the same everywhere
    "font.size": 11,
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
    "legend.fontsize": 11,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "path.simplify": True,
}


def draw(paint: Callable[[Drawing, Axes], None], width: float = WIDTH, height: float = HEIGHT) -> str:
    """The SVG of a drawing of this size, whose axes `paint` fills."""
    with _style():
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
    for color, name in VARIABLES.items():
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
EXPONENT_FROM, EXPONENT_BELOW = 1e6, 1e-4
"""The largest tick from which, and below which, numbers are written with an exponent."""
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
    scientific = largest >= EXPONENT_FROM or 0 < largest < EXPONENT_BELOW
    return [_label(float(f"{value:.{digits}g}"), digits, scientific=scientific) for value in exact]


def _neighbor_gap(value: float, finite: Sequence[float]) -> float:
    """The distance from `value` to the nearest other position; without another, the size of the value."""
    others = [abs(other - value) for other in finite if other != value]
    return min(others, default=abs(value)) or abs(value)


def _label(value: float, digits: int, *, scientific: bool) -> str:
    if value == 0:
        return "0"
    if scientific and not EXPONENT_BELOW <= abs(value) < EXPONENT_FROM:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa}e{int(exponent)}"
    else:
        places = max(0, digits - 1 - floor(log10(abs(value))))
        text = f"{value:,.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")
