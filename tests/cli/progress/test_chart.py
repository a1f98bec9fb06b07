"""Curves drawn as text."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.cli.progress.chart import MAX_POINTS, AxisScale, Curve, Span, chart


def curve(*values: float | None) -> Curve:
    drawn = Curve()
    for value in values:
        drawn.add(value)
    return drawn


def text(lines: list[list[Span]]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


SERIES = st.lists(st.floats() | st.none(), min_size=1, max_size=700)
"""Also no numbers, infinite ones, and the largest and smallest there are."""


@given(SERIES, st.integers(0, 130), st.integers(0, 30), st.booleans(), st.data())
def test_any_series_is_drawn_within_its_size(
    losses: list[float | None], width: int, height: int, braille: bool, data: st.DataObject
) -> None:
    best = data.draw(st.none() | st.integers(1, len(losses)))
    drawn = text(
        chart(
            curve(*losses),
            curve(*reversed(losses)),
            epoch=len(losses),
            best=best,
            width=width,
            height=height,
            braille=braille,
        )
    )
    assert len(drawn) in (0, height)
    assert all(len(line) == width for line in drawn)
    assert braille or all(line.isascii() for line in drawn)
    assert not drawn or best is None or drawn[-1].count("▲" if braille else "^") == 1


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=200))
def test_the_highest_and_the_lowest_value_reach_the_edges(losses: list[float]) -> None:
    drawn = curve(*losses)
    lines = text(chart(drawn, Curve(), epoch=len(losses), best=None, width=80, height=9, braille=False))
    rows = [line[11:] for line in lines[:-1]]
    assert max(losses) - min(losses) < 1e-300 or ("." in rows[0] and "." in rows[-1])


def test_a_falling_loss_is_a_falling_line() -> None:
    drawn = chart(curve(4, 3, 2, 1), Curve(), epoch=4, best=4, width=15, height=5, braille=False)
    assert text(drawn) == [
        "        4 |.   ",
        "          | .  ",
        "          |  . ",
        "        1 |   .",
        "    epoch  1  ^",
    ]


def test_the_best_epoch_is_marked_where_it_is_and_the_last_is_told() -> None:
    drawn = chart(curve(*[1.0] * 101), curve(*[2.0] * 101), epoch=101, best=51, width=52, height=5, braille=True)
    assert text(drawn)[-1] == "    epoch  1" + " " * 19 + "▲" + " " * 17 + "101"
    assert [role for line in drawn for _, role in line].count("best") == 1


def test_both_curves_are_there_and_differ_without_colors() -> None:
    drawn = chart(curve(1, 1), curve(2, 2), epoch=2, best=None, width=20, height=4, braille=True)
    high, low = text(drawn)[0][11:], text(drawn)[2][11:]
    assert high == "⠉" * 9
    assert low == "⡀" * 9


def test_losses_of_many_magnitudes_have_a_logarithmic_axis() -> None:
    drawn = text(chart(curve(1e4, 1, 1e-4), Curve(), epoch=3, best=None, width=40, height=8, braille=True))
    assert "log" in drawn[3]
    assert not any(
        "log" in line for line in text(chart(curve(3, 1), Curve(), epoch=2, best=1, width=40, height=8, braille=True))
    )


def test_nothing_finite_is_no_chart() -> None:
    assert chart(curve(nan, inf), curve(None, -inf), epoch=2, best=1, width=80, height=10, braille=True) == []


@pytest.mark.parametrize("epochs", [1, MAX_POINTS, 3 * MAX_POINTS + 1, 40_000])
def test_a_curve_stays_small_and_keeps_its_course(epochs: int) -> None:
    drawn = curve(*range(epochs))
    points = drawn.points
    assert len(points) <= MAX_POINTS
    assert points == sorted(points)
    assert points[0] < drawn.stride
    assert points[-1] >= epochs - 1 - drawn.stride
    assert len(points) == -(-epochs // drawn.stride)


@given(st.integers(1, 2_000), st.data())
def test_going_back_forgets_what_came_after(epochs: int, data: st.DataObject) -> None:
    back = data.draw(st.integers(0, epochs))
    drawn = curve(*[1.0] * back, *[1e6] * (epochs - back))
    stride = drawn.stride
    drawn.truncate(back)
    assert len(drawn.points) == -(-back // stride)
    whole = back // stride
    assert drawn.points[:whole] == [1.0] * whole


def test_going_back_within_the_latest_point_forgets_the_rest_of_it() -> None:
    drawn = curve(*[1.0] * (2 * MAX_POINTS + 3))  # four epochs to a point, three in the latest
    assert drawn.stride == 4
    drawn.truncate(2 * MAX_POINTS)
    assert len(drawn.points) == MAX_POINTS // 2


def test_gaps_are_no_numbers_and_means_are_of_what_is_finite() -> None:
    assert [isnan(point) for point in curve(1, None, inf, 2).points] == [False, True, True, False]
    many = curve(*[1.0, nan] * MAX_POINTS)
    assert set(many.points) == {1.0}


def test_a_scale_knows_the_widest_span_and_the_narrowest() -> None:
    widest = AxisScale.of([-1.7e308, 0.0, 1.7e308])
    assert widest is not None
    assert widest.heights([-1.7e308, 0.0, 1.7e308]) == [0.0, 0.5, 1.0]
    constant = AxisScale.of([3.0, nan])
    assert constant is not None
    assert constant.heights([3.0]) == [0.5]
