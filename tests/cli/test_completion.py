"""What the shell offers after Tab, through the protocols by which the shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nncli.base import plugins
from nncli.cli.completion import (
    MAX_FOLDERS,
    complete_config,
    complete_key,
    complete_metric,
    complete_run,
    complete_search,
    complete_tracker,
    join_words,
)
from tests.cli.support import ROOT, Cli


@pytest.fixture
def folder(here: Path) -> Path:
    for run in ("runs/one", "runs/one/members/0", "runs/group/two", "other/three", "four"):
        (here / run).mkdir(parents=True)
        (here / run / "manifest.json").touch()
    for name in ("c.yaml", "runs/one/config.yaml", "configs/a.yaml", "configs/b.yml", "configs/deep/d.yaml", "t.csv"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    (here / ".hidden" / "five").mkdir(parents=True)
    (here / ".hidden" / "five" / "manifest.json").touch()
    return here


@pytest.mark.parametrize(
    ("typed", "runs"),
    [
        ("", ["runs/one", "runs/group/two", "four"]),
        ("r", ["runs/one", "runs/group/two"]),
        ("runs/", ["runs/one", "runs/group/two"]),
        ("runs/o", ["runs/one"]),
        ("runs/g", ["runs/group/two"]),
        ("runs/one/", ["runs/one/members/0"]),
        ("other/", ["other/three"]),
        ("./runs/o", ["./runs/one"]),
        ("t", []),
        ("none/", []),
        ("t.csv/", []),
    ],
)
def test_run_directories_are_found(folder: Path, typed: str, runs: list[str]) -> None:
    assert complete_run(typed) == runs


def test_an_absolute_path_stays_one(folder: Path) -> None:
    assert complete_run(f"{folder}/runs/o") == [f"{folder}/runs/one"]


@pytest.mark.parametrize(
    ("typed", "files"),
    [
        ("", ["c.yaml", "configs/a.yaml", "configs/b.yml", "configs/deep/d.yaml", "runs/one/config.yaml"]),
        ("c", ["c.yaml", "configs/a.yaml", "configs/b.yml", "configs/deep/d.yaml"]),
        ("configs/", ["configs/a.yaml", "configs/b.yml", "configs/deep/d.yaml"]),
        ("configs/a", ["configs/a.yaml"]),
        ("t", []),
    ],
)
def test_configurations_are_found(folder: Path, typed: str, files: list[str]) -> None:
    assert complete_config(typed) == files


def test_searches_are_found_and_the_trials_within_them_are_runs(folder: Path) -> None:
    for record in ("runs/c-tune/tune.json", "runs/c-tune/trials/0001/cross-validation.json"):
        (folder / record).parent.mkdir(parents=True, exist_ok=True)
        (folder / record).touch()
    assert complete_search("") == ["runs/c-tune"]
    assert complete_search("runs/o") == []
    assert "runs/c-tune/trials/0001" in complete_run("runs/c-tune/")


def test_keys_of_a_search_space_are_completed_and_their_ranges_are_not() -> None:
    assert complete_key("learning_ra")[0] == "learning_rate="
    assert len(complete_key("learning_ra")) == len(set(complete_key("learning_ra")))
    assert complete_key("learning_rate=") == []


def test_metrics_are_completed() -> None:
    assert complete_metric("log_l") == ["log_loss"]
    assert len(complete_metric("")) > 10


def test_a_folder_of_thousands_is_not_searched_to_its_end(here: Path) -> None:
    for number in range(MAX_FOLDERS + 50):
        (here / "runs" / f"{number:04}").mkdir(parents=True)
        (here / "runs" / f"{number:04}" / "manifest.json").touch()
    assert len(complete_run("runs/")) == MAX_FOLDERS


@pytest.mark.parametrize(
    ("words", "current", "joined", "before"),
    [
        ("nncli train --set optimizer = ad", 5, "nncli train --set ad", "optimizer="),
        ("nncli train --set optimizer =", 4, "nncli train --set ", "optimizer="),
        ("nncli train --set opt", 3, "nncli train --set opt", ""),
        ("nncli train --set epochs = 3 --set se", 7, "nncli train --set epochs=3 --set se", ""),
        ("nncli train --set epochs = -o r", 6, "nncli train --set epochs= -o r", ""),
        ("nncli train --set l2 = -1", 5, "nncli train --set -1", "l2="),
        ("nncli train --set = optimizer = ad", 6, "nncli train --set ad", "optimizer="),
        ("nncli train a b", 1, "nncli train", ""),
        ("nncli ", 1, "nncli ", ""),
        ("nncli train 'a b", 2, None, None),
    ],
)
def test_what_bash_takes_apart_is_put_together(words: str, current: int, joined: str | None, before: str) -> None:
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(current)}
    join_words(environment)
    if joined is None:
        assert environment == {"COMP_WORDS": words, "COMP_CWORD": str(current)}
    else:
        assert (environment["COMP_WORDS"], environment["_NNCLI_BEFORE"]) == (joined, before)
        assert int(environment["COMP_CWORD"]) == len(joined.split(" ")) - 1


def offered(nncli: Cli, monkeypatch: pytest.MonkeyPatch, words: str, shell: str = "bash") -> list[str]:
    with monkeypatch.context() as patch:
        patch.setenv("_NNCLI_COMPLETE", f"complete_{shell}")
        patch.setenv("_TYPER_COMPLETE_ARGS", words)
        patch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
        apart = words.replace("=", " = ")  # as bash hands it over
        patch.setenv("COMP_WORDS", apart)
        patch.setenv("COMP_CWORD", str(len(apart.split(" ")) - 1))
        patch.setenv("_NNCLI_BEFORE", "")
        return nncli().check().out.split()


def test_every_command_completes_its_runs_configurations_and_assignments(
    nncli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in ("predict", "evaluate", "explain", "report", "train --resume"):
        assert offered(nncli, monkeypatch, f"nncli {command} runs/o") == ["runs/one"]
    for command in ("train", "cross-validate", "tune", "config show", "check"):
        assert offered(nncli, monkeypatch, f"nncli {command} configs/a") == ["configs/a.yaml"]
        assert offered(nncli, monkeypatch, f"nncli {command} c.yaml --set optimizer=li") == ["lion"]
        assert offered(nncli, monkeypatch, f"nncli {command} c.yaml --set epochs=3 --set preci")[0] == "precision="


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_the_whole_word(
    nncli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    assert "optimizer=lion" in " ".join(offered(nncli, monkeypatch, "nncli train --set optimizer=li", shell))
    assert "runs/one" in " ".join(offered(nncli, monkeypatch, "nncli predict runs/o", shell))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_a_real_bash_completes(folder: Path) -> None:
    script = """
    source <(_NNCLI_COMPLETE=source_bash nncli)
    COMP_WORDS=(nncli train --set optimizer = li); COMP_CWORD=5; _nncli_completion nncli; echo "${COMPREPLY[*]}"
    COMP_WORDS=(nncli predict ru); COMP_CWORD=2; _nncli_completion nncli; echo "${COMPREPLY[*]}"
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", script], env=env, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lion", "runs/one", "runs/group/two"]


def test_completing_imports_neither_numpy_nor_polars(folder: Path) -> None:
    program = """
import os, sys
os.environ |= {"_NNCLI_COMPLETE": "complete_bash", "COMP_WORDS": "nncli train --set opt", "COMP_CWORD": "3"}
sys.argv = ["nncli"]
from nncli.cli.app import main
try: main()
except SystemExit: pass
print("loaded:", *sorted({"numpy", "polars", "yaml", "rich", "nncli.config.schema"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "loaded:"


def test_the_kinds_of_trackers_are_completed() -> None:
    assert complete_tracker("t") == ["tensorboard"]
    assert {*complete_tracker("")} == {*plugins.names("trackers")} == {"mlflow", "tensorboard"}
