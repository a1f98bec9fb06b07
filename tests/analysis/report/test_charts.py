"""Charts: reproducible, in the colors of the page, for any numbers and names."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import matplotlib
import numpy as np
import pytest

from nncli.analysis.report.charts import (
    Axis,
    Bin,
    ErrorBar,
    Line,
    bars,
    evenly_spaced,
    lines,
    needs_log_scale,
    numeric_table,
    points,
    ranges,
    scatter,
)
from nncli.analysis.report.page import FigureBlock, TableBlock
from tests.analysis.report.support import HOSTILE

NOTHING = TableBlock("t", ("a",), ())


def a_line(name: str = "a", y: tuple[float, ...] = (1.0, 2.0, 4.0)) -> FigureBlock:
    drawn = [Line(name, (1.0, 2.0, 3.0), y), Line("b", (1.0, 2.0, 3.0), y, "second", dashed=True)]
    return lines("t", "d", Axis("epoch", "loss"), drawn, NOTHING, mark=(2.0, 2.0, "best"))


def test_a_chart_is_the_same_bytes_every_time() -> None:
    assert a_line().svg == a_line().svg


def test_a_chart_ignores_the_users_matplotlib_settings() -> None:
    before = a_line().svg
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.fonttype": "path"}):
        assert a_line().svg == before
        assert matplotlib.rcParams["font.size"] == 30


def test_colors_are_css_variables_and_text_is_text() -> None:
    svg = a_line().svg
    assert "var(--first)" in svg
    assert "var(--soft)" in svg
    assert "#0a0b0" not in svg
    assert ">epoch</text>" in svg
    assert "<metadata" not in svg
    assert "http://" not in svg.replace("http://www.w3.org/2000/svg", "")


def test_short_numbers_leave_text_alone() -> None:
    line = Line("", (1.0, 2.0, 3.0), (0.12345, 0.1235, 0.1236))
    svg = lines("t", "d", Axis("x", "y"), [line], NOTHING).svg
    assert re.search(r">0\.12\d\d</text>", svg)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_can_be_drawn(name: str) -> None:
    for figure in (
        a_line(name),
        ranges("t", "d", name, [ErrorBar(name, 1.0, 0.5, 2.0), ErrorBar("other", 0.0, None, None)], NOTHING, 0.0),
        lines(
            "t", "d", Axis(name, name, ticks=((0.0, name), (1.0, "b"))), [Line(name, (0.0, 1.0), (1.0, 2.0))], NOTHING
        ),
    ):
        ET.fromstring(figure.svg)


@pytest.mark.slow
@pytest.mark.parametrize("y", [(0.0, 0.0, 0.0), (float("nan"), 1.0, 2.0), (1e-300, 1.0, 1e300), (-1e9, 0.0, 1e9)])
def test_any_numbers_can_be_drawn(y: tuple[float, ...]) -> None:
    ET.fromstring(a_line(y=y).svg)
    finite = np.nan_to_num(np.array(y))
    ET.fromstring(scatter("t", "d", Axis("x", "y"), finite, finite, NOTHING).svg)
    ET.fromstring(scatter("t", "d", Axis("x", "y"), finite, finite, NOTHING, level=0.0).svg)
    ET.fromstring(lines("t", "d", Axis("x", "y", log=needs_log_scale(y)), [Line("", (1.0, 2.0, 3.0), y)], NOTHING).svg)


def test_bars_and_points_are_drawn() -> None:
    ET.fromstring(bars("t", "d", Axis("x", "rows"), (0.0, 1.0, 2.0), (3.0, 4.0), NOTHING).svg)
    bins = [Bin(3, 0.2, 0.3, 0.1, 0.6)]
    ET.fromstring(points("t", "d", Axis("x", "y", square=True), bins, (1.0,), NOTHING).svg)


def test_many_points_are_sampled() -> None:
    x = np.arange(50_000.0)
    assert len(scatter("t", "d", Axis("x", "y"), x, x, NOTHING).svg) < 200_000


def test_positions_are_evenly_spaced_with_both_ends() -> None:
    assert evenly_spaced(3, 10).tolist() == [0, 1, 2]
    assert evenly_spaced(101, 3).tolist() == [0, 50, 100]
    assert evenly_spaced(1, 5).tolist() == [0]


def test_a_long_table_says_that_it_is_thinned() -> None:
    table = numeric_table("t", ("x",), (np.arange(1_000.0),))
    assert len(table.rows) == 60
    assert table.note == "60 of 1,000 rows, evenly spaced."


def test_a_wide_range_of_positive_values_needs_a_log_scale() -> None:
    assert needs_log_scale([0.01, 1.0])
    assert not needs_log_scale([0.5, 1.0])
    assert not needs_log_scale([0.0, 1.0])
    assert not needs_log_scale([float("nan")])
