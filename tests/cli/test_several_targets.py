"""Commands that are about each of several targets, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nncli.cli.serve import runs_and_names
from tests.api.test_several_targets import TARGETS, table_of, train_on
from tests.cli.support import Cli


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one network of three targets; not to be changed but for reports."""
    return train_on(tmp_path_factory.mktemp("several"))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    table_of().write_csv(tmp_path / "new.csv")
    return tmp_path / "new.csv"


@pytest.mark.parametrize("command", ["evaluate", "explain", "drift"])
def test_the_result_of_each_target_has_its_name(nncli: Cli, run: Path, table: Path, command: str) -> None:
    text = nncli(command, run, table, "-q").check().out
    assert [line for line in text.splitlines() if line in TARGETS] == TARGETS
    document = json.loads(nncli(command, run, table, "-q", "--json").check().out)
    assert list(document["targets"]) == TARGETS


def test_evaluate_gives_intervals_of_numbers_and_sets_of_classes(nncli: Cli, run: Path, table: Path) -> None:
    levels = ["--interval", "0.8", "--prediction-set", "0.8"]
    targets = json.loads(nncli("evaluate", run, table, *levels, "--json", "-q").check().out)["targets"]
    assert {name: sorted({"intervals", "sets"} & {*document}) for name, document in targets.items()} == {
        "price": ["intervals"],
        "sold": ["sets"],
        "color": ["sets"],
    }


def test_runs_are_compared_target_by_target(nncli: Cli, run: Path, table: Path, tmp_path: Path) -> None:
    other = train_on(tmp_path, "seed=1", name="other")
    document = json.loads(nncli("compare", run, other, "--data", table, "--json", "-q").check().out)
    assert list(document["targets"]) == TARGETS
    assert len(document["targets"]["price"]["runs"]) == 2


def test_one_result_file_and_a_pipe_are_for_one_target(nncli: Cli, run: Path, table: Path, tmp_path: Path) -> None:
    assert nncli("evaluate", run, "-", stdin=table.read_bytes()).code == 2
    assert nncli("explain", run, table, "--attributions", tmp_path / "why.csv").code == 2
    nncli("explain", run, table, "--target", "price", "--attributions", tmp_path / "why.csv").check()
    assert (tmp_path / "why.csv").exists()


def test_a_note_on_all_targets_is_printed_once(nncli: Cli, run: Path, tmp_path: Path) -> None:
    table_of().drop_nulls().with_columns(shop=pl.lit("c")).write_csv(tmp_path / "new.csv")
    notes = [line for line in nncli("evaluate", run, tmp_path / "new.csv").check().err.splitlines() if "'shop'" in line]
    assert len(notes) == 1


def test_show_has_the_scores_of_each_target(nncli: Cli, run: Path) -> None:
    document = json.loads(nncli("show", run, "--json").check().out)
    assert {score["target"] for score in document["scores"]} == {None, *TARGETS}
    assert document["target_runs"] == [str(run / "targets" / name) for name in TARGETS]


def test_report_and_export_write_a_file_for_each_target(nncli: Cli, run: Path, tmp_path: Path) -> None:
    nncli("report", run, "-q").check()
    assert all((run / "targets" / name / "report.html").exists() for name in TARGETS)
    nncli("export", run, "-o", tmp_path / "model.py", "--no-check", "-q").check()
    assert all((tmp_path / f"model-{name}.py").exists() for name in TARGETS)


@pytest.mark.parametrize("options", [["--interval", "0.8"], ["--proba"]])
def test_an_export_that_does_not_fit_one_of_the_targets_names_it_and_writes_no_file(
    nncli: Cli, run: Path, tmp_path: Path, options: list[str]
) -> None:
    done = nncli("export", run, "-o", tmp_path / "model.py", "--no-check", "-q", *options)
    refused = "sold" if "--interval" in options else "price"
    assert done.code == 2
    assert f"'{refused}'" in done.err
    assert not list(tmp_path.iterdir())
    fits = [name for name in TARGETS if str(run / "targets" / name) in done.err]
    assert fits == [name for name in TARGETS if name != refused]
    nncli("export", run / "targets" / fits[0 if "--interval" in options else 1], "-o", tmp_path / "m.py", *options)
    assert (tmp_path / "m.py").exists()


@pytest.mark.parametrize("command", ["export", "report"])
def test_a_file_in_the_way_of_one_target_keeps_those_of_the_others_from_being_written(
    nncli: Cli, run: Path, tmp_path: Path, command: str
) -> None:
    suffix, options = ("py", ["--no-check"]) if command == "export" else ("html", [])
    (tmp_path / f"a-{TARGETS[-1]}.{suffix}").write_text("mine")
    assert nncli(command, run, "-o", tmp_path / f"a.{suffix}", *options, "-q").code == 2
    assert [path.name for path in tmp_path.iterdir()] == [f"a-{TARGETS[-1]}.{suffix}"]


def test_the_end_of_a_training_has_the_scores_of_each_target(nncli: Cli, table: Path, tmp_path: Path) -> None:
    names = [word for name in TARGETS for word in ("-t", name)]
    settings = [word for key in ("epochs=2", "members=1", "layers=[8]") for word in ("--set", key)]
    done = nncli("train", table, *names, *settings, "-o", tmp_path / "text").check()
    assert [line for line in done.err.splitlines() if line in TARGETS] == TARGETS
    lines = nncli("train", table, *names, *settings, "-o", tmp_path / "json", "--json").check().out.splitlines()
    finished = json.loads(lines[-1])
    assert list(finished["targets"]) == TARGETS
    assert "rmse" in finished["targets"]["price"]["validation"]["metrics"]


def test_a_server_has_a_model_for_each_target(run: Path) -> None:
    assert runs_and_names([f"{run}=bikes"]) == [(f"bikes-{name}", run / "targets" / name) for name in TARGETS]
