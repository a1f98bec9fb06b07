"""`nncli report` on the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.support import Cli


def test_the_path_is_all_that_stdout_holds(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    done = nncli("report", penguins, "-o", tmp_path / "r.html").check()
    assert done.out == f"{tmp_path / 'r.html'}\n"
    assert done.err.startswith("next: ")
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (tmp_path / "r.md").exists()


def test_a_file_in_the_way_is_an_error_unless_forced(nncli: Cli, penguins: Path, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    assert "exists already" in nncli("report", penguins, "-o", tmp_path / "r.html").check(2).err
    assert nncli("report", penguins, "-o", tmp_path / "r.html", "--force", "-q").check().err == ""


def test_no_run_is_an_error(nncli: Cli, here: Path) -> None:
    assert "no such run directory" in nncli("report", "nowhere").check(5).err


def test_what_is_not_installed_is_named(
    nncli: Cli, penguins: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith("nncli.reporting")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = nncli("report", penguins, "-o", tmp_path / "r.html").check(1)
    assert "pip install 'nncli-train[report]'" in done.err
