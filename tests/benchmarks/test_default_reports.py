"""What trainings on tables came to: means over splits, ratios within a round, ranks, and their goals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from default_reports import Metas, by_table, ratios, report_calibration, report_errors, report_times
from default_tables import Fit, Plan
from results import Report

METAS: Metas = {f"{name}-{split}": {"name": name, "n": 900} for name in ("a", "b") for split in (0, 1)}
NAMES = {folder: str(meta["name"]) for folder, meta in METAS.items()}


def fit(folder: str, error: float, seconds: float, who: str = "c", **values: Any) -> Fit:
    return Fit(folder, who, 0, (), seconds, error, **{"log_loss": None, "ece": None, **values})


FOUND = {
    "nncli": [fit("a-0", 0.1, 2.0), fit("a-1", 0.3, 4.0), fit("b-0", 0.1, 13.0), fit("b-1", 0.1, 13.0)],
    "baseline": [fit("a-0", 0.2, 8.0), fit("a-1", 0.2, 16.0), fit("b-0", 0.2, 26.0), fit("b-1", 0.2, 26.0)],
    "catboost": [fit("a-0", 0.1, 1.0), fit("a-1", 0.1, 1.0), fit("b-0", 0.2, 13.0), fit("b-1", 0.2, 13.0)],
}


def plan(*settings: str, is_tuned_to: bool = False) -> Plan:
    return Plan([], [], 1, settings, "python", Path("none"), is_tuned_to)


def goals(report: Report) -> list[tuple[float, float]]:
    return [(goal.value, goal.limit) for goal in report.goals]


def test_splits_of_a_table_are_averaged() -> None:
    assert by_table(FOUND, NAMES, "error")["a"]["nncli"] == pytest.approx(0.2)


def test_a_measure_that_nobody_has_has_no_table() -> None:
    assert by_table(FOUND, NAMES, "log_loss") == {}


def test_a_ratio_of_times_is_of_two_trainings_of_the_same_round() -> None:
    assert ratios(FOUND, NAMES, "nncli", "catboost") == {"a": 3.0, "b": 1.0}
    assert ratios(FOUND, NAMES, "nncli", "absent") == {}


def test_times_have_the_goals_of_their_settings() -> None:
    values, limits = zip(*goals(report_times(FOUND, METAS, plan())), strict=True)
    assert values == pytest.approx((0.125**0.5, 3**0.5, 13.0))
    assert limits == (0.25, 1.5, 12.0)
    assert [limit for _, limit in goals(report_times(FOUND, METAS, plan("quality=fast")))][:2] == [0.33, 1.0]
    assert [limit for _, limit in goals(report_times(FOUND, METAS, plan("backend=numpy")))][:2] == [0.33, 1.5]


def test_errors_are_compared_with_catboost_table_by_table() -> None:
    report = report_errors(FOUND, METAS, {}, "error", plan())
    a, b = 0.201 / 0.101, 0.101 / 0.201
    assert [row[4] for row in report.rows] == [pytest.approx(a), pytest.approx(b)]
    values, limits = zip(*goals(report)[:2], strict=True)
    assert values == pytest.approx(((a * b) ** 0.5, a))
    assert limits == (0.90, 1.25)


def test_ranks_are_among_the_peers_with_every_table() -> None:
    peers = {"a": {"linear": 0.05, "mlp": 0.06, "catboost": 0.0}, "b": {"linear": 0.5}}
    report = report_errors(FOUND, METAS, peers, "error", plan())
    assert [row[5] for row in report.rows] == ["4 of 4", "1 of 3"]
    assert goals(report)[-1] == (2.5, 2.0)  # linear has 1 and 3, CatBoost as measured 3 and 2, mlp lacks a table


def test_tables_that_were_tuned_to_have_other_goals() -> None:
    assert goals(report_errors(FOUND, METAS, {}, "error", plan(is_tuned_to=True)))[0][1] == 0.708
    assert goals(report_errors(FOUND, METAS, {}, "error", plan("quality=fast", is_tuned_to=True)))[0][1] == 0.98


def test_the_calibration_error_is_a_mean_over_tables() -> None:
    fits = [fit("a-0", 0.1, 1.0, ece=0.02), fit("a-1", 0.1, 1.0, ece=0.04), fit("b-0", 0.1, 1.0)]
    [(value, limit)] = goals(report_calibration({"nncli": fits}, METAS))
    assert value == pytest.approx(0.03)
    assert limit == 0.02
