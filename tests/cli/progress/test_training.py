"""The course of a training: its pace, its figures, and the lines of a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nncli.cli.progress.status import Plain, Speed
from nncli.cli.progress.training import TrainingProgress
from nncli.fitting.train.events import Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved

STARTED = Started(Path("run"), 100, 20, 2, 17, 10, 0, "rmse", (), monitor="val_loss")


def report(epoch: int, *, best: bool = True) -> EpochReport:
    return EpochReport(epoch, 1.0 / epoch, 0.0, 2.0 / epoch, 0.5, 0.1, best, 1.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("nncli.cli.progress.status.time.monotonic", lambda: now[0])
    return now


def test_a_slow_beginning_is_forgotten(clock: list[float]) -> None:
    pace = Speed(0)
    assert pace.seconds_left(5) is None
    for clock[0], done in ((60.0, 1), (61.0, 2), (62.0, 3), (63.0, 4)):
        pace.add(done)
    assert pace.per_second == 1.0
    assert pace.seconds_left(5) == 5.0


@pytest.mark.parametrize("steps", [[(31.0, 1)], [(31.0, 20)], [(31.0, 1), (33.0, 15)]])
def test_the_first_steps_of_many_tell_no_time_left(clock: list[float], steps: list[tuple[float, int]]) -> None:
    pace = Speed(0)
    for clock[0], done in steps:
        pace.add(done)
    assert pace.seconds_left(992 - done) is None
    clock[0] = 40.0
    pace.add(100)
    assert pace.seconds_left(892) is not None


def test_few_samples_are_kept_however_long_it_takes(clock: list[float]) -> None:
    pace = Speed(0)
    for i in range(1, 10_000):
        clock[0] = i / 4
        pace.add(i)
    assert pace.per_second == pytest.approx(4.0)
    assert len(pace._samples) <= 65


def test_a_resumed_training_counts_its_own_epochs_and_knows_the_best_so_far(clock: list[float]) -> None:
    before = (report(1), report(2), report(3, best=False))
    course = TrainingProgress(replace(STARTED, done=3, reports=before))
    assert course.epoch == 3
    assert course.best == before[1]
    assert course.loss.points == [1.0, 1 / 2, 1 / 3]
    assert course.status().left == ""
    clock[0] = 2.0
    course.update(report(4, best=False))
    assert course.status().left == "12.0 s left"  # 6 epochs of 2 seconds, and not of 0.5
    assert course.status().details[0] == "50 rows/s"
    assert "best val_loss 1 at 2" in course.status().figures


@pytest.mark.parametrize(
    ("monitor", "metric", "draws_loss", "second", "points", "best"),
    [
        ("val_loss", "accuracy", True, "val_loss", [2.0, 1.0], "best val_loss 1 at 2"),
        ("val_calibrated_log_loss", "calibrated_log_loss", True, "calibrated_log_loss", [0.5, 0.5], None),
        ("val_roc_auc", "roc_auc", False, "roc_auc", [0.5, 0.5], "best roc_auc 0.5 at 2"),
        ("loss", "accuracy", True, "val_loss", [2.0, 1.0], "best loss 0.5 at 2"),
    ],
)
def test_what_chooses_the_epoch_is_drawn_and_named(
    monitor: str, metric: str, draws_loss: bool, second: str, points: list[float], best: str | None
) -> None:
    course = TrainingProgress(replace(STARTED, metric=metric, monitor=monitor, done=2, reports=(report(1), report(2))))
    status = course.status()
    drawn = {text.partition(" ")[0]: role for text, role in status.values}
    assert (drawn["loss"] == "loss", drawn.get(second)) == (draws_loss, "monitored")
    assert status.curves is not None
    assert (bool(status.curves.loss.points), status.curves.monitored.points) == (draws_loss, points)
    assert (best or f"best {second} 0.5 at 2") in status.figures


def test_a_training_that_goes_back_forgets_its_void_epochs(clock: list[float]) -> None:
    course = TrainingProgress(replace(STARTED, done=2, reports=(report(1), report(2))))
    course.update(report(3))
    course.update(LearningRateHalved(30, 1, 0.5, "the loss became infinite"))
    assert course.epoch == 1
    assert course.best == report(1)
    assert course.loss.points == [1.0]
    clock[0] = 4.0
    course.update(report(2))
    assert course.status().left == "16.0 s left"  # 8 epochs, at 2 in 4 seconds


def test_a_log_has_the_first_epoch_a_line_now_and_then_and_the_last(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Plain(TrainingProgress(STARTED))
    for epoch in range(1, 11):
        clock[0] = epoch / 2
        shown.update(report(epoch))
    shown.close()
    shown.close()
    said = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in said] == ["epoch 1/10", "epoch 5/10", "epoch 9/10", "epoch 10/10"]
    assert (
        said[1] == "epoch 5/10  loss 0.2  val_loss 0.4  rmse 0.5  best val_loss 0.4 at 5  learning rate 0.1  2.5 s left"
    )


def test_a_training_resumed_at_its_end_has_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    Plain(TrainingProgress(replace(STARTED, done=1, epochs=1, reports=(report(1),)))).close()
    assert capsys.readouterr().err == ""
