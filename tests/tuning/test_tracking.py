"""A search on trackers, while it runs and once it has ended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nncli.api.tune import TuneEvent, tune_events
from nncli.base.errors import RunError
from nncli.base.findings import FindingCode
from nncli.fitting.train.events import TrackingStopped
from nncli.integrations.tensorboard import TensorBoard
from nncli.tuning.tracking import track_directory
from nncli.tuning.trials import load_trials
from tests.tracking.support import Memory, scalars
from tests.tuning.finished_searches import search
from tests.tuning.searches import loaded


def searched(folder: Path, *track: str) -> list[TuneEvent]:
    return [*tune_events(loaded(folder), output=folder / "search", workers=1, track=track)]


@pytest.mark.slow
def test_a_search_is_a_run_with_a_child_for_every_trial(tmp_path: Path) -> None:
    searched(tmp_path)
    memory, trials = Memory(), load_trials(tmp_path / "search")
    assert track_directory(tmp_path / "search", memory) == "search"
    assert [*memory.runs] == ["search", *(f"search/trials/{i:04}" for i in range(7))]
    assert {*dict(memory.runs["search/trials/0001"].parameters)} == {"learning_rate", "batch_size", "trial.state"}
    assert isinstance(dict(memory.runs["search/trials/0001"].parameters)["learning_rate"], float)
    values = [dict(memory.runs[f"search/trials/{i:04}"].parameters) for i in range(1, 7)]
    assert all(isinstance(value["batch_size"], int) for value in values)
    complete = {trial.number: trial.score for trial in trials if trial.state == "complete"}
    assert memory.values("search", "rmse") == complete
    best = [score.value for score in memory.endings["search"].scores]
    assert best == [min(complete, key=lambda number: complete[number] or 0.0)]
    assert [file.name for file in memory.endings["search"].files] == ["config.yaml", "trials.csv", "best.yaml"]


@pytest.mark.slow
def test_a_search_that_runs_writes_what_is_written_afterwards(tmp_path: Path) -> None:
    searched(tmp_path, f"tensorboard={tmp_path / 'live'}")
    tracker = TensorBoard(tmp_path / "later")
    track_directory(tmp_path / "search", tracker)
    tracker.close()
    folders = ["search", *(f"search/trials/{i:04}" for i in range(7))]
    for folder in folders:
        assert scalars(tmp_path / "live" / folder) == scalars(tmp_path / "later" / folder)
    assert len(scalars(tmp_path / "live" / "search")["best_rmse"]) == 7


@pytest.mark.slow
def test_a_search_that_is_resumed_has_every_trial_once(tmp_path: Path) -> None:
    word = f"tensorboard={tmp_path / 'logs'}"
    searched(tmp_path, word)
    for _ in tune_events(resume=tmp_path / "search", trials=8, workers=1, track=[word]):
        pass
    assert [step for step, _, _ in scalars(tmp_path / "logs" / "search")["best_rmse"]] == [*range(9)]
    assert len([*(tmp_path / "logs").iterdir()]) == 1


@pytest.mark.slow
def test_a_tracker_that_fails_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    events = searched(tmp_path, f"tensorboard={tmp_path / 'file' / 'logs'}")
    (stop,) = [event for event in events if isinstance(event, TrackingStopped)]
    assert stop.finding.code == FindingCode.TRACKING
    assert load_trials(tmp_path / "search")[-1].is_finished


@pytest.mark.slow
def test_the_names_of_parameters_are_those_that_trackers_take(tmp_path: Path) -> None:
    search(tmp_path)
    memory = Memory()
    track_directory(tmp_path / "search", memory)
    names = {name for run in memory.runs.values() for name, _ in run.parameters}
    assert all(re.fullmatch(r"[-.\w]+", name) for name in names)


def test_a_folder_that_is_no_search_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        track_directory(tmp_path, Memory())
