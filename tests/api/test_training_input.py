"""What a training begins with: a configuration, or a table and a target."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from nncli import cross_validate, train, tune
from nncli.api.options import TrainingInputOptions
from nncli.api.training_input import Drafted, config_for, resolve_input
from nncli.base.errors import UsageError
from nncli.config.schema import Config
from nncli.data.encoders.column_types import ColumnType
from tests.cli.support import Cli


@pytest.fixture
def table(here: Path) -> str:
    (here / "t.csv").write_text("rowid,x,y\n" + "".join(f"{i},{i * 37 % 11},{i % 11 + 0.5}\n" for i in range(40)))
    return "t.csv"


def test_a_configuration_keeps_its_assignments() -> None:
    options = TrainingInputOptions(set=["seed=3"], quality="fast")
    resolved = resolve_input("c.yaml", options)
    assert (resolved.config, resolved.assignments) == ("c.yaml", ["seed=3", "quality=fast"])
    assert options.arguments("c.yaml") == ("c.yaml", "--quality", "fast", "--set", "seed=3")


def test_a_table_gets_a_drafted_configuration(table: str) -> None:
    drafts: list[Drafted] = []
    resolved = resolve_input(table, TrainingInputOptions(target="y", set=["seed=3"], on_draft=drafts.append))
    assert isinstance(resolved.config, Config)
    assert (resolved.config.seed, resolved.config.data.drop, resolved.assignments) == (3, ("rowid",), ())
    assert drafts[0].arguments == ("t.csv", "--target", "y", "--set", "seed=3")


def test_what_is_set_is_merged_with_what_the_table_shows(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        (i, i * 37 % 11, i % 7, "?" if i == 5 else i * 1.5, "12 %" if i == 6 else i % 30, i % 11 + 0.5)
        for i in range(40)
    ]
    lines = ["rowid,x,other,marked,doubtful,y", *(",".join(map(str, row)) for row in rows)]
    (here / "t.csv").write_text("\n".join(lines))
    assignments = ["data.drop=[other]", "data.missing_values=[k.A.]", "data.columns={x: categorical}", "epochs=7"]
    monkeypatch.setenv("NNCLI_DATA__DROP", "[x]")  # what is set has precedence
    config, drafted = config_for("t.csv", "y", assignments)
    assert config.epochs == 7
    assert config.data.drop == ("other", "rowid")
    assert config.data.missing_values == ("", "NA", "k.A.", "?")
    assert config.data.columns == {"x": ColumnType.CATEGORICAL, "doubtful": ColumnType.CATEGORICAL}
    assert "dropped 'rowid'" in " ".join(finding.message for finding in drafted.decisions)


def test_a_configuration_takes_no_target() -> None:
    with pytest.raises(UsageError):
        resolve_input("c.yaml", TrainingInputOptions(target=["y"]))


def test_the_table_of_a_database_is_in_the_configuration_and_in_the_commands(here: Path) -> None:
    with closing(sqlite3.connect("t.db")) as connection:
        connection.execute("CREATE TABLE sales (rowid_ INT, x REAL, y REAL)")
        rows = [(i, i * 37 % 11, i % 11 + 0.5) for i in range(40)]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
        connection.commit()
    drafts: list[Drafted] = []
    options = TrainingInputOptions(target=["y"], table="sales", on_draft=drafts.append)
    resolved = resolve_input("sqlite:///t.db", options)
    assert isinstance(resolved.config, Config)
    assert resolved.config.data.table == "sales"
    assert drafts[0].arguments == ("sqlite:///t.db", "--table", "sales", "--target", "y")


@pytest.mark.slow
def test_a_table_is_trained_from_python_as_on_the_command_line(table: str, nncli: Cli) -> None:
    options = ("--target", "y", "--quality", "fast", "--set", "epochs=2", "--set", "members=1")
    nncli("train", table, *options, "-o", "command").check()
    finished = train(table, target="y", quality="fast", set=["epochs=2", "members=1"], output="python")
    weights = [(Path(run) / "model.safetensors").read_bytes() for run in ("command", finished.run)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("function", [train, cross_validate, tune])
def test_there_is_a_configuration_or_something_to_resume(function: Callable[..., object]) -> None:
    with pytest.raises(UsageError, match="needs a CONFIG, or resume"):
        function()
    with pytest.raises(UsageError, match="uses the configuration"):
        function("c.yaml", resume="runs/c")
    with pytest.raises(UsageError, match="keeps the settings") as caught:
        function(resume="runs/c", quality="fast")
    assert caught.value.hint == "Remove --quality."
