"""What is shown of many trainings: one line, or one bar, for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from nncli.base.findings import FindingCode, note
from nncli.cli.progress.status import MAX_RUNNING, Live, Plain
from nncli.cli.progress.training import TrainingsProgress
from nncli.fitting.train.events import MembersProgress, MembersStarted, Progress

KNOWN, NEW = note(FindingCode.TABLE_READING, "known"), note(FindingCode.TABLE_READING, "new")
STARTED = MembersStarted(Path("run"), 3, 2, (KNOWN,))
FIRST = Progress(epoch=2, epochs=10, metric="val_accuracy", value=0.5, best_epoch=1, findings=(KNOWN, NEW))
SECOND = Progress(epoch=4, epochs=10, metric="val_accuracy", value=1.0, best_epoch=4)


def figures(noun: str, *members: Progress) -> list[str]:
    work = TrainingsProgress(noun)
    work.update(MembersProgress(members))
    return work.status().figures


def test_figures_are_of_all_members() -> None:
    assert figures("members", FIRST, SECOND, Progress(epochs=10)) == [
        "epoch 6/30",
        "members 0/3",
        "best accuracy 0.75 on average",
    ]
    assert figures("trainings", Progress(epochs=10)) == ["epoch 0/10", "trainings 0/1"]


def test_epochs_that_nobody_knows_yet_are_not_counted() -> None:
    assert figures("members", Progress(), Progress()) == ["members 0/2"]


def test_a_member_that_goes_back_to_what_it_had_saved_leaves_no_negative_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nncli.cli.progress.status.time.monotonic", lambda: now)
    shown = Plain(TrainingsProgress("members"))
    for now, epoch in ((0.0, 8), (3.0, 5), (6.0, 6)):  # noqa: B007 - the clock reads it
        shown.update(MembersProgress((Progress(epoch=epoch, epochs=10),)))
    assert [line.split("  ")[2:] for line in capsys.readouterr().err.splitlines()] == [[], [], ["12.0 s left"]]


def test_what_a_member_done_early_leaves_out_is_no_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nncli.cli.progress.status.time.monotonic", lambda: now)
    shown = Plain(TrainingsProgress("members"))
    for now, epoch, done in ((0.0, 0, False), (5.0, 10, False), (10.0, 20, True)):  # noqa: B007 - the clock reads it
        members = (Progress(epoch=epoch, epochs=100, done=done), Progress(epoch=epoch, epochs=100))
        shown.update(MembersProgress(members))
    left = [line.split("  ")[-1] for line in capsys.readouterr().err.splitlines()]
    assert left[1:] == ["45.0 s left", "20.0 s left"]  # 180 epochs, and then 80, at 4 a second


def test_a_log_has_a_line_now_and_then_and_the_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nncli.cli.progress.status.time.monotonic", lambda: now)
    shown = Plain(TrainingsProgress("members"))
    shown.update(MembersProgress((Progress(epochs=10), Progress(epochs=10))))
    now = 1.0
    shown.update(MembersProgress((FIRST, Progress(epochs=10))))
    now = 4.0
    shown.update(MembersProgress((FIRST, SECOND)))
    now = 5.0
    shown.update(MembersProgress((FIRST, SECOND)))
    shown.close()
    assert capsys.readouterr().err.splitlines() == [
        "epoch 0/20  members 0/2",
        "epoch 6/20  members 0/2  best accuracy 0.75 on average  9.3 s left",
    ]


def test_a_terminal_has_a_bar_and_a_line_for_each_member_at_work() -> None:
    console = Console(width=100, force_terminal=True, color_system=None)
    with console.capture():
        shown = Live(TrainingsProgress("members"), console)
        shown.update(MembersProgress((FIRST, SECOND, Progress(epochs=10))))
        shown.close()
    with console.capture() as capture:
        console.print(shown)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    assert "6/30" in lines[0]
    assert lines[1:] == [
        "members 0/3  best accuracy 0.75 on average",
        "1: epoch 2/10, best accuracy 0.5 at 1",
        "2: epoch 4/10, best accuracy 1 at 4",
    ]


def test_many_members_at_work_are_not_all_shown() -> None:
    console = Console(width=100, force_terminal=True, color_system=None)
    with console.capture():
        shown = Live(TrainingsProgress("members"), console)
        shown.update(MembersProgress((SECOND,) * 50))
        shown.close()
    with console.capture() as capture:
        console.print(shown)
    assert len(capture.get().splitlines()) == 2 + MAX_RUNNING
