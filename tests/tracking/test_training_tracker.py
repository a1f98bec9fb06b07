"""The events of a training as calls of a tracker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.api.train import train_events
from nncli.fitting.parallel.control_dir import ControlDirectory, EpochsWriter
from nncli.fitting.train.events import MembersProgress, MembersStarted, Progress, Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.run_directory.filenames import CONTROL_FOLDER
from nncli.run_directory.history_and_metrics import read_history
from nncli.run_directory.run import Run
from nncli.tracking.training_tracker import Aborted, TrainingTracker, track_finished_run
from tests.tracking.support import ENSEMBLE, Memory, config, trained


def report(epoch: int, loss: float) -> EpochReport:
    return EpochReport(epoch, loss, 0.0, None, None, 0.1, False, 1.0)


def started(run: Path, reports: tuple[EpochReport, ...] = ()) -> Started:
    return Started(run, 10, 0, 2, 3, 5, len(reports), None, (), reports)


def test_many_epochs_are_logged_in_one_call(tmp_path: Path) -> None:
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    for event in train_events(config(tmp_path), output=tmp_path / "run"):
        training_tracker.receive(event)
        if not isinstance(event, Started) and "run" in memory.points:
            assert not memory.points["run"] or "run" in memory.endings
    assert len(memory.values("run", "loss")) == 5


def test_the_epochs_before_a_resumption_are_logged_again(penguins: Path) -> None:
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    training_tracker.receive(started(penguins, (report(1, 3.0), report(2, 2.0))))
    training_tracker.receive(report(3, 1.0))
    training_tracker.flush()
    assert memory.values("run", "loss") == {1: 3.0, 2: 2.0, 3: 1.0}


def test_a_training_that_goes_back_repeats_its_epochs(penguins: Path) -> None:
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    training_tracker.receive(started(penguins, (report(1, 3.0), report(2, 9.0))))
    training_tracker.receive(LearningRateHalved(1, 1, 0.5, "the loss grew"))
    training_tracker.receive(report(2, 2.0))
    training_tracker.flush()
    assert memory.values("run", "loss") == {1: 3.0, 2: 2.0}
    start = memory.runs["run"].started
    assert memory.points["run"]["loss", 2].time == start + 2.0


@pytest.mark.slow
def test_a_member_is_logged_once_its_training_has_ended(tmp_path: Path) -> None:
    run = trained(tmp_path, ENSEMBLE)
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    training_tracker.receive(MembersStarted(run, 3, 1, ()))
    training_tracker.receive(MembersProgress((Progress(5, 5, done=True), Progress(2, 5), Progress())))
    assert [*memory.runs] == ["run", "run/members/1"]
    training_tracker.receive(MembersProgress((Progress(5, 5, done=True), Progress(5, 5, done=True), Progress())))
    assert [*memory.runs] == ["run", "run/members/1", "run/members/2"]
    assert not memory.endings
    training_tracker.receive(Aborted("stopped"))
    assert [*memory.endings] == ["run/members/1", "run/members/2", "run/members/3", "run"]
    assert memory.endings["run"].outcome == "stopped"


@pytest.mark.slow
def test_a_member_is_logged_while_it_is_trained(tmp_path: Path) -> None:
    run = trained(tmp_path, ENSEMBLE)
    history = read_history(run / "members" / "2", Run.open(run / "members" / "2").load_manifest())
    control = ControlDirectory(run / CONTROL_FOLDER)
    control.open()
    writer = EpochsWriter(control, 1)
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    training_tracker.receive(MembersStarted(run, 3, 1, ()))
    writer.add(replace(started(run), metric=history.metric))
    for epoch, report in enumerate(history.reports[:4], start=1):
        writer.add(report)
        writer.write()
        training_tracker.receive(MembersProgress((Progress(), Progress(epoch, 5), Progress())))
        training_tracker.flush()
        assert [*memory.values("run/members/2", "loss")] == [*range(1, epoch + 1)]
    training_tracker.receive(MembersProgress((Progress(), Progress(5, 5, done=True), Progress())))
    training_tracker.flush()
    recorded = Memory()
    track_finished_run(run, recorded)
    assert memory.points["run/members/2"] == recorded.points["run/members/2"]
    assert [*memory.runs] == ["run", "run/members/2"]


@pytest.mark.slow
def test_a_member_that_is_written_again_is_logged_later(tmp_path: Path) -> None:
    run = trained(tmp_path, ENSEMBLE)
    memory = Memory()
    training_tracker = TrainingTracker(memory)
    training_tracker.receive(MembersStarted(run, 3, 1, ()))
    history = run / "members" / "1" / "history.csv"
    content = history.read_bytes()
    history.write_text("half")
    training_tracker.receive(MembersProgress((Progress(5, 5, done=True),)))
    assert "run/members/1" not in memory.points or not memory.points["run/members/1"]
    history.write_bytes(content)
    training_tracker.receive(MembersProgress((Progress(5, 5, done=True),)))
    assert [*memory.values("run/members/1", "loss")] == [1, 2, 3, 4, 5]


def test_an_end_before_the_start_calls_nothing() -> None:
    memory = Memory()
    TrainingTracker(memory).receive(Aborted("failed"))
    assert not memory.calls
