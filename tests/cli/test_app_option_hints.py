"""An unknown option that is a key of the configuration is answered with the --set that works."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from nncli.config.schema import Config
from tests.cli.support import DATA, Cli

COMMANDS = ("train", "cross-validate", "check", "config show")
CASES = {
    "--epochs 5": "epochs=5",
    "--epochs=5": "epochs=5",
    "--epochs": "epochs=VALUE",
    "--batch-size 64": "batch_size=64",
    "--learning-rate 0.1": "learning_rate=0.1",
    "--optimizer.type adam": "optimizer.type=adam",
    "--layers '[64, 32]'": "layers=[64, 32]",
    "--group id": "data.group=id",
    "--optimiser adam": "optimizer=adam",
    "--learning-rate -1": "learning_rate=-1",
    "--test-size 0.2": "validation=0.2",
    "--lr 0.1": "learning_rate=0.1",
    "--n-estimators 4": "members=4",
    "--na-values tbd": "data.missing_values=tbd",
}


@pytest.fixture
def config(here: Path) -> Path:
    path = here / "c.yaml"
    path.write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 1\n")
    return path


def suggested(nncli: Cli, monkeypatch: pytest.MonkeyPatch, *words: object) -> str | None:
    """The assignment that the hint of a usage error suggests."""
    monkeypatch.setattr(sys, "argv", ["nncli", *map(str, words)])
    err = nncli(*words).check(2).err
    result = re.search(r"Did you mean --set (.*)\?", err)
    return shlex.split(result[1])[0] if result else None


@pytest.mark.parametrize(("option", "assignment"), CASES.items(), ids=CASES)
def test_a_key_given_as_an_option_is_suggested_with_its_value(
    nncli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch, option: str, assignment: str
) -> None:
    assert suggested(nncli, monkeypatch, "train", config, *shlex.split(option)) == assignment


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_with_set_suggests_it(
    nncli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert suggested(nncli, monkeypatch, *command.split(), config, "--epochs", 3) == "epochs=3"


def test_the_suggestion_works(nncli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assignment = suggested(nncli, monkeypatch, "train", config, "--epochs", 2)
    run = nncli("train", config, "-q", "--set", assignment).check().path
    assert "\nepochs: 2\n" in (run / "config.yaml").read_text()


@pytest.mark.parametrize(
    "words", [("train", "c.yaml", "--quite"), ("predict", "run", "--epochs", "5"), ("runs", "--seed")]
)
def test_other_options_are_not_taken_for_keys(
    nncli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    assert suggested(nncli, monkeypatch, *words) is None


def test_every_key_is_suggested(nncli: Cli, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those that are options, and the argument."""
    for key in set(Config.model_fields) - {"quality", "output", "seed", "time_limit", "private", "data", "code"}:
        assert suggested(nncli, monkeypatch, "train", config, f"--{key.replace('_', '-')}", "x") == f"{key}=x"


OF_OTHER_TOOLS = [
    ("train t.csv --label churned", "Use --target."),
    ("train --data t.csv -t churned", "The table is an argument without an option: nncli train t.csv."),
    ("train t.csv -t churned --gpu", "nncli computes on the CPU; there is nothing to choose."),
    ("predict runs/x t.csv --threshold 0.3", "A threshold is saved in the run: nncli threshold RUN --at 0.3 --save."),
    ("train t.csv churned", "For the column to predict: --target churned."),
    (
        "train t.csv -t y --set layers=[64, 32]",
        "Write the value without spaces or in quotation marks: --set 'layers=[64, 32]'.",
    ),
    ("predict --data t.csv runs/x", "The table is an argument without an option: nncli predict RUN t.csv."),
    ("report runs/x y", None),
]


@pytest.mark.parametrize(("words", "hint"), OF_OTHER_TOOLS)
def test_options_and_arguments_of_other_tools_are_answered(
    nncli: Cli, monkeypatch: pytest.MonkeyPatch, words: str, hint: str | None
) -> None:
    monkeypatch.setattr(sys, "argv", ["nncli", *words.split()])
    line = nncli(*words.split()).check(2).err.splitlines()[1]
    assert line.startswith(f"  {hint} See `nncli " if hint else "  See `nncli ")
