"""The CONFIG argument of training commands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from nncli.base.errors import UsageError
from nncli.cli.options import TrainingInputOptions
from nncli.cli.train import resolve_input
from nncli.config.schema import Config


@pytest.fixture
def table(here: Path) -> str:
    (here / "t.csv").write_text("rowid,x,y\n" + "".join(f"{i},{i * 37 % 11},{i % 11 + 0.5}\n" for i in range(40)))
    return "t.csv"


def test_a_configuration_keeps_its_assignments() -> None:
    resolved = resolve_input("c.yaml", TrainingInputOptions(assignments=["seed=3"], quality="fast"), quiet=True)
    assert (resolved.config, resolved.assignments) == ("c.yaml", ["seed=3", "quality=fast"])
    assert resolved.arguments == ("c.yaml", "--quality", "fast", "--set", "seed=3")


def test_a_table_gets_a_drafted_configuration(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    resolved = resolve_input(table, TrainingInputOptions(target=["y"], assignments=["seed=3"]), quiet=False)
    assert isinstance(resolved.config, Config)
    assert (resolved.config.seed, resolved.config.data.drop, resolved.assignments) == (3, ("rowid",), [])
    assert resolved.arguments == ("t.csv", "--target", "y", "--set", "seed=3")
    assert "nncli init t.csv --target y --set seed=3 -o config.yaml" in capsys.readouterr().err


def test_a_configuration_takes_no_target() -> None:
    with pytest.raises(UsageError):
        resolve_input("c.yaml", TrainingInputOptions(target=["y"]), quiet=True)


def test_the_table_of_a_database_is_in_the_configuration_and_in_the_commands(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect("t.db")) as connection:
        connection.execute("CREATE TABLE sales (rowid_ INT, x REAL, y REAL)")
        rows = [(i, i * 37 % 11, i % 11 + 0.5) for i in range(40)]
        connection.executemany("INSERT INTO sales VALUES (?, ?, ?)", rows)
        connection.commit()
    resolved = resolve_input("sqlite:///t.db", TrainingInputOptions(target=["y"], table="sales"), quiet=False)
    assert isinstance(resolved.config, Config)
    assert resolved.config.data.table == "sales"
    assert resolved.arguments == ("sqlite:///t.db", "--table", "sales", "--target", "y")
    assert "nncli init sqlite:///t.db --table sales --target y -o config.yaml" in capsys.readouterr().err
