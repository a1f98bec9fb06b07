"""The packages of examples/plugins, installed into a folder, and what commands say with and without them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = {"nncli-focal": "focal", "nncli-ipv4": "ipv4", "nncli-missed-cost": "missed_cost"}


class Environment:
    """Commands with the packages that are in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.variables = folder, {**os.environ, "PYTHONPATH": os.fspath(folder / "site")}

    def __call__(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "nncli", *words],
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            check=False,
        )


def install(package: Path, target: Path) -> None:
    words = ["install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(package)], check=True)


@pytest.fixture(scope="module")
def nncli(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("plugins")
    shutil.copytree(ROOT / "examples" / "plugins", folder / "packages")
    for package in PLUGINS:
        install(folder / "packages" / package, folder / "site")
    shutil.copytree(ROOT / "data", folder / "data")
    return Environment(folder)


def test_they_are_listed_with_package_and_version(nncli: Environment) -> None:
    listed = json.loads(nncli("plugins", "--json").stdout)["plugins"]

    ours = {item["package"]: (item["name"], item["version"], item["state"]) for item in listed}
    assert ours.items() >= {package: (name, "1.0.0", "ready") for package, name in PLUGINS.items()}.items()
    off = json.loads(nncli("plugins", "--json", NNCLI_PLUGINS="nncli-ipv4").stdout)["plugins"]
    states = {item["name"]: item["state"] for item in off}
    assert (states["focal"], states["ipv4"], states["tensorboard"]) == ("off", "ready", "ready")


@pytest.mark.parametrize("name", PLUGINS.values())
def test_they_pass_the_check(nncli: Environment, name: str) -> None:
    done = nncli("plugins", "check", name, "--json")

    assert done.returncode == 0, done.stdout + done.stderr
    (checked,) = json.loads(done.stdout)["checks"]
    assert (checked["name"], checked["passed"]) == (name, True)


def test_a_run_records_them_and_says_what_is_missing_without_them(nncli: Environment) -> None:
    words = ("train", "data/penguins.csv", "--target", "species", "--set", "preset=textbook", "--set", "epochs=2")
    both = ("--set", "loss={type: focal, gamma: 3}", "--set", "metric=missed_cost", "--set", "layers=[4]")
    trained = nncli(*words, *both, "-o", "run")
    assert trained.returncode == 0, trained.stderr
    recorded = json.loads((nncli.folder / "run" / "manifest.json").read_text())["plugins"]
    assert {(item["kind"], item["name"], item["package"], item["version"]) for item in recorded} == {
        ("losses", "focal", "nncli-focal", "1.0.0"),
        ("metrics", "missed_cost", "nncli-missed-cost", "1.0.0"),
    }

    there = nncli("evaluate", "run", "data/penguins.csv", "--json")
    assert "missed_cost" in json.loads(there.stdout)["metrics"]
    absent = nncli("predict", "run", "data/penguins.csv", NNCLI_PLUGINS="")
    assert absent.returncode == 5
    assert "pip install nncli-focal==1.0.0" in absent.stderr


def test_members_in_other_processes_have_them(nncli: Environment) -> None:
    words = ("train", "data/penguins.csv", "--target", "species", "--set", "preset=textbook", "--set", "epochs=2")
    trained = nncli(*words, "--set", "loss=focal", "--set", "members=2", "--set", "workers=2", "-o", "members")

    assert trained.returncode == 0, trained.stderr
    exported = nncli("export", "members", "-o", "members.py")
    assert exported.returncode == 0, exported.stderr


def test_a_column_kind_is_used_where_it_is_named(nncli: Environment) -> None:
    rows = [f"10.{i % 2}.{i % 7}.{i % 250},{'yes' if i % 2 else 'no'}" for i in range(200)]
    (nncli.folder / "clients.csv").write_text("\n".join(["client,inside", *rows, ""]))
    words = ("train", "clients.csv", "--target", "inside", "--set", "preset=textbook", "--set", "epochs=60")

    trained = nncli(*words, "--set", "data.columns.client=ipv4", "--set", "layers=[16]", "-o", "clients")

    assert trained.returncode == 0, trained.stderr
    scores = json.loads(nncli("evaluate", "clients", "clients.csv", "--json").stdout)["metrics"]
    assert scores["accuracy"] > 0.95
    assert nncli("explain", "clients", "clients.csv").returncode == 0


def test_a_package_written_by_new_is_installed_and_passes(nncli: Environment) -> None:
    assert nncli("plugins", "new", "activation", "softsign_two", "-o", "new").returncode == 0
    install(nncli.folder / "new", nncli.folder / "site")

    assert nncli("plugins", "check", "softsign_two").returncode == 0
    again = nncli("plugins", "new", "activation", "softsign_two", "-o", "another")
    assert again.returncode == 2
