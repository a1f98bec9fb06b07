from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.findings import FindingCode
from nncli.base.logs import format_duration
from nncli.base.scratch import Scratch
from nncli.base.time_limit import TimeLimit
from nncli.config.schema import Config
from nncli.data.splitting.folds import Sample
from nncli.fitting.prepare.load import load_table
from nncli.fitting.timing import Measurement, TrainingPlan, Workload, fit_workload, plan_within, seconds_of

MEASURED = Measurement(
    reading=0.1, preparing=0.1, preparing_row=1e-5, rows=1_000, step=0.01, batch_size=100, prediction=1e-6
)
WORK = Workload(members=8, workers=2, epochs=256, rows=10_000, held_out=1 / 7)


@given(st.floats(0.0, 5_000.0))
def test_what_fits_takes_no_longer_than_the_budget_unless_it_is_the_smallest(budget: float) -> None:
    fitting = fit_workload(MEASURED, WORK, budget, is_auto=True)
    smallest = fit_workload(MEASURED, WORK, 0.0, is_auto=True)
    assert seconds_of(MEASURED, fitting) <= budget or fitting == smallest
    assert (smallest.members, smallest.epochs, smallest.rows) == (1, 3, 200)


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables here have fewer rows than the smallest sample."""
    monkeypatch.setattr("nncli.fitting.timing.MIN_ROWS", 200)


def test_epochs_are_reduced_before_members_and_members_before_rows() -> None:
    whole = seconds_of(MEASURED, WORK)
    result = [fit_workload(MEASURED, WORK, budget, is_auto=True) for budget in (whole, whole / 4, 40.0, 10.0, 0.8)]
    assert result[0] == WORK
    assert result[1].members == 8
    assert 12 < result[1].epochs < 256
    assert 1 < result[2].members < 8
    assert result[2].epochs >= 12
    assert (result[3].members, result[3].rows) == (1, 10_000)
    assert (result[4].members, result[4].epochs) == (1, 3)
    assert result[4].rows < 10_000


def plan(folder: Path, seconds: float, measured: Measurement = MEASURED, **keys: object) -> TrainingPlan:
    pl.DataFrame({"x": range(3_000), "y": ["a", "b", "b"] * 1_000}).write_csv(folder / "t.csv")
    config = Config.model_validate({"data": {"path": str(folder / "t.csv"), "target": "y"}, **keys})
    limit = TimeLimit(seconds, start=0.0, clock=lambda: 0.0)
    with Scratch() as scratch:
        table = load_table(config, config.data, scratch)
        return plan_within(limit, config, table, 0.1, lambda *of: measured)


def test_a_plan_that_fits_leaves_the_configuration_as_it_is(tmp_path: Path) -> None:
    result = plan(tmp_path, 1e5, members=4)
    assert (result.config.members, result.config.epochs, result.config.data.sample) == (4, 100, None)
    assert result.decision is not None


def test_the_note_has_the_estimate_if_nothing_worth_training_fits(tmp_path: Path) -> None:
    slow = Measurement(0.1, 0.1, 1e-5, 1_000, 0.1, 100, 1e-6)
    for seconds, fits in ((0.1, False), (100.0, True)):
        result = plan(tmp_path, seconds, slow, members="auto", epochs="auto")
        assert result.estimate is not None
        assert (result.estimate <= seconds) is fits
        (note,) = result.findings
        assert (format_duration(result.estimate) in note.message) is not fits


def test_a_plan_writes_members_epochs_and_rows_into_the_configuration(tmp_path: Path) -> None:
    few = plan(tmp_path, 15.0, members=4)
    assert few.config.members in (1, 2, 3)
    slow = Measurement(0.1, 0.1, 1e-5, 1_000, 0.1, 100, 1e-6)
    least = plan(
        tmp_path,
        6.0,
        slow,
        members="auto",
        epochs="auto",
        data={"path": str(tmp_path / "t.csv"), "target": "y", "sample": {"rows": 2_900, "seed": 4}},
    )
    assert (least.config.members, least.config.epochs) == (1, 3)
    sample = least.config.data.sample
    assert isinstance(sample, Sample)
    assert sample.seed == 4
    assert 200 <= sample.rows < 2_900
    (finding,) = least.findings
    assert finding.code == FindingCode.TIME_LIMIT


@pytest.mark.parametrize("members", [2, 3])
def test_few_members_hold_out_a_fifth_of_the_rows_each(tmp_path: Path, members: int) -> None:
    work = Workload(members=8, workers=2, epochs=12, rows=3_000, held_out=1 / 7)
    budgets = [seconds / 20 for seconds in range(20, 2_000)]
    fitting = next(
        single
        for budget in budgets
        if (single := fit_workload(MEASURED, work, budget, is_auto=True)).members == members
    )
    assert fitting.held_out == 0.2
