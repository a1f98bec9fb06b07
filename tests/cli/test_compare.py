"""`nncli compare` at the keyboard."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import predict_held_out
from nncli.analysis.run_comparison import APART
from nncli.base.errors import NncliError
from nncli.cli.shared_arguments import requires_extra
from nncli.run_directory.manifest import MANIFEST
from tests.cli.support import DATA, Cli

SMALL = f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 1\nbatch_size: 16\nseed: 3\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/a and runs/b, of which b is better."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "c.yaml").write_text(SMALL)
    train(folder / "c.yaml", output=folder / "runs" / "a")
    train(folder / "c.yaml", output=folder / "runs" / "b", set=["learning_rate=0.05", "epochs=8"])
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to be in."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_settings_scores_and_the_test_are_on_stdout(nncli: Cli, folder: Path) -> None:
    shown = nncli("compare", "runs/a", "runs/b").check()
    settings, scores, finding = shown.out.split("\n\n")
    assert settings.splitlines()[0] == "settings that differ"
    assert settings.splitlines()[2].split() == ["learning_rate.peak", "0.001", "0.05"]
    assert next(line for line in scores.splitlines() if line.startswith("accuracy")).endswith("*")
    assert "chose its epoch" not in scores
    assert finding.startswith("b has a lower log loss than a by ")
    assert "significant (p < 0.001)" in finding
    assert shown.err.endswith("next: nncli compare runs/a runs/b --html comparison.html\n")


def test_rows_that_chose_the_epoch_are_named(nncli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "nncli.analysis.run_comparison.predict_held_out", lambda path: replace(predict_held_out(path), optimistic=True)
    )
    shown = nncli("compare", "runs/a", "runs/b").check()
    _, scores, finding = shown.out.split("\n\n")
    assert "*" not in next(line for line in scores.splitlines() if line.startswith("accuracy"))
    (chose,) = (line for line in scores.splitlines() if line.startswith("chose its epoch"))
    assert chose.split()[-2:] == ["no", "yes"]
    assert "these rows chose the epoch of b" in finding
    assert "--data" in shown.err


def test_values_that_are_cut_off_are_cut_where_they_differ(nncli: Cli, folder: Path) -> None:
    layers = "[{type: dense, units: 4, activation: tanh, init: {type: glorot}}, {type: dropout, rate: %s}, 5%s]"
    for name, words in (("c", layers % ("0.25", "")), ("d", layers % ("0.25", ", 7")), ("e", layers % ("0.5", ""))):
        train("c.yaml", output=Path("runs", name), set=[f"layers={words}"])
    (line,) = [
        line for line in nncli("compare", "runs/c", "runs/d").check().out.splitlines() if line.startswith("layers ")
    ]
    assert line.split()[-3:] == ["…0.25},", "5,", "7]"]
    (line,) = [
        line
        for line in nncli("compare", *(f"runs/{name}" for name in "acde")).check().out.splitlines()
        if line.startswith("layers ")
    ]
    cells = line.split("    ")
    assert len({cell.strip() for cell in cells}) == 5
    assert all(len(cell.strip()) <= 24 for cell in cells)


def test_a_folder_stands_for_its_runs_and_json_is_one_object(nncli: Cli, folder: Path) -> None:
    shown = nncli("compare", "runs", "--json", "-q").check()
    assert [run["name"] for run in json.loads(shown.out)["runs"]] == ["a", "b"]
    assert not shown.err


def test_the_page_is_written_and_never_over_another_file(nncli: Cli, folder: Path) -> None:
    shown = nncli("compare", "runs", "--html", "c.html").check()
    page = Path("c.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert shown.err.endswith("next: open c.html in a browser\n")
    assert "c.html" in nncli("compare", "runs", "--html", "c.html").check(2).err
    nncli("compare", "runs", "--html", "c.html", "--force").check()
    assert Path("c.html").read_text("utf-8") == page


def test_a_page_that_is_not_named_as_one_is_refused(nncli: Cli, folder: Path) -> None:
    assert "HTML" in nncli("compare", "runs", "--html", "c.pdf").check(2).err
    assert not Path("c.pdf").exists()


@pytest.mark.parametrize(("name", "kind"), [("jinja2", NncliError), ("nncli.typo", ModuleNotFoundError)])
def test_what_is_not_installed_is_named(name: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=name), requires_extra("report"):
        raise ModuleNotFoundError(f"No module named {name}", name=name)


def test_a_damaged_run_is_a_note(nncli: Cli, folder: Path) -> None:
    Path("runs", "a", MANIFEST).write_text("nonsense")
    shown = nncli("compare", "runs").check()
    assert "note: a: runs/a/manifest.json" in shown.err
    assert shown.out.startswith("settings: ")


@pytest.mark.parametrize(("words", "code"), [((), 2), (("runs/a",), 2), (("nothing", "runs/a"), 5)])
def test_what_cannot_be_compared_is_an_error(nncli: Cli, folder: Path, words: tuple[str, ...], code: int) -> None:
    assert nncli("compare", *words).check(code).err


def test_a_table_of_new_rows_is_an_option(nncli: Cli, folder: Path) -> None:
    table = pl.read_csv(DATA / "penguins.csv", null_values=["NA"]).with_columns(pl.col("body_mass_g") + 1)
    table.write_csv("new.csv", null_value="NA")
    shown = nncli("compare", "runs/a", "runs/b", "--data", "new.csv").check()
    _, scores, finding = shown.out.split("\n\n")
    assert "chose its epoch" not in scores
    assert next(line for line in scores.splitlines() if line.startswith("rows")).split()[-2:] == ["344", "344"]
    assert "on 344 shared rows" in " ".join(finding.split())
    assert "--data new.csv --html" in shown.err
    assert nncli("compare", "runs/a", "runs/b", "--data", "-").check(2).err


def test_rows_that_were_trained_on_are_named(nncli: Cli, folder: Path) -> None:
    shown = nncli("compare", "runs/a", "runs/b", "--data", DATA / "penguins.csv").check()
    assert next(line for line in shown.out.splitlines() if line.startswith("trained on")).split()[-2:] == ["yes", "yes"]
    assert "344 of 344 rows" in shown.err


def test_runs_of_different_tables_or_targets_are_one_sentence(nncli: Cli, folder: Path) -> None:
    train("c.yaml", output="runs/island", set=["data.target=island"])
    (folder / "t.csv").write_text("a,y\n" + "".join(f"{i % 7},{i / 9}\n" for i in range(60)))
    train("t.csv", target="y", output="runs/t", set=["preset=textbook", "layers=4", "epochs=1"])
    compared = nncli("compare", "runs/a", "runs/island", "runs/t").check()
    assert (compared.err, len(compared.out.splitlines())) == ("", 1)
    assert APART in compared.out
    some = nncli("compare", "runs/a", "runs/b", "runs/t").check()
    assert APART not in some.out + some.err
