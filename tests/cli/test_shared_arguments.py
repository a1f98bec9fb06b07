"""The options that commands share."""

from __future__ import annotations

from pathlib import Path

import typer

from nncli.cli.app import app
from tests.cli.support import DATA, Cli

TALKING = ["train", "predict", "evaluate", "cross-validate"]


def test_every_command_can_do_without_colors_and_those_that_talk_be_quiet_or_verbose() -> None:
    click = typer.main.get_command(app)
    for name, command in click.commands.items():  # type: ignore[attr-defined]
        for item in getattr(command, "commands", {name: command}).values():
            options = {option for parameter in item.params for option in parameter.opts}
            assert "--no-color" in options, name
            assert ("--quiet" in options) == ("--verbose" in options), name
            assert "--quiet" in options or name not in TALKING


def test_verbose_tells_the_stages_and_only_when_it_is_asked_for(nncli: Cli, penguins: Path, here: Path) -> None:
    table = DATA / "penguins.csv"
    told = nncli("evaluate", penguins, table, "-v").check().err
    for stage in ("loading ", "reading ", "predicting: ", "scoring: "):
        assert f"\n{stage}" in f"\n{told}"
    assert "344 rows, 8 columns" in told
    assert "reading, predicting and writing: " in nncli("predict", penguins, table, "-v", "-o", "o.csv").check().err
    assert "scoring" not in nncli("evaluate", penguins, table).check().err


def test_verbose_of_a_training_tells_how_it_is_computed(nncli: Cli, here: Path) -> None:
    Path("c.yaml").write_text(f"data: {{path: {DATA}/linear.csv, target: y}}\nlayers: [4]\nepochs: 2\n")
    told = nncli("train", "c.yaml", "-q", "-v").check().err
    assert [line.split(":")[0].split(" ")[0] for line in told.splitlines() if not line.startswith("warning")] == [
        *(
            "reading",
            "splitting",
            "checking",
            "fitting",
            "encoding",
            "recording",
            "profiling",
            "computing",
            "training",
            "scoring",
        )
    ]
    assert "backend numpy, threads 1" in told
    assert "2 epochs" in told


def test_every_command_shows_examples_and_words_for_each_of_its_options() -> None:
    click = typer.main.get_command(app)
    for name, command in click.commands.items():  # type: ignore[attr-defined]
        for key, item in getattr(command, "commands", {name: command}).items():
            _, block, examples = item.help.partition("\b\n")
            assert block, name
            assert all(any(word in line for word in ("nncli", "$schema", "curl")) for line in examples.splitlines()), (
                name
            )
            assert f"{name} " in examples or f"{name} {key}" in examples
            assert all(parameter.help for parameter in item.params), name
