"""Arguments in another order are answered by the command that was meant, which works."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from nncli import train
from tests.cli.support import Cli


@pytest.fixture
def files(here: Path) -> Path:
    (here / "t.csv").write_text("a,y\n" + "".join(f"{i % 7},{i / 9}\n" for i in range(60)))
    (here / "c.yaml").write_text("data: {path: t.csv, target: y}\nlayers: [4]\nepochs: 1\n")
    train("c.yaml", output="run")
    return here


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("predict t.csv run", "predict run t.csv"),
        ("predict t.csv run -o p.csv", "predict run t.csv -o p.csv"),
        ("evaluate t.csv run --json", "evaluate run t.csv --json"),
        ("drift --limit 0.2 t.csv run", "drift run --limit 0.2 t.csv"),
        ("train t.csv c.yaml", "train c.yaml --set data.path=t.csv"),
        ("check c.yaml t.csv", "check c.yaml --set data.path=t.csv"),
        ("train run", "train --resume run"),
    ],
)
def test_the_command_that_was_meant_is_named_and_works(
    nncli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch, words: str, meant: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["nncli", *shlex.split(words)])
    refused = nncli(*shlex.split(words))
    assert refused.code in (2, 3, 5)
    assert refused.err.splitlines()[-1] == f"  Write nncli {meant}"
    nncli(*shlex.split(meant)).check()


@pytest.mark.parametrize(
    "words", ["predict t.csv", "predict run gone.csv", "train gone.yaml", "check t.csv t.csv", "export m.py run"]
)
def test_other_mistakes_keep_their_hints(nncli: Cli, files: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["nncli", *shlex.split(words)])
    assert "Write nncli" not in nncli(*shlex.split(words)).err
