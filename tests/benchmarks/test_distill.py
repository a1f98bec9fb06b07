"""The benchmark of students: a tiny table is measured, and the share of a gain is said where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill import Measured, report
from tests.benchmarks.test_intervals import write_tables
from tests.benchmarks.test_scripts import ran


def measured(ensemble: float, student: float, plain: float, speed: float = 30.0) -> Measured:
    return Measured("t", "rmse", ensemble, (student, student), (plain, plain), 1.0, speed, 1.0)


@pytest.mark.parametrize(
    ("ensemble", "student", "plain", "kept"),
    [(1.0, 1.0, 2.0, 1.0), (1.0, 1.5, 2.0, 0.5), (1.0, 2.5, 2.0, -0.5), (1.0, 1.0, 1.01, None), (2.0, 1.0, 1.0, None)],
)
def test_the_share_of_the_gain(ensemble: float, student: float, plain: float, kept: float | None) -> None:
    assert measured(ensemble, student, plain).kept == kept


def test_the_goals_are_those_of_the_medians() -> None:
    result = report([measured(1.0, 1.0, 2.0), measured(1.0, 2.0, 2.0, 10.0), measured(1.0, 1.1, 2.0, 22.0)])
    assert [goal.value for goal in result.goals] == pytest.approx([90.0, 22.0])
    assert [goal.is_met for goal in result.goals] == [False, True]


def test_a_tiny_table_is_measured(tmp_path: Path) -> None:
    write_tables(tmp_path)
    settings = ("--set", "epochs=3", "--set", "teacher.swapped_rows=1")
    printed = ran("distill.py", tmp_path, "--only", "words", "--rounds", "1", "--quality", "fast", *settings)
    assert "| words | log_loss |" in printed
