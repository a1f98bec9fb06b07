"""The options of the command line, from the classes of the options."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

import pytest
import typer
from typer.testing import CliRunner

from nncli.api.options import OutputColumns, PredictToFileOptions, TuneOptions
from nncli.base.errors import UsageError
from nncli.base.option import INPUT, Option, Options, declared_options
from nncli.cli.parameters import level_of, with_options
from nncli.config.schema.tune import SamplerName
from tests.cli.support import Cli


@dataclass(frozen=True, kw_only=True)
class Several(Options):
    """Options of every type."""

    names: Annotated[Sequence[str], Option("Texts.", INPUT, name="name")] = ()
    kind: Annotated[Literal["one", "two"], Option("A choice.", INPUT)] = "one"
    count: Annotated[int | Literal["auto"], Option("A number.", INPUT, metavar="N", minimum=1)] = "auto"
    prune: Annotated[bool | None, Option("Do not.", INPUT, name="no_prune", is_negated=True)] = None
    deep: Annotated[bool, Option("A flag.", INPUT, short="-d")] = False


def parsed(*words: str) -> Several:
    """The options that a command gets from words of the command line."""
    actual: list[Several] = []

    def command(*, options: Several) -> None:
        actual.append(options)

    command.__annotations__ = {"options": Several, "return": None}
    app = typer.Typer()
    app.command()(with_options(command))
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return actual[0]


def test_words_become_options_and_others_keep_their_defaults() -> None:
    assert parsed() == Several()
    assert parsed("--name", "a", "--name", "b", "--kind", "two", "--count", "3", "--no-prune", "-d") == Several(
        names=["a", "b"], kind="two", count=3, prune=False, deep=True
    )


def test_every_option_of_predict_is_worded_once() -> None:
    flags = [
        declared_option.flag
        for declared_option in declared_options(PredictToFileOptions)
        if declared_option.option.panel
    ]
    assert len(set(flags)) == len(flags)
    assert {"--interval", "--prediction-set", "--per-class", "--scheduler"} <= {*flags}


def test_the_command_offers_the_samplers_of_the_schema() -> None:
    (sampler,) = (
        declared_option for declared_option in declared_options(TuneOptions) if declared_option.field == "sampler"
    )
    assert sampler.choices == get_args(SamplerName)


def test_levels_are_read_as_numbers() -> None:
    assert [level_of("--interval", text) for text in ("0.9", " 5e-1 ")] == [0.9, 0.5]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("90%", "--prediction-set 0.9"),
        ("97.5 %", "--prediction-set 0.975"),
        ("0,9", "--prediction-set 0.9"),
        ("abc", "--prediction-set 0.9"),
        ("900%", "--prediction-set 0.9"),
        ("", "--prediction-set 0.9"),
    ],
)
def test_a_level_that_is_no_number_is_refused_with_what_to_write(text: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        level_of("--prediction-set", text)
    assert caught.value.hint is not None
    assert f"{advice}." in caught.value.hint


def test_a_hint_names_options_of_the_command_alone(nncli: Cli, here: Path, penguins: Path) -> None:
    with sqlite3.connect("two.db") as database:
        database.executescript("create table a (x); create table b (x)")
    shown = nncli("evaluate", penguins, "sqlite:///two.db").check(2).err
    assert "Name one with --table or write a --query. The tables are 'a' and 'b'." in shown
    costs = nncli("threshold", penguins, "--costs", "sqlite:///two.db").check(2).err
    assert "The tables are 'a' and 'b'." in costs
    assert "--table" not in costs


def test_lists_that_are_given_again_are_joined() -> None:
    actual: list[OutputColumns] = []

    def command(*, options: OutputColumns) -> None:
        actual.append(options)

    command.__annotations__ = {"options": OutputColumns, "return": None}
    app = typer.Typer()
    app.command()(with_options(command))
    for words in ([], ["--at", "30,90", "--at", "365"]):
        assert CliRunner().invoke(app, words).exit_code == 0
    assert [options.times for options in actual] == [(), (30.0, 90.0, 365.0)]
