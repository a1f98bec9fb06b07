"""How tasks hear that they are to stop, and are heard of; their epochs, written while they run and read meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from nncli.base.findings import FindingCode, note
from nncli.fitting.parallel import control_dir as module
from nncli.fitting.parallel.control_dir import ControlDirectory, EpochsReader, EpochsWriter, StopCheck
from nncli.fitting.train.events import Progress, Started
from nncli.nn.training.loop import EpochReport


@pytest.fixture
def control(tmp_path: Path) -> ControlDirectory:
    control = ControlDirectory(tmp_path / "work")
    control.open()
    return control


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that a leash goes by; change it."""
    now = [0.0]
    monkeypatch.setattr("nncli.fitting.parallel.control_dir.time.monotonic", lambda: now[0])
    return now


def test_progress_is_read_as_it_was_written(control: ControlDirectory) -> None:
    progress = Progress(
        epoch=3,
        epochs=9,
        metric="accuracy",
        value=0.5,
        best_epoch=2,
        findings=(note(FindingCode.EXECUTION, "a", column="x", hint="b"),),
    )
    assert control.read_progress(4) is None
    control.write_progress(4, progress)
    assert control.read_progress(4) == progress


@pytest.mark.parametrize("text", ["", "{", "[]", '{"epoch": 1}', '{"epoch": 1, "odd": 2, "findings": []}'])
def test_unreadable_progress_counts_as_absent(control: ControlDirectory, text: str) -> None:
    (control.folder / "0.json").write_text(text)
    assert control.read_progress(0) is None


def test_a_worker_continues_until_it_is_asked_to_stop(control: ControlDirectory, clock: list[float]) -> None:
    stop = StopCheck(control, lambda: False)
    assert not stop()
    control.stop()
    assert not stop()  # it looked a moment ago
    clock[0] += module.POLL_SECONDS
    assert stop()
    control.heartbeat()
    clock[0] += module.POLL_SECONDS
    assert stop()  # once told, it stays told


def test_a_worker_stops_when_its_parent_is_gone(control: ControlDirectory, clock: list[float]) -> None:
    stop = StopCheck(control, lambda: False)
    assert not stop()
    for _ in range(3):
        clock[0] += module.MAX_SILENCE
        control.heartbeat()
        assert not stop()
    clock[0] += module.MAX_SILENCE + 1.0
    assert stop()


def test_a_worker_stops_when_the_folder_is_gone_or_its_process_ends(control: ControlDirectory) -> None:
    leaving = [False]
    stop = StopCheck(control, lambda: leaving[0])
    assert not stop()
    leaving[0] = True
    assert stop()
    control.close()
    assert not control.folder.exists()
    assert StopCheck(control, lambda: False)()


def test_a_worker_does_not_take_another_parent_for_its_own(control: ControlDirectory, clock: list[float]) -> None:
    stop = StopCheck(control, lambda: False)
    assert not stop()
    ControlDirectory(control.folder).open()  # its parent was killed, and the training is resumed
    clock[0] += module.POLL_SECONDS
    assert stop()


def test_one_worker_can_be_asked_to_stop(control: ControlDirectory) -> None:
    control.stop_task(3)
    assert StopCheck(control, lambda: False, 3)()
    assert not StopCheck(control, lambda: False, 4)()
    again = ControlDirectory(control.folder)
    again.open()
    assert not StopCheck(again, lambda: False, 3)()


def test_a_full_disk_does_not_end_a_training(control: ControlDirectory) -> None:
    control.close()
    control.write_progress(0, Progress())  # the folder is gone: nothing can be written
    control.stop()
    assert control.read_progress(0) is None


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch, 0.1 * epoch, 0.0, None, 0.5, 0.1, False, 1.0)


def started(*reports: EpochReport) -> Started:
    return Started(Path(), 10, 5, 2, 3, 9, len(reports), "rmse", (), reports)


def test_every_epoch_is_read_once(control: ControlDirectory) -> None:
    writer, reader = EpochsWriter(control, 3), EpochsReader(control, 3)
    assert reader.new() == (None, ())
    writer.add(started())
    writer.write()
    assert reader.new() == ("rmse", ())
    for epoch in (1, 2):
        writer.add(report(epoch))
    assert reader.new()[1] == ()
    writer.write()
    assert reader.new() == ("rmse", (report(1), report(2)))
    assert reader.new()[1] == ()
    writer.add(report(3))
    writer.write()
    assert reader.new() == ("rmse", (report(3),))


def test_a_task_that_starts_again_brings_the_epochs_before(control: ControlDirectory) -> None:
    reader = EpochsReader(control, 0)
    for before in ((), (report(1), report(2), report(3))):
        writer = EpochsWriter(control, 0)
        writer.add(started(*before))
        writer.add(report(len(before) + 1))
        writer.write()
        assert reader.new() == ("rmse", (*before, report(len(before) + 1)))


def test_a_row_that_is_written_just_now_waits(control: ControlDirectory) -> None:
    writer, reader = EpochsWriter(control, 0), EpochsReader(control, 0)
    writer.add(started(report(1)))
    writer.write()
    with control.epochs_file(0).open("a") as file:
        file.write("2,0.2,0.0,,0.5,0.1,fal")
    assert reader.new()[1] == (report(1),)
    with control.epochs_file(0).open("a") as file:
        file.write("se,1.0\n")
    assert reader.new()[1] == (report(2),)


def test_a_control_directory_that_is_gone_is_no_error(control: ControlDirectory) -> None:
    writer, reader = EpochsWriter(control, 0), EpochsReader(control, 0)
    writer.add(started(report(1)))
    control.close()
    writer.write()
    assert reader.new() == (None, ())


def test_a_file_that_is_damaged_holds_nothing(control: ControlDirectory) -> None:
    control.epochs_file(0).write_text("what\nis this\n")
    assert EpochsReader(control, 0).new() == (None, ())
