"""What is shown of a search: lines, or a display that is drawn again and again."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from nncli.cli.progress.search import SearchStatus
from nncli.cli.progress.status import Live, Plain
from nncli.tuning.search import RunningTrial
from tests.cli.progress.searches import BETTER, ENDED, FIRST, PRUNED, progress, started


def drawn(folder: Path, width: int, height: int, folds: int = 3) -> list[str]:
    """The last state of a display."""
    console = Console(width=width, height=height, force_terminal=False, record=True)
    live = Live(SearchStatus(started(folder, folds=folds)), console)
    try:
        for event in ENDED:
            live.update(event)
        live.update(progress(running=(RunningTrial(3, 2), RunningTrial(4, 0))))
        with console.capture() as capture:
            console.print(live)
    finally:
        live.close()
    return capture.get().splitlines()


def test_a_log_has_a_line_for_each_trial_and_one_for_those_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = Plain(SearchStatus(started(tmp_path)))
    for event in (progress(FIRST, BETTER), progress(FIRST, BETTER), ENDED[2]):
        shown.update(event)
    shown.close()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "trials 1/10 were finished before"
    assert second.startswith("trial 2  pruned after 1 of 3 folds")


def test_a_new_search_has_no_trials_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = Plain(SearchStatus(started(tmp_path)))
    shown.update(progress())
    shown.update(progress(FIRST))
    assert capsys.readouterr().err == ""


def test_a_terminal_has_a_bar_a_curve_the_best_trial_and_those_that_run(tmp_path: Path) -> None:
    lines = drawn(tmp_path, 100, 24)
    assert lines[0].startswith("trials 2/10 ")
    assert "0.5 ┤" in lines[1]
    assert any(line.strip().startswith("trials") and "▲" in line for line in lines[2:])
    assert "best trial 1: log_loss 0.25  ± 0.05 between folds  trial 0 0.5  learning_rate 0.02" in "\n".join(lines)
    assert "running 2  pruned 1  time 0.0 s  trial 3: 2/3 folds  trial 4: 0/3 folds" in "\n".join(lines)
    assert len(lines) < 24


@pytest.mark.parametrize(("width", "height"), [(40, 24), (100, 4), (20, 3)])
def test_a_small_terminal_has_no_curve(tmp_path: Path, width: int, height: int) -> None:
    lines = drawn(tmp_path, width, height)
    assert lines[0].startswith("trials 2/10")
    assert not any("┤" in line for line in lines)
    assert all(len(line) <= width for line in lines)


def test_a_trial_of_one_training_has_no_folds(tmp_path: Path) -> None:
    assert "trial 3  trial 4" in "\n".join(drawn(tmp_path, 100, 24, folds=1))


def test_before_the_first_trial_there_is_a_bar_alone(tmp_path: Path) -> None:
    console = Console(width=80, height=24)
    live = Live(SearchStatus(started(tmp_path)), console)
    with console.capture() as capture:
        console.print(live)
    live.close()
    assert capture.get().startswith("trials 0/10")
    assert "best" not in capture.get()


def test_pruned_trials_do_not_change_the_best_one(tmp_path: Path) -> None:
    assert PRUNED.score is not None
    assert not any("0.9" in line for line in drawn(tmp_path, 100, 24))
