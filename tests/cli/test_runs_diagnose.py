"""`nncli diagnose` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

from nncli.fitting.checks.training_problem import MAY_HELP
from tests.cli.support import DATA, Cli


def test_findings_are_numbered_with_their_commands(nncli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sets = ["--set", "preset=textbook", "--set", "learning_rate=1", "--set", "epochs=8"]
    nncli("train", DATA / "penguins.csv", "-t", "species", *sets, "-o", run).check()
    done = nncli("diagnose", run, "--rates").check()
    assert done.out.startswith("1. the learning rate 1 is too high")
    assert f"   {MAY_HELP}: nncli train {run}/config.yaml --set learning_rate.peak=" in done.out
    assert "learning rate" in done.out.splitlines()[-12]
    said = json.loads(nncli("diagnose", run, "--json").check().out)
    assert said["findings"][0]["code"] == "learning-rate-too-high"
    assert [moment["epoch"] for moment in said["health"][0]] == [0, 1, 4]


def test_a_remedy_is_tried_and_its_score_is_printed(nncli: Cli, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sets = ["--set", "preset=textbook", "--set", "learning_rate=1", "--set", "epochs=8"]
    nncli("train", DATA / "penguins.csv", "-t", "species", *sets, "-o", run).check()
    (remedy, *_) = json.loads(nncli("diagnose", run, "--try", "--json").check().out)["remedies"]
    assert (remedy["code"], remedy["effect"]) == ("learning-rate-too-high", "better")
    kept = nncli("diagnose", run).check().out
    assert f"To follow it: nncli train {run}/config.yaml --set learning_rate.peak=" in kept


def test_a_healthy_run_has_nothing_wrong(nncli: Cli, penguins: Path) -> None:
    assert nncli("diagnose", penguins).check().out == "nothing wrong found\n"
