"""The epochs of a task, written while it runs and read meanwhile."""

from __future__ import annotations

from pathlib import Path

from nncli.fitting.parallel.control_dir import ControlDirectory
from nncli.fitting.parallel.epochs_file import EpochsReader, EpochsWriter, epochs_file
from nncli.fitting.train.events import Started
from nncli.nn.training.loop import EpochReport


def report(epoch: int) -> EpochReport:
    return EpochReport(epoch, 0.1 * epoch, 0.0, None, 0.5, 0.1, False, 1.0)


def started(*reports: EpochReport) -> Started:
    return Started(Path(), 10, 5, 2, 3, 9, len(reports), "rmse", (), reports)


def opened(folder: Path) -> ControlDirectory:
    control = ControlDirectory(folder / "control")
    control.open()
    return control


def test_every_epoch_is_read_once(tmp_path: Path) -> None:
    control = opened(tmp_path)
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


def test_a_task_that_starts_again_brings_the_epochs_before(tmp_path: Path) -> None:
    control = opened(tmp_path)
    reader = EpochsReader(control, 0)
    for before in ((), (report(1), report(2), report(3))):
        writer = EpochsWriter(control, 0)
        writer.add(started(*before))
        writer.add(report(len(before) + 1))
        writer.write()
        assert reader.new() == ("rmse", (*before, report(len(before) + 1)))


def test_a_row_that_is_written_just_now_waits(tmp_path: Path) -> None:
    control = opened(tmp_path)
    writer, reader = EpochsWriter(control, 0), EpochsReader(control, 0)
    writer.add(started(report(1)))
    writer.write()
    with epochs_file(control, 0).open("a") as file:
        file.write("2,0.2,0.0,,0.5,0.1,fal")
    assert reader.new()[1] == (report(1),)
    with epochs_file(control, 0).open("a") as file:
        file.write("se,1.0\n")
    assert reader.new()[1] == (report(2),)


def test_a_control_directory_that_is_gone_is_no_error(tmp_path: Path) -> None:
    control = opened(tmp_path)
    writer, reader = EpochsWriter(control, 0), EpochsReader(control, 0)
    writer.add(started(report(1)))
    control.close()
    writer.write()
    assert reader.new() == (None, ())


def test_a_file_that_is_damaged_holds_nothing(tmp_path: Path) -> None:
    control = opened(tmp_path)
    epochs_file(control, 0).write_text("what\nis this\n")
    assert EpochsReader(control, 0).new() == (None, ())
