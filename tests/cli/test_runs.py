"""`nncli runs` at the keyboard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nncli import train
from nncli.run_directory.manifest import MANIFEST
from tests.cli.support import DATA, Cli

SMALL = f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 1\nbatch_size: 64\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs/good, and runs/bad, whose manifest is damaged."""
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(SMALL)
    for name in ("good", "bad"):
        train("c.yaml", output=f"runs/{name}")
    Path("runs", "bad", MANIFEST).write_text("nonsense")
    return tmp_path


def test_runs_are_a_table_on_stdout_and_what_to_do_next_on_stderr(nncli: Cli, folder: Path) -> None:
    shown = nncli("runs").check()
    head, bad, good = shown.out.splitlines()
    assert head.split()[:6] == ["run", "status", "metric", "value", "training", "rows"]
    assert bad.split()[:2] == ["runs/bad", "damaged"]
    assert good.split()[:3] == ["runs/good", "done", "accuracy"]
    assert "note: runs/bad: manifest.json is damaged" in shown.err
    assert shown.err.endswith("next: nncli report runs/good\n")


def test_json_is_one_object_and_quiet_is_quiet(nncli: Cli, folder: Path) -> None:
    shown = nncli("runs", "--json", "-q").check()
    document = json.loads(shown.out)
    assert document["folder"] == "runs"
    assert [(run["path"], run["status"]) for run in document["runs"]] == [
        ("runs/bad", "damaged"),
        ("runs/good", "done"),
    ]
    assert not shown.err


def test_no_run_and_no_folder_are_met_with_what_to_do(nncli: Cli, folder: Path) -> None:
    Path("empty").mkdir()
    shown = nncli("runs", "empty").check()
    assert not shown.out
    assert "next: nncli train" in shown.err
    assert "nncli train" in nncli("runs", "nowhere").check(5).err


def test_a_hostile_name_does_not_reach_the_terminal(nncli: Cli, folder: Path) -> None:
    Path("runs", "good").rename(Path("runs", "\x1b[31mred\nline"))
    shown = nncli("runs").check()
    assert "\x1b" not in shown.out + shown.err
    assert len(shown.out.splitlines()) == 3


@pytest.mark.parametrize("columns", [80, 60, 40])
def test_a_run_is_one_line(nncli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    Path("runs", "good").rename(Path("runs", "a-good-run-with-a-long-name-2026"))
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = nncli("runs").check().out.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line.split()[0].startswith("runs/") for line in lines[-2:]] == [True, True]
    assert "damaged" in lines[-2]
    assert "done" in lines[-1]
