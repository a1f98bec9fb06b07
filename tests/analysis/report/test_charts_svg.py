"""SVG by Matplotlib: short ticks, short numbers, and colors of the style sheet."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nncli.analysis.report.charts import FIRST, draw, logarithmic


def test_a_drawing_is_one_svg_element_with_css_colors() -> None:
    def paint(_: Figure, axes: Axes) -> None:
        axes.plot([0, 1], [1, 2.123456], color=FIRST)

    svg = draw(paint)
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert "width" not in root.attrib
    assert "var(--first)" in svg
    assert FIRST not in svg


def test_a_logarithmic_axis_has_plain_ticks() -> None:
    def paint(_: Figure, axes: Axes) -> None:
        axes.plot([0, 1], [1, 1000])
        logarithmic(axes)
        assert axes.get_yscale() == "log"

    ET.fromstring(draw(paint))
