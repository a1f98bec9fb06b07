"""`nncli export` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.support import DATA, Cli
from tests.exporters.referee import referee


def test_the_path_is_all_that_stdout_holds(
    nncli: Cli, penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch):
        done = nncli("export", penguins, "--to", "referee").check()
    assert done.out == f"{penguins.name}.ref\n"
    assert "checked in the interpreter with" in done.err


def test_the_json_has_the_comparison(nncli: Cli, penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch):
        done = nncli("export", penguins, "-o", "p.ref", "--json", "--quiet").check()
    result = json.loads(done.out)
    assert (result["file"], result["target"], result["unchecked"], done.err) == ("p.ref", "referee", None, "")
    assert (result["check"]["match"], result["check"]["largest_ulp"]) == (True, 0)


def test_answers_that_differ_end_with_an_error_that_names_rows(
    nncli: Cli, penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch, fault="number"):
        done = nncli("export", penguins, "-o", "p.ref", "--check", DATA / "penguins.csv", "--quiet").check(1)
    assert done.out == ""
    assert "row 3" in done.err
    assert "p.ref" in done.err
    with referee(monkeypatch, fault="class"):
        done = nncli("export", penguins, "-o", "p.ref", "--check", DATA / "penguins.csv").check(1)
    assert "the class differs in 1 row: row 4" in done.err


def test_an_unchecked_file_is_a_note(nncli: Cli, penguins: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with referee(monkeypatch, missing="apt-get install referee"):
        done = nncli("export", penguins, "-o", "p.ref").check()
        assert "note: the file was not checked: the interpreter cannot be used: apt-get install referee" in done.err
        done = nncli("export", penguins, "-o", "q.ref", "--check", DATA / "penguins.csv").check(1)
        assert "Apt-get install referee." in done.err
        assert not Path("q.ref").exists()
        done = nncli("export", penguins, "-o", "p.ref", "--no-check", "--force").check()
        assert "the file was not checked: --no-check" in done.err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--to", "cobol"),
        ("--to", "referee", "--check", "t.csv", "--no-check"),
        ("--to", "referee", "--interval", "90%"),
        ("--to", "referee", "--interval", "0.9"),
        ("--to", "referee", "--labels", "--proba"),
    ],
)
def test_wrong_usage_is_refused_with_a_hint(
    nncli: Cli, penguins: Path, here: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with referee(monkeypatch):
        done = nncli("export", penguins, *words).check(2)
    assert done.out == ""
    assert len(done.err.splitlines()) == 2
    assert list(here.iterdir()) == []
