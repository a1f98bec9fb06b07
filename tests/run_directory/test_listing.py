"""The runs in a folder: how each ended, told by two small files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nncli
from nncli import cross_validate, train
from nncli.base.errors import RunError
from nncli.run_directory.filenames import CONFIG, LOCK
from nncli.run_directory.listing import RunInfo, notes_on_choice
from nncli.run_directory.manifest import MANIFEST, METRICS, MODEL, WEIGHTS
from nncli.run_directory.run import Run
from nncli.tuning.trials import save_trial
from tests.cli.support import DATA
from tests.run_directory.support import change_manifest, changed, stop_at
from tests.tuning.made_searches import made_search, made_trials

SMALL = f"data: {{path: {DATA}/penguins.csv, target: species}}\nlayers: [4]\nepochs: 2\nbatch_size: 64\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that is done, one that was stopped, an ensemble, and a cross-validation."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "c.yaml").write_text(SMALL)
    runs = folder / "runs"
    train(folder / "c.yaml", output=runs / "done")
    train(folder / "c.yaml", output=runs / "stopped", stop=stop_at(3))
    train(folder / "c.yaml", output=runs / "old" / "several", set=["members=2", "workers=1"])
    cross_validate(folder / "c.yaml", output=runs / "folds", folds=2, set=["epochs=1", "workers=1"])
    return runs


@pytest.fixture
def runs(trained: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(trained, tmp_path / "runs"))


def of(runs: Path) -> dict[str, RunInfo]:
    return {run.path.name: run for run in nncli.runs(runs)}


@pytest.mark.slow
def test_every_kind_of_run_is_listed_once_and_members_and_folds_are_not(runs: Path) -> None:
    kinds = {name: (run.kind, run.status) for name, run in of(runs).items()}
    assert kinds == {
        "done": ("network", "done"),
        "stopped": ("network", "stopped"),
        "several": ("ensemble", "done"),
        "folds": ("cross-validation", "done"),
    }


@pytest.mark.slow
def test_the_score_is_that_of_the_validation_rows(runs: Path) -> None:
    metrics = json.loads((runs / "done" / METRICS).read_text())
    done = of(runs)["done"]
    assert (done.metric, done.value) == ("accuracy", metrics["validation"]["metrics"]["accuracy"])
    assert (done.rows, done.members, done.epochs) == (275, 1, 2)
    together = json.loads((runs / "folds" / METRICS).read_text())["out_of_fold"]["metrics"]["accuracy"]
    assert of(runs)["folds"].value == together


@pytest.mark.parametrize(
    ("target", "metric"), [("y", "rmse"), ("[x2, y]", "mean r2")], ids=["one number", "several numbers"]
)
def test_the_score_of_numbers(tmp_path: Path, target: str, metric: str) -> None:
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: {DATA}/linear.csv, target: {target}}}\nlayers: [4]\nepochs: 1\nloss: mse\n"
    )
    train(tmp_path / "c.yaml", output=tmp_path / "run")
    (run,) = nncli.runs(tmp_path)
    assert run.metric == metric
    assert isinstance(run.value, float)


@pytest.mark.slow
def test_the_newest_is_last_and_the_damaged_first(runs: Path) -> None:
    for name, when in (("done", "2031-01-01T00:00:00+00:00"), ("stopped", "2001-01-01T00:00:00+00:00")):
        change_manifest(runs / name, changed(started=when))
    (runs / "old" / "several" / MANIFEST).write_text("{")
    names = [run.path.name for run in nncli.runs(runs)]
    assert (names[0], names[1], names[-1]) == ("several", "stopped", "done")


def test_a_run_that_says_it_is_running_is_so_while_its_lock_is_held_and_was_killed_otherwise(runs: Path) -> None:
    change_manifest(runs / "done", changed(status="running", files={}))
    with Run(runs / "done").locked():
        assert of(runs)["done"].status == "running"
    killed = of(runs)["done"]
    assert (killed.status, killed.value) == ("killed", None)
    (runs / "done" / LOCK).unlink(missing_ok=True)
    assert of(runs)["done"].status == "killed"
    assert not (runs / "done" / LOCK).exists()


def test_a_lock_that_is_a_link_is_not_followed(runs: Path, tmp_path: Path) -> None:
    change_manifest(runs / "done", changed(status="running", files={}))
    (tmp_path / "mine").write_text("mine")
    (runs / "done" / LOCK).unlink(missing_ok=True)
    (runs / "done" / LOCK).symlink_to(tmp_path / "mine")
    assert of(runs)["done"].status == "killed"
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense", '{"status": 3}', "[" * 100_000, '{"status": "done"}'])
def test_a_damaged_manifest_is_said_and_stops_nothing(runs: Path, text: str) -> None:
    (runs / "done" / MANIFEST).write_text(text)
    result = of(runs)
    assert result["done"].status == "damaged"
    assert MANIFEST in (result["done"].error or "")
    assert result["stopped"].status == "stopped"


def test_changed_scores_and_a_changed_manifest_are_damage(runs: Path) -> None:
    (runs / "done" / METRICS).write_text("{}")
    manifest = runs / "stopped" / MANIFEST
    manifest.write_text(manifest.read_text().replace('"epochs": ', '"epochs": 1'))
    result = of(runs)
    assert [result[name].status for name in ("done", "stopped")] == ["damaged", "damaged"]


def test_what_is_left_of_a_run_is_damaged_and_other_folders_are_none(runs: Path) -> None:
    (runs / "done" / MANIFEST).unlink()
    (runs / "site").mkdir()
    (runs / "site" / MANIFEST).write_text('{"name": "a page of somebody\'s"}')
    result = of(runs)
    assert result["done"].status == "damaged"
    assert "site" not in result


def test_a_folder_that_is_a_run_is_listed_itself(runs: Path) -> None:
    assert [run.path for run in nncli.runs(runs / "done")] == [runs / "done"]


def test_an_empty_folder_holds_none_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert nncli.runs(tmp_path) == ()
    with pytest.raises(RunError, match="the folder does not exist"):
        nncli.runs(tmp_path / "nothing")


def test_the_rows_of_a_cross_validation_are_those_of_all_folds(runs: Path) -> None:
    assert of(runs)["folds"].rows == 344
    (runs / "folds" / METRICS).unlink()
    assert of(runs)["folds"].rows is None


def test_an_unfinished_cross_validation_was_stopped_or_runs(runs: Path) -> None:
    (runs / "folds" / METRICS).unlink()
    assert of(runs)["folds"].status == "stopped"
    with Run(runs / "folds").locked():
        assert of(runs)["folds"].status == "running"


def test_the_libraries_are_not_loaded() -> None:
    loaded = "import sys, nncli; nncli.runs('.'); print({'numpy', 'polars', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_files_that_are_not_read_may_be_anything(runs: Path) -> None:
    for name in (CONFIG, MODEL, WEIGHTS):
        (runs / "done" / name).write_bytes(b"\xff")
    assert of(runs)["done"].status == "done"


def test_a_search_is_one_entry_and_its_trials_are_in_a_folder_of_it(runs: Path, tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials())
    shutil.copytree(runs / "done", path / "trials" / "0000")
    (info,) = nncli.runs(path)
    assert (info.path, info.kind, info.status) == (path, "search", "done")
    assert (info.metric, info.trials, info.members) == ("rmse", 20, None)
    assert info.value == min(trial.score for trial in made_trials() if trial.score is not None)
    assert info.started is not None
    assert [trial.path for trial in nncli.runs(path / "trials")] == [path / "trials" / "0000"]
    save_trial(path, made_trials()[1].model_copy(update={"number": 20}))
    (goes_on,) = nncli.runs(path)
    assert (goes_on.status, goes_on.value, goes_on.trials) == ("stopped", None, 21)
    (path / METRICS).write_text("[]")
    (damaged,) = nncli.runs(path)
    assert (damaged.kind, damaged.status) == ("search", "damaged")


def test_trials_have_the_states_and_scores_of_their_search(runs: Path, tmp_path: Path) -> None:
    trials = made_trials()
    path = made_search(tmp_path, trials)
    for number in (0, 3, 4, 19):
        shutil.copytree(runs / "stopped", path / "trials" / f"{number:04}")
    result = of(path / "trials")
    assert [run.status for run in result.values()] == ["done", "done", "pruned", "failed"]
    assert [run.value for run in result.values()] == [trials[number].score for number in (0, 3, 4, 19)]
    assert {(run.metric, run.search) for run in result.values()} == {("rmse", path)}
    assert [name for name, run in result.items() if run.is_chosen] == ["0003", "0004", "0019"]
    save_trial(path, trials[4].model_copy(update={"state": "running"}))
    assert of(path / "trials")["0004"].status == "stopped"
    (note,) = notes_on_choice([*result.values()])
    assert note.startswith("0003, 0004, 0019")
    assert notes_on_choice([result["0000"]]) == []


def test_a_search_that_has_not_begun_is_stopped(tmp_path: Path) -> None:
    path = made_search(tmp_path, made_trials()[:1], ended=False)
    (path / "trials" / "0000.json").unlink()
    (info,) = nncli.runs(path)
    assert (info.status, info.trials, info.started) == ("stopped", 0, None)
