"""A task leads to the same run however often it is begun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.api.train import train
from nncli.base.errors import RunLockedError
from nncli.base.findings import FindingCode, note
from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.task import TaskStatus, TrainingTask, run_task, task_events, update_progress
from nncli.fitting.train.events import Progress, Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved
from nncli.runs.run import Run
from tests.api.ensembles import config_of
from tests.runs.support import outcome, stop_at


@pytest.fixture
def control(tmp_path: Path) -> ControlDirectory:
    control = ControlDirectory(tmp_path / "work")
    control.open()
    return control


def task_in(tmp_path: Path, *assignments: str) -> TrainingTask:
    return TrainingTask(0, config_of(tmp_path, "members=1", *assignments), str(tmp_path / "run"))


def test_a_task_trains_a_new_run_skips_a_finished_one_and_extends_a_shorter_one(
    tmp_path: Path, control: ControlDirectory
) -> None:
    assert run_task(task_in(tmp_path), control) == TaskStatus("done", 3, 3)
    before = (tmp_path / "run" / "manifest.json").read_bytes()
    assert run_task(task_in(tmp_path), control) == TaskStatus("done", 3, 3)
    assert (tmp_path / "run" / "manifest.json").read_bytes() == before
    longer = task_in(tmp_path, "epochs=5", "checkpoint={every: 1 epoch}", "memory_limit=1 GB")
    assert run_task(longer, control).epochs == 5
    assert outcome(tmp_path / "run") == outcome(train(longer.config, output=tmp_path / "at once").run)


def test_a_run_of_fewer_epochs_is_not_done_until_it_is_extended(tmp_path: Path, control: ControlDirectory) -> None:
    run_task(task_in(tmp_path), control)
    longer = task_in(tmp_path, "epochs=5")
    assert TaskStatus.read(longer) == TaskStatus("stopped", 3, 3)
    run_task(longer, control)
    assert TaskStatus.read(longer) == TaskStatus("done", 5, 5)


def test_a_run_of_more_cycles_is_done(tmp_path: Path, control: ControlDirectory) -> None:
    run_task(task_in(tmp_path, "epochs=5"), control)
    assert TaskStatus.read(replace(task_in(tmp_path), by_cycles=True)).status == "done"
    assert TaskStatus.read(task_in(tmp_path)).status == "stopped"


def test_a_stopped_task_resumes_to_the_same_bits(tmp_path: Path, control: ControlDirectory) -> None:
    task = task_in(tmp_path)
    progress = list(task_events(task, control, stop_at(25)))
    assert not progress[-1].done
    assert TaskStatus.read(task) == TaskStatus("stopped", 1, 1)
    assert run_task(task, control).status == "done"
    assert outcome(tmp_path / "run") == outcome(train(task.config, output=tmp_path / "at once").run)


def test_a_stopped_task_does_not_begin(tmp_path: Path, control: ControlDirectory) -> None:
    control.stop()
    assert run_task(task_in(tmp_path), control) == TaskStatus("stopped", 0, 0)
    assert not (tmp_path / "run").exists()


def test_a_locked_run_is_waited_for(tmp_path: Path, control: ControlDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_in(tmp_path)
    train(task.config, output=tmp_path / "run", stop=stop_at(25))
    tries = 0

    def nap(_: float) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            monkeypatch.setattr("nncli.fitting.parallel.task.LOCK_TIMEOUT", 0.0)

    monkeypatch.setattr("nncli.fitting.parallel.task.time.sleep", nap)
    with Run(tmp_path / "run").locked():
        monkeypatch.setattr("nncli.fitting.parallel.task.LOCK_TIMEOUT", 0.2)
        with pytest.raises(RunLockedError):
            run_task(task, control)
    assert tries >= 1
    assert run_task(task, control).status == "done"


NOTE = note(FindingCode.EXECUTION, "a note")


def test_progress_is_that_of_the_best_epoch() -> None:
    def report(epoch: int, *, is_best: bool, metric: float | None) -> EpochReport:
        return EpochReport(epoch, 1.0 / epoch, 0.0, None, metric, 0.1, is_best, 0.0)

    started = Started(Path("run"), 1, 1, 1, 1, 9, 2, "accuracy", (NOTE,), monitor="val_accuracy")
    progress = update_progress(Progress(epochs=9), started)
    assert (progress.epoch, progress.metric, progress.findings) == (2, "val_accuracy", (NOTE,))
    progress = update_progress(progress, report(3, is_best=True, metric=0.5))
    progress = update_progress(progress, report(4, is_best=False, metric=0.25))
    assert (progress.epoch, progress.best_epoch, progress.value) == (4, 3, 0.5)
    assert update_progress(progress, LearningRateHalved(9, 1, 0.5, "why")).epoch == 1
    assert update_progress(Progress(), report(4, is_best=True, metric=None)).value == 0.25
