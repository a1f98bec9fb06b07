"""Ticks: logarithmic axes of any range have numbers, and neighboring numbers differ."""

from __future__ import annotations

import re
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.analysis.report.charts import MAX_LOG_TICKS, Axis, Line, lines, log_ticks, needs_log_scale, tick_labels
from nncli.analysis.report.page import TableBlock

NOTHING = TableBlock("t", ("a",), ())
positive = st.floats(1e-300, 1e300)


def numbers_of_y(svg: str) -> list[str]:
    axis = svg[svg.index('id="matplotlib.axis_2"') :]
    return re.findall(r">([−\d.ekMBT]+)</text>", axis[: axis.index('id="patch_')])


@pytest.mark.slow
@pytest.mark.parametrize(
    "y",
    [
        (1.0, 31.0), (0.9, 100.0), (1e-7, 1.0), (1e-12, 1e3), (3.0, 4e9), (1e-300, 1e300), (2e-5, 9e-4),
        (0.693147, 0.693148), (123_456.1, 123_456.9), (0.0, 0.0), (-1e-9, 1e-9), (1e-14, 2e-14), (-3e8, 5e8),
    ],
)  # fmt: skip
def test_the_y_axis_of_every_loss_chart_has_different_numbers(y: tuple[float, float]) -> None:
    chart = lines("t", "d", Axis("epoch", "loss", log=needs_log_scale(y)), [Line("", (1.0, 2.0), y)], NOTHING)
    labels = numbers_of_y(chart.svg)
    assert len(labels) >= 2
    assert len(set(labels)) == len(labels)


@given(positive, st.floats(30, 1e30))
@settings(deadline=None)
def test_a_logarithmic_axis_over_more_than_a_decade_has_two_to_seven_ticks(low: float, ratio: float) -> None:
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= MAX_LOG_TICKS or not isfinite(low * ratio)
    assert ticks == sorted(set(ticks))
    assert all(low <= value <= low * ratio for value in ticks)


@given(st.floats(-1e12, 1e12), st.floats(1e-6, 1e6), st.integers(2, 6))
@settings(deadline=None)
def test_evenly_spaced_ticks_have_different_labels(start: float, step: float, n: int) -> None:
    values = [start + i * step for i in range(n)]
    if len(set(values)) == n:
        assert len(set(tick_labels(values))) == n


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([0.0, 0.25, 0.5], ["0", "0.25", "0.5"]),
        ([-3.0, 0.0, 3.0], ["−3", "0", "3"]),
        ([1950.0, 2000.0], ["1950", "2000"]),
        ([0.0, 5000.0, 10_000.0], ["0", "5k", "10k"]),
        ([0.0, 250_000.0], ["0", "250k"]),
        ([100_050.0, 100_100.0], ["100.05k", "100.1k"]),
        ([0.0, 8e9], ["0", "8B"]),
        ([0.0, 3e15], ["0", "3e15"]),
        ([-1.5e6, 0.0, 1.5e6], ["−1.5M", "0", "1.5M"]),
        ([0.69314, 0.69315], ["0.69314", "0.69315"]),
        ([-2e-17, 0.1, 0.2], ["0", "0.1", "0.2"]),
        ([0.001, 1.0, 1e9], ["0.001", "1", "1B"]),
        ([2e-6, 4e-6], ["2e−6", "4e−6"]),
    ],
)
def test_labels_are_short(values: list[float], labels: list[str]) -> None:
    assert tick_labels(values) == labels
