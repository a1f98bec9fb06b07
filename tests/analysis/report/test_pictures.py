"""The picture of the predictions: every view of a target is drawn, with its numbers, or there is none."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from nncli.analysis.report.page import FigureBlock
from nncli.analysis.report.pictures import MAX_COLORED, picture
from nncli.targets.views import ActualByPredicted, Confusions, Intervals, Separation, View


def drawn(view: View) -> FigureBlock:
    found = picture(view)
    assert found is not None
    ET.fromstring(found.svg)
    return found


def numbers(predicted: list[float], width: float = 1.0) -> ActualByPredicted:
    x = np.array(predicted)
    return ActualByPredicted("y", np.arange(float(len(x))), x, Intervals(x - width, x + width, 0.9))


def test_rows_outside_their_interval_are_counted_and_have_a_color_of_their_own() -> None:
    found = drawn(numbers([*range(99), 500.0]))
    assert "1.0 % of the rows are outside their 90 % interval" in found.description
    assert "rows outside: 1.0 %" in found.svg
    assert found.table.columns == ("actual", "predicted", "lower", "upper")


def test_without_intervals_there_is_no_band() -> None:
    found = drawn(ActualByPredicted("y", np.arange(5.0), np.arange(5.0), None))
    assert "interval" not in found.svg + found.description
    assert found.table.columns == ("actual", "predicted")


@pytest.mark.parametrize("width", [np.inf, 1e308, np.nan])
def test_intervals_that_cannot_be_drawn_are_left_out(width: float) -> None:
    assert "90 %" not in drawn(numbers([1.0, 2.0], width)).svg


def test_infinite_predictions_are_left_out() -> None:
    assert picture(numbers([np.inf, np.nan])) is None
    assert len(drawn(numbers([np.inf, 2.0, 3.0])).table.rows) == 2


def test_two_classes_are_distributions_with_the_threshold() -> None:
    p, y = np.array([0.1, 0.3, 0.6, 0.9]), np.array([False, True, False, True])
    found = drawn(Separation(("no", "yes"), p, y, np.ones(4), 0.25))
    assert "threshold 0.25" in found.svg
    assert "100 % of the rows of yes are, and 50.0 % of the others" in found.description
    assert sum(int(str(row[1])) + int(str(row[2])) for row in found.table.rows) == 4


@pytest.mark.parametrize("y", [[True, True], [False, False]])
def test_rows_of_one_class_are_drawn_too(y: list[bool]) -> None:
    drawn(Separation(("no", "yes"), np.array([0.0, 1.0]), np.array(y), np.array([0.0, 2.5]), 1.0))


def test_the_cells_of_the_matrix_are_colored_by_their_share_of_the_actual_class() -> None:
    found = drawn(Confusions(("a", "b", "c"), np.array([[3.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.5, 0.0]])))
    assert found.table.rows[0] == ("a", "3 (75.0 %)", "1 (25.0 %)", "0 (0 %)")
    assert found.table.rows[2][2] == "0.5 (100 %)"
    assert found.svg.count("fill: var(--shade)") == 1
    assert found.svg.count("fill: var(--miss)") == 2
    assert re.search(r"fill: var\(--shade\); opacity: 0\.75", found.svg)


def test_too_many_classes_for_a_matrix_are_a_list_of_confused_pairs() -> None:
    n = MAX_COLORED + 1
    counts = np.diag(np.full(n, 5.0))
    assert picture(Confusions(tuple(map(str, range(n))), counts)) is None
    counts[3, 7] = 2.0
    assert drawn(Confusions(tuple(map(str, range(n))), counts)).table.rows == (("3", "7", "2", "28.6 %"),)
