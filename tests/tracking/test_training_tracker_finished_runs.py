"""Tracking finished runs: the same as while they were trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli import cross_validate, train
from nncli.api.train import train_events
from nncli.base.errors import RunError
from nncli.fitting.train.events import Event, Started
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.run import Run
from nncli.tracking.training_tracker import TrainingTracker, track_finished_run
from tests.tracking.support import ENSEMBLE, NETWORK, REGRESSION, Memory, config, trained


def followed(folder: Path, text: str) -> tuple[Path, Memory]:
    """A run that was tracked while it was trained."""
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    events: list[Event] = []
    for event in train_events(config(folder, text), output=folder / "run"):
        training_tracker.receive(event)
        training_tracker.flush()
        events.append(event)
    training_tracker.close()
    return folder / "run", memory


@pytest.mark.slow
@pytest.mark.parametrize("text", [NETWORK, ENSEMBLE, REGRESSION])
def test_a_finished_run_is_tracked_as_it_was_during_its_training(tmp_path: Path, text: str) -> None:
    run, live = followed(tmp_path, text)
    recorded = Memory()
    assert track_finished_run(run, recorded) == "run"
    assert recorded.runs == live.runs
    assert recorded.points == live.points
    assert recorded.endings == live.endings


def test_every_epoch_of_the_history_is_tracked(penguins: Path) -> None:
    memory = Memory()
    track_finished_run(penguins, memory)
    history = read_history(penguins, Run.open(penguins).load_manifest())
    assert memory.values("run", "loss") == {report.epoch: report.loss for report in history.reports}
    assert memory.values("run", f"val_{history.metric}") == {report.epoch: report.metric for report in history.reports}


@pytest.mark.slow
def test_an_ensemble_is_a_run_with_a_child_for_every_member(tmp_path: Path) -> None:
    memory = Memory()
    track_finished_run(trained(tmp_path, ENSEMBLE), memory)
    assert [*memory.runs] == ["run", "run/members/1", "run/members/2", "run/members/3"]
    parent, *members = memory.runs.values()
    assert [member.parent for member in members] == [parent] * 3
    assert len({run.key for run in memory.runs.values()}) == 4
    assert not memory.points["run"]
    assert {score.metric for score in memory.endings["run"].scores} >= {"out_of_fold/accuracy", "training/accuracy"}
    assert [file.name for file in memory.endings["run"].files] == ["config.yaml", "metrics.json"]


@pytest.mark.slow
def test_a_cross_validation_is_a_run_with_a_child_for_every_fold(tmp_path: Path) -> None:
    result = cross_validate(config(tmp_path, NETWORK + "workers: 1\n"), folds=3, output=tmp_path / "cv")
    assert result is not None
    memory = Memory()
    assert track_finished_run(tmp_path / "cv", memory) == "cv"
    assert [*memory.runs] == ["cv", "cv/folds/1", "cv/folds/2", "cv/folds/3"]
    assert len(memory.values("cv/folds/2", "loss")) == 5
    scores = {score.metric: score.value for score in memory.endings["cv"].scores}
    assert scores["mean/accuracy"] == result.means["accuracy"]
    assert scores["std/accuracy"] == result.standard_deviations["accuracy"]
    assert "out_of_fold/accuracy" in scores
    assert dict(memory.runs["cv"].parameters)["folds"] == 3
    assert memory.endings["cv"].outcome == "done"


@pytest.mark.slow
def test_a_stopped_run_is_tracked_up_to_its_last_epoch(tmp_path: Path) -> None:
    epochs = 0

    def stop() -> bool:
        nonlocal epochs
        epochs += 1
        return epochs > 30

    run = train(config(tmp_path, NETWORK.replace("epochs: 5", "epochs: 500")), output=tmp_path / "run", stop=stop).run
    memory = Memory()
    track_finished_run(run, memory)
    assert memory.endings["run"].outcome == "stopped"
    assert len(memory.values("run", "loss")) == Run.open(run).load_manifest().epochs


@pytest.mark.slow
def test_a_run_in_training_and_a_folder_without_a_run_are_refused(tmp_path: Path) -> None:
    for event in train_events(config(tmp_path), output=tmp_path / "run"):
        if isinstance(event, Started):
            with pytest.raises(RunError) as refused:
                track_finished_run(tmp_path / "run", Memory())
            assert refused.value.location is not None
            assert refused.value.location.source == str(tmp_path / "run")
    with pytest.raises(RunError):
        track_finished_run(tmp_path, Memory())
