"""`nncli show` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import Cli
from tests.tuning.made_searches import made_search, made_trials


def test_facts_layers_and_scores_are_printed_and_the_next_steps_beside_them(nncli: Cli, penguins: Path) -> None:
    done = nncli("show", penguins).check()
    facts, layers, scores = done.out.split("\n\n")
    assert [line.split("  ")[0] for line in facts.splitlines()] == [
        "run",
        "status",
        "started",
        "nncli",
        "data",
        "rows",
        "target",
        "categorical columns",
        "numeric columns",
        "network",
        "loss",
        "epochs",
    ]
    assert layers.split()[:4] == ["layer", "type", "units", "parameters"]
    assert scores.split()[:4] == ["training", "baseline", "validation", "baseline"]
    (calibration,) = (line for line in scores.splitlines() if line.startswith("calibration_error"))
    assert calibration.split()[2::2] == ["–", "–"]
    assert done.err.splitlines() == [f"next: nncli report {penguins}", f"next: nncli predict {penguins} NEW_TABLE"]
    assert nncli("show", penguins, "-q").check().err == ""


def test_the_json_is_one_object(nncli: Cli, penguins: Path) -> None:
    done = nncli("show", penguins, "--json").check()
    assert done.out.count("\n") == 1
    document = json.loads(done.out)
    assert document["path"] == str(penguins)
    assert document["target"] == ["species"]
    assert {"columns", "layers", "scores", "status", "started", "command", "next"} <= document.keys()


def test_a_folder_that_is_no_run_ends_with_5(nncli: Cli, here: Path) -> None:
    nncli("show", here).check(5)


def test_a_cross_validation_is_shown_and_predicts_as_an_ensemble_and_its_folds_are_runs(nncli: Cli, here: Path) -> None:
    (here / "t.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 7 + 0.5}\n" for i in range(20)))
    (here / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: [2]\nepochs: 1\nworkers: 1\n")
    nncli("cross-validate", "c.yaml", "--folds", "2", "-o", "cv", "-q").check()
    assert "cross-validation" in nncli("show", "cv").check().out
    each = [nncli("predict", run, "t.csv").check().out.splitlines()[1:] for run in ("cv/folds/1", "cv/folds/2", "cv")]
    numbers = [[float(line) for line in lines] for lines in each]
    for item, other, mean in zip(*numbers, strict=True):
        assert mean == pytest.approx((item + other) / 2)
    assert "status" in nncli("show", "cv/folds/2").check().out


def test_a_search_is_shown_with_its_best_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made_search(tmp_path, made_trials())
    shown = Cli(monkeypatch)("show", path).check()
    lines = shown.out.splitlines()
    assert len(lines) - lines.index("") == 2 + 5
    assert f"next: nncli train {path}/best.yaml" in shown.err
    assert json.loads(Cli(monkeypatch)("show", path, "--json").check().out)["kind"] == "search"


def test_a_search_that_was_stopped_is_shown_with_the_command_that_resumes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = made_search(tmp_path, made_trials(), ended=False)
    assert Cli(monkeypatch)("show", path).check().err == f"next: nncli tune --resume {path}\n"
    assert f"nncli tune --resume {path}" in Cli(monkeypatch)("runs", path).check().err
