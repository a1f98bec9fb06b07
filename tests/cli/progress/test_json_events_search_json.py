"""A search as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nncli.api.tune import TuneEnded
from nncli.cli.progress.json_events import SearchJsonLines, write_ensemble
from nncli.cli.progress.search import SearchStatus
from nncli.tuning.search import RunningTrial, SearchEnded, TrialFinished
from nncli.tuning.selected_ensemble import SelectedEnsemble
from nncli.tuning.tune_result import TuneResult
from tests.cli.progress.searches import BETTER, ENDED, FAILED, FIRST, PRUNED, progress, started


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_trial_has_its_values_as_the_configuration_has_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = SearchJsonLines(SearchStatus(started(tmp_path)))
    for event in (*ENDED, TrialFinished(FAILED, False)):
        lines.update(event)
    first, *trials = written(capsys)
    assert first["parameters"] == ["learning_rate", "layers"]
    assert [(trial["trial"], trial["state"], trial["best"]) for trial in trials] == [
        (0, "complete", True),
        (1, "complete", True),
        (2, "pruned", False),
        (3, "failed", False),
    ]
    assert trials[1]["values"] == {"learning_rate": 0.02, "layers": [8, {"type": "dropout", "rate": 0.1}]}
    assert trials[2]["folds"] == [0.9]
    assert trials[3]["message"] == "the loss is not finite"


def test_the_progress_is_written_now_and_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nncli.cli.progress.json_events.time.monotonic", lambda: now)
    lines = SearchJsonLines(SearchStatus(started(tmp_path)))
    for now in (1.0, 9.0, 11.0, 12.0, 21.0):
        lines.update(progress(FIRST, running=(RunningTrial(1, 2),), seconds=now))
    _, *lines_of_progress = written(capsys)
    assert [item["seconds"] for item in lines_of_progress] == [11.0, 21.0]
    single = lines_of_progress[0]
    assert (single["event"], single["done"], single["complete"], single["best"]) == ("progress", 0, 1, 0)
    assert single["running"] == [{"trial": 1, "folds": 2}]


@pytest.mark.parametrize(
    ("timed_out", "exhausted", "status"),
    [(False, False, "done"), (True, False, "time limit"), (False, True, "all combinations")],
)
def test_the_end_has_the_best_trial_and_how_the_search_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], timed_out: bool, exhausted: bool, status: str
) -> None:
    start = started(tmp_path)
    trials = (FIRST, BETTER, PRUNED, FAILED)
    ended = SearchEnded(start.path, trials, BETTER, timed_out=timed_out, exhausted=exhausted)
    SearchJsonLines(SearchStatus(start)).end(TuneEnded(start.path, TuneResult.of(start, ended)))
    last = written(capsys)[-1]
    assert (last["event"], last["status"], last["trials"]) == ("finished", status, 3)
    assert last["repeatable"] is (status != "time limit")
    assert last["best"]["trial"] == 1
    assert last["changed"]["learning_rate"] == 0.02
    assert last["best_config"] == str(start.path / "best.yaml")


def test_a_stopped_search_has_no_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SearchJsonLines(SearchStatus(started(tmp_path))).end(TuneEnded(tmp_path, None))
    assert written(capsys)[-1] == {"event": "finished", "search": str(tmp_path), "status": "stopped"}


def test_an_ensemble_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_ensemble(SelectedEnsemble(Path("run"), ((3, 2), (1, 1)), "log loss", 0.1, 0.2, 3, 0.3))
    (line,) = written(capsys)
    assert line["run"] == "run"
    assert line["picks"] == [{"trial": 3, "picks": 2}, {"trial": 1, "picks": 1}]
