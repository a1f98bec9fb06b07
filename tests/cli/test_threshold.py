"""`nncli threshold` on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nncli import train
from tests.cli.support import DATA, Cli


@pytest.fixture(scope="module")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two classes; not to be changed."""
    folder = tmp_path_factory.mktemp("two")
    lines = [f"{i % 17},{'yes' if (i * 7) % 17 + (i % 5) > 14 else 'no'}" for i in range(240)]
    (folder / "t.csv").write_text("\n".join(["x,bought", *lines]) + "\n")
    (folder / "c.yaml").write_text("data: {path: t.csv, target: bought}\nlayers: [4]\nepochs: 4\nvalidation: 0.5\n")
    return train(folder / "c.yaml", output=folder / "run").run


@pytest.fixture
def copy(spare: Path, here: Path) -> Path:
    """A copy in the working directory."""
    return Path(shutil.copytree(spare, here / "run")).relative_to(here)


def test_the_trade_off_is_listed_with_the_most_probable_class(nncli: Cli, spare: Path) -> None:
    done = nncli("threshold", spare).check()
    lines = done.out.splitlines()
    assert lines[0] == "120 validation rows; positive class: yes"
    titles = next(line for line in lines if line.startswith("threshold")).split()
    assert titles == ["threshold", "positive_rate", "precision", "recall", "f1", "specificity", "f1"]
    assert lines[-1].startswith("most probable")
    assert "--cost fp=1,fn=10" in done.err
    assert nncli("threshold", spare, "-q").check().err == ""


@pytest.mark.parametrize("columns", ["", "60"])
def test_a_goal_shows_what_it_achieves(nncli: Cli, spare: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    done = nncli("threshold", spare, "--cost", "fp=1,fn=5").check()
    assert "cost per row" in done.out
    assert " chosen " in done.out
    assert columns or "0.166667 fp/(fp+fn) " in done.out
    assert columns == "" or max(map(len, done.out.splitlines())) <= 60
    assert "--cost fp=1.0,fn=5.0 --positive yes --save" in done.err


def test_a_threshold_that_costs_less_is_named_with_its_class(nncli: Cli, spare: Path) -> None:
    done = nncli("threshold", spare, "--cost", "fp=5,fn=1.5", "--positive", "no").check()
    assert ": --cost fp=5.0,fn=1.5 --at 0.769231 --positive no\n" in done.err
    assert "--cost fp=5.0,fn=1.5 --at 0.769231 --positive no --save\n" in done.err
    fixed = nncli("threshold", spare, "--cost", "fp=5.0,fn=1.5", "--at", "0.769231", "--positive", "no").check()
    assert "cost per row" in fixed.out
    assert "--cost fp=5.0,fn=1.5 --at 0.769231 --positive no --save" in fixed.err


def test_the_next_command_saves_what_was_shown(nncli: Cli, copy: Path) -> None:
    shown = json.loads(nncli("threshold", copy, "--recall", "0.9", "--json", "-q").check().out)
    done = nncli("threshold", copy, "--recall", "0.9", "--positive", "yes", "--save", "--json").check()
    saved = json.loads(done.out)
    assert saved["saved"] == saved["decision"] == shown["decision"]
    assert shown["saved"] is None
    assert "saved in run" in done.err


def test_what_is_saved_is_said_wherever_classes_are_predicted(nncli: Cli, copy: Path) -> None:
    Path("new.csv").write_text("x\n1\n16\n")
    Path("labeled.csv").write_text("x,bought\n1,no\n16,yes\n")
    nncli("threshold", copy, "--at", "0.25", "--save").check()
    note = "classes by the saved decision: 'yes' from a probability of 0.25 on (as given)"
    assert f"note: {note}" in nncli("predict", copy, "new.csv").check().err
    assert f"note: {note}" not in nncli("predict", copy, "new.csv", "-q").check().err
    assert note in nncli("evaluate", copy, "labeled.csv").check().out
    assert f"note: {note}" in nncli("evaluate", copy, "labeled.csv", "--json").check().err
    shown = nncli("show", copy).check().out
    assert "'yes' from a probability of 0.25 on" in shown
    assert json.loads(nncli("show", copy, "--json").check().out)["decision"]["threshold"] == 0.25
    folder = nncli("predict", copy, "new.csv", "-o", "answers/", "--workers", "1").check()
    assert note in folder.err


def test_with_costs_every_command_begins_with_the_cost_of_a_row(nncli: Cli, copy: Path) -> None:
    Path("labeled.csv").write_text("x,bought\n1,no\n16,yes\n2,no\n")
    nncli("threshold", copy, "--cost", "fp=1,fn=4", "--save").check()
    evaluated = nncli("evaluate", copy, "labeled.csv").check().out.splitlines()
    assert [line.split()[0] for line in evaluated[2:5]] == ["cost_per_row", "cost_per_row", "accuracy"]
    assert "always" in evaluated[3]
    assert any(line.startswith("f1 of yes") for line in evaluated)
    shown = [line for line in nncli("show", copy).check().out.splitlines() if line.startswith(("cost", "accuracy"))]
    assert shown[0].startswith("cost_per_row")
    assert "cost_per_row" in nncli("runs", copy).check().out
    compared = nncli("compare", copy, shutil.copytree(copy, "again")).check().out
    assert compared.index("cost_per_row") < compared.index("accuracy")
    assert "precision of yes" in compared


def test_a_decision_can_be_removed(nncli: Cli, copy: Path) -> None:
    nncli("threshold", copy, "--f1", "--save").check()
    assert "note: the run has a saved decision" in nncli("threshold", copy).check().err
    assert "removed from run: 'yes' from" in nncli("threshold", copy, "--clear").check().err
    assert "no saved decision" in nncli("threshold", copy, "--clear").check().err
    nncli("threshold", copy, "--clear", "--f1").check(2)


@pytest.mark.parametrize("cost", ["fp=1", "fp=1,fn=x", "1,2", "fp=1,fp=2", "fp=1,fn=2,fn=3", "", "fp=1,tn=2"])
def test_costs_that_cannot_be_read_are_usage_errors(nncli: Cli, spare: Path, cost: str) -> None:
    assert "fp=1,fn=20" in nncli("threshold", spare, "--cost", cost).check(2).err


def test_a_cost_matrix_is_read_from_a_table(nncli: Cli, here: Path, penguins: Path) -> None:
    Path("costs.csv").write_text("actual,Adelie,Chinstrap,Gentoo\nAdelie,0,1,9\nChinstrap,1,0,9\nGentoo,1,1,0\n")
    done = nncli("threshold", penguins, "--costs", "costs.csv").check()
    assert "--costs costs.csv --save" in done.err
    assert "cost per row" in done.out
    assert "Chinstrap" in done.out
    nncli("threshold", penguins, "--costs", "costs.csv", "--positive", "Gentoo").check(2)
    nncli("threshold", penguins, "--costs", "missing.csv").check(4)
    nncli("threshold", penguins, "--costs", DATA / "penguins.csv").check(4)
