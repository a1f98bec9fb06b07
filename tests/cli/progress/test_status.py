"""How work is shown on a terminal: the live picture of a training."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nncli.cli.progress.status import Live, supports_unicode
from nncli.cli.progress.training import TrainingProgress
from nncli.fitting.train.events import Started
from nncli.nn.training.loop import EpochReport, LearningRateHalved

STARTED = Started(Path("run"), 100, 20, 2, 17, 50, 0, "rmse", (), monitor="val_loss")
REPORTS = [EpochReport(i, 1.0 / i, 0.01, 1.5 / i, 0.5, 0.1, i <= 30, 0.01) for i in range(1, 41)]


@pytest.fixture(autouse=True)
def at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm")


def picture(width: int, height: int, *, encoding: str = "utf-8", started: Started = STARTED) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    shown = Live(TrainingProgress(started), console)
    for report in REPORTS:
        shown.update(report)
    shown.close()
    with console.capture() as capture:
        console.print(shown)
    lines = capture.get().splitlines()
    assert all(len(line) <= width for line in lines)
    return lines


def has_braille(lines: list[str]) -> bool:
    return any("\u2800" < character <= "\u28ff" for line in lines[1:] for character in line[11:])


def test_a_wide_terminal_has_a_bar_curves_and_figures() -> None:
    lines = picture(100, 30)
    assert lines[0].startswith("epoch 40/50 ━")
    assert lines[0].endswith("─   80 %")
    assert "1.5 ┤" in lines[1]
    assert has_braille(lines[1:-2])
    assert "▲" in lines[12]
    assert lines[12].endswith("40")
    assert lines[-2].startswith("⠄⠄ loss 0.025  penalty 0.01  ⠤⠤ val_loss 0.0375  rmse 0.5  best val_loss 0.05 at 30")
    assert lines[-1].startswith("learning rate 0.1  ")
    assert "rows/s" in lines[-1]
    assert "memory" in lines[-1]


def test_a_monitored_metric_is_drawn_on_a_scale_of_its_own() -> None:
    lines = picture(100, 30, started=replace(STARTED, metric="roc_auc", monitor="val_roc_auc"))
    assert "0.5 ┤" in lines[1]  # the ROC AUC of all epochs; no loss is drawn
    assert lines[-2].startswith("loss 0.025  penalty 0.01  val_loss 0.0375  ⠤⠤ roc_auc 0.5  best roc_auc 0.5 at 30")


@pytest.mark.parametrize("width", [59, 30, 12])
def test_a_narrow_terminal_has_figures_alone_and_none_is_cut(width: int) -> None:
    lines = picture(width, 40)
    assert lines[0] == "epoch 40/50"
    assert not any("┤" in line for line in lines)
    assert width < 20 or any("best val_loss 0.05 at 30" in line for line in lines)


@pytest.mark.parametrize("height", [1, 2, 3, 5, 7, 9, 24, 200])
def test_the_picture_fits_into_the_lines_there_are(height: int) -> None:
    lines = picture(100, height)
    assert len(lines) <= max(height - 1, 1)
    assert len(lines) <= 15
    assert lines[0].startswith("epoch 40/50")


def test_the_picture_fits_itself_to_a_terminal_that_changes() -> None:
    console = Console(file=io.StringIO(), width=100, height=30, force_terminal=True, color_system=None)
    shown = Live(TrainingProgress(STARTED), console)
    shown.update(REPORTS[0])
    shown.close()
    sizes = []
    for width, height in ((100, 30), (40, 30), (80, 6)):
        console.size = (width, height)
        with console.capture() as capture:
            console.print(shown)
        lines = capture.get().splitlines()
        sizes.append(len(lines))
        assert all(len(line) <= width for line in lines)
    assert sizes[0] > sizes[1] > 3
    assert sizes[2] <= 5


def test_a_terminal_without_unicode_has_plain_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding, locale in (("ascii", "C.UTF-8"), ("utf-8", "C")):
        monkeypatch.setenv("LC_ALL", locale)
        lines = picture(100, 30, encoding=encoding)
        assert all(line.isascii() for line in lines)
        assert "^" in lines[12]
        assert "** val_loss" in lines[-2]


@pytest.mark.parametrize(
    ("said", "speaks"),
    [
        ({}, True),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "POSIX"}, False),
    ],
)
def test_who_sets_the_locale_c_is_believed(said: dict[str, str], speaks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert supports_unicode("utf-8") is speaks
    assert not supports_unicode("latin-1")


def test_a_training_that_goes_back_is_drawn_from_there() -> None:
    console = Console(file=io.StringIO(), width=100, height=30, force_terminal=True, color_system=None)
    shown = Live(TrainingProgress(replace(STARTED, done=2, reports=tuple(REPORTS[:2]))), console)
    shown.update(REPORTS[2])
    shown.update(LearningRateHalved(30, 1, 0.5, "the loss became infinite"))
    shown.close()
    with console.capture() as capture:
        console.print(shown)
    lines = capture.get().splitlines()
    assert lines[0].startswith("epoch 1/50")
    assert "best val_loss 1.5 at 1" in lines[-2]


def test_before_the_first_epoch_there_is_a_bar() -> None:
    console = Console(file=io.StringIO(), width=80, height=30, force_terminal=True, color_system=None)
    shown = Live(TrainingProgress(STARTED), console)
    shown.close()
    with console.capture() as capture:
        console.print(shown)
    assert capture.get().startswith("epoch 0/50 ──")
    assert "left" not in capture.get()
