"""The state of a search by its events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.base.time_limit import TimeLimit
from nncli.cli.progress.search import MAX_LINE, SearchStatus
from nncli.tuning.search import RunningTrial, TrialFinished
from nncli.tuning.trials import Trial
from tests.cli.progress.searches import BETTER, ENDED, FAILED, FIRST, PRUNED, progress, started


def test_trials_are_counted_by_state_and_the_best_is_kept(tmp_path: Path) -> None:
    status = SearchStatus(started(tmp_path))
    status.update(progress())
    for event in (*ENDED, TrialFinished(FAILED, False)):
        status.update(event)
    status.update(progress(running=(RunningTrial(4, 1),)))
    assert (status.finished, status.done) == (4, 3)
    assert status.status().details[:3] == ("running 1", "pruned 1", "failed 1")
    status.update(TrialFinished(FAILED.model_copy(update={"number": 4}), False))
    assert status.status().details[:2] == ("pruned 1", "failed 2")
    assert (status.best, status.best_at) == (BETTER, 2)
    assert status.changed_values_of_best == {"learning_rate": "0.02", "layers": "[8, {type: dropout, rate: 0.1}]"}
    assert status.curve.points == [0.5, 0.25, 0.25, 0.25, 0.25]


def test_trials_of_earlier_sessions_are_counted_once(tmp_path: Path) -> None:
    status = SearchStatus(started(tmp_path))
    status.update(TrialFinished(PRUNED, False))  # it had been trained, but not recorded, when the search was killed
    status.update(progress(FIRST, BETTER, PRUNED))
    status.update(progress(FIRST, BETTER, PRUNED))
    assert status.finished == 3
    assert status.best == BETTER


def test_a_higher_score_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    status = SearchStatus(replace(started(tmp_path), metric="accuracy", higher_is_better=True))
    for event in ENDED:
        status.update(event)
    assert status.best == FIRST


def test_the_time_left_is_that_of_the_other_trials_at_the_present_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nncli.cli.progress.status.time.monotonic", lambda: now)
    status = SearchStatus(started(tmp_path, trials=10))
    status.update(progress(FIRST))
    assert status.time_left == ""
    now = 4.0
    status.update(TrialFinished(BETTER, True))
    assert status.time_left == "36.0 s left"  # nine of eleven, at one in 4 s


def test_the_time_left_is_never_more_than_that_of_the_limit(tmp_path: Path) -> None:
    limit = TimeLimit(10.0, start=0.0, clock=lambda: 7.0)
    status = SearchStatus(started(tmp_path, limit=limit))
    assert status.time_left == "3.0 s left"
    late = replace(limit, clock=lambda: 12.0)
    status = SearchStatus(started(tmp_path, limit=late))
    assert status.seconds_left == 0.0
    assert status.is_late
    assert "no trial begins" in status.time_left


@pytest.mark.parametrize(
    ("trial", "is_best", "line"),
    [
        (FIRST, True, "trial 0  log_loss 0.5  best so far  the configuration itself"),
        (BETTER, False, "trial 1  log_loss 0.25  learning_rate 0.02 · layers [8, {type: dropout, rate: 0.1}]"),
        (PRUNED, False, "trial 2  pruned after 1 of 3 folds  log_loss about 1.1 on all folds  learning_rate 0.001"),
        (FAILED, False, "trial 3  failed: the loss is not finite  learning_rate 0.1"),
    ],
)
def test_a_trial_is_a_line_with_the_values_that_were_changed(
    tmp_path: Path, trial: Trial, is_best: bool, line: str
) -> None:
    status = SearchStatus(started(tmp_path))
    assert status.line(trial, is_best=is_best) == line


def test_values_that_make_a_line_too_long_are_left_out(tmp_path: Path) -> None:
    status = SearchStatus(started(tmp_path))
    status.names = {"learning_rate": "r" * 80, "layers": "layers"}
    line = status.line(BETTER, is_best=False)
    assert line.endswith("r 0.02 · …")
    assert len(line) <= MAX_LINE + len(" · …")
