"""Reproducible SVG by Matplotlib, with text as text and the colors of the style sheet.

Placeholder colors are replaced by CSS variables, so that charts follow the light or dark theme of the page.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import NullFormatter

from nncli.analysis.report.ticks import PlainFormatter, PlainLogLocator

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
