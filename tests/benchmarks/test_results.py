"""What was measured is shown as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from growth import exponent, growth_picture
from results import Goal, Report, cell, text_of, with_results
from sizes import SIZES, Size

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))


def test_the_document_shows_exactly_the_results() -> None:
    document = (ROOT / "benchmarks" / "README.md").read_text("utf-8")
    assert document == with_results(document, RESULTS)


def test_the_picture_shows_exactly_the_results() -> None:
    report = Report.of(RESULTS["parts"]["growth"][0])
    assert (ROOT / "docs" / "growth.svg").read_text("utf-8") == growth_picture(report)


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (99.96, "100"), (0.01234, "0.0123"), (3, "3"), (None, "–"), ("", "–"), ("nncli", "nncli")],
)
def test_a_cell_has_three_digits_or_a_whole_number(value: str | float | None, text: str) -> None:
    assert cell(value) == text


@pytest.mark.parametrize(("value", "is_met"), [(0.9, False), (1.0, True), (1.1, True)])
def test_a_goal_is_met_on_its_limit_and_beyond(value: float, is_met: bool) -> None:
    assert Goal("faster", value, "≥", 1.0).is_met is is_met
    assert Goal("slower", -value, "≤", -1.0).is_met is is_met


def test_a_report_survives_json_and_says_which_goal_is_missed() -> None:
    report = Report("Start", "In ms.", ["", "ms"], [["nncli", 60.0], ["other", None]], [Goal("start", 2.0, "≤", 1.3)])
    assert Report.of(json.loads(json.dumps(report.plain))) == report
    assert "| start | 2 × | ≤ 1.3 × | **no** |" in text_of(report)
    assert "| nncli | 60 |\n| other | – |" in text_of(report)


def test_an_exponent_is_that_of_a_power() -> None:
    assert exponent([(n, 0.3 * n**1.7) for n in (1.0, 2.0, 5.0)]) == pytest.approx(1.7)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
def test_a_size_is_read_as_it_is_spelled(size: Size) -> None:
    assert Size.of(size.name) == size


def test_the_operations_of_a_step_leave_out_the_gradient_of_the_input() -> None:
    assert Size((3, 5, 2), 7).operations == 2 * 7 * (3 * (3 * 5 + 5 * 1) - 3 * 5)
