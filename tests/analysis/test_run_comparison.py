"""Comparisons of runs from their directories."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import compare, cross_validate, evaluate, train
from nncli.analysis.evaluation.held_out import HeldOutPredictions, predict_held_out
from nncli.analysis.evaluation.pairwise import comparable_run
from nncli.analysis.run_comparison import RunComparison
from nncli.base.errors import CellError, DataError, RunError, UsageError
from nncli.run_directory.manifest import CONFIG, MANIFEST
from tests.assertions import raises
from tests.cli.support import DATA
from tests.run_directory.support import change_manifest, changed
from tests.tuning.finished_searches import search

SMALL = "layers: [4]\nepochs: 3\nbatch_size: 16\nseed: 3\n"
BAD_CELL = (
    "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    "Adelie,Torgersen,39.1,18.7,181,heavy,male,2007\n"
)
PENGUINS = f"data: {{path: penguins.csv, target: species}}\n{SMALL}"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs on one table (a, b, five), on other rows of it (seed, none), and on another (lin)."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("penguins.csv", "linear.csv"):
        shutil.copy(DATA / name, folder)
    (folder / "c.yaml").write_text(PENGUINS)
    (folder / "lin.yaml").write_text(f"data: {{path: linear.csv, target: y}}\n{SMALL}")
    for name, config, assignments in (
        ("a", "c", ["epochs=1"]),
        ("b", "c", ["learning_rate=0.05", "epochs=8"]),
        ("five", "c", ["members=2", "workers=1"]),
        ("seed", "c", ["seed=4"]),
        ("none", "c", ["validation=0"]),
        ("lin", "lin", []),
    ):
        train(folder / f"{config}.yaml", output=folder / "runs" / name, set=assignments)
    return folder


@dataclass
class Folder:
    path: Path

    def __call__(self, *names: str) -> RunComparison:
        return compare([self.path / "runs" / name for name in names])


@pytest.fixture
def of(trained: Path) -> Folder:
    """Compare those with these names."""
    return Folder(trained)


@pytest.mark.slow
def test_two_runs_of_the_same_split_share_all_their_validation_rows(of: Folder) -> None:
    result = of("a", "b")
    assert [setting.key for setting in result.settings] == ["learning_rate.peak", "epochs"]
    (loss,) = result.pairs
    assert loss.rows == 69
    assert loss.is_significant
    assert result.runs[loss.a].name == "b"
    assert loss.optimistic is None
    assert not any(run.optimistic for run in result.runs)
    scores = {line.name: line for line in result.scores}
    of_a, of_b = (value.value if value and value.value else 0.0 for value in scores["accuracy"].values)
    assert scores["accuracy"].best == (False, True)
    assert loss.beside
    assert loss.beside.b - loss.beside.a == pytest.approx(of_b - of_a)
    assert all(value and value.interval for value in scores["log_loss"].values)
    assert not result.notes[1:]


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs are of an older version, in which the validation rows chose the epoch."""

    def predict(path: Path) -> HeldOutPredictions:
        return replace(predict_held_out(path), optimistic=True)

    monkeypatch.setattr("nncli.analysis.run_comparison.predict_held_out", predict)


@pytest.mark.slow
@pytest.mark.usefixtures("older")
def test_rows_that_chose_the_epoch_of_one_run_from_more_epochs_are_named(of: Folder) -> None:
    result = of("a", "b")
    (loss,) = result.pairs
    assert result.runs[loss.a].name == "b"
    assert loss.optimistic == loss.a  # chosen from 8 epochs, the other one from 1
    assert loss.test
    assert loss.corrected_p == pytest.approx(8 * loss.test.p)
    assert [run.optimistic for run in result.runs] == [False, True]
    scores = {line.name: line for line in result.scores}
    assert scores["accuracy"].best == (False, False)  # the better number may be due to the choice
    document = result.json()["pairs"][0]
    assert document["optimistic"] == document["a"]
    assert any("--data" in note for note in result.notes)


@pytest.mark.slow
def test_the_best_run_is_marked_among_those_with_the_same_rows_and_as_many_epochs(of: Folder, tmp_path: Path) -> None:
    config = of.path / "c.yaml"
    train(config, output=tmp_path / "slow", set=["learning_rate=0.0001", "epochs=8"])
    result = compare([of.path / "runs" / "b", tmp_path / "slow"])
    scores = {line.name: line for line in result.scores}
    assert scores["log_loss"].best == (True, False)
    assert scores["accuracy"].best == (True, False)
    train(config, output=tmp_path / "rows", set=["learning_rate=0.05", "epochs=8", "seed=4"])
    result = compare([of.path / "runs" / "b", tmp_path / "rows"])
    assert not any(best for line in result.scores for best in line.best)


@pytest.mark.slow
def test_the_order_of_the_runs_changes_no_result(of: Folder) -> None:
    first, other = of("a", "b"), of("b", "a")
    assert [first.sentence(pair) for pair in first.pairs] == [other.sentence(pair) for pair in other.pairs]
    assert [line.best for line in first.scores] == [line.best[::-1] for line in other.scores]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["seed", "five"])
def test_runs_with_other_rows_drawn_at_random_are_ranked_by_those_that_both_held_out(of: Folder, name: str) -> None:
    result = of("b", name)
    (pair,) = result.pairs
    assert pair.test is not None
    assert 0 < pair.rows <= 69  # a fifth of the rows
    assert not pair.reason
    assert not any(best for line in result.scores for best in line.best)


@pytest.mark.slow
def test_runs_that_are_split_in_time_and_at_random_are_ranked_on_new_rows(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    days = pl.DataFrame({"day": range(120), "x": rng.normal(size=120)}).with_columns(y=pl.col("x") + pl.col("day") / 50)
    days[:80].write_csv(tmp_path / "t.csv")
    days[80:].write_csv(tmp_path / "new.csv")
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\nmembers: 2\nworkers: 1\n{SMALL}")
    for name, assignments in (("random", []), ("time", ["data.time=day"]), ("one", ["data.time=day", "members=1"])):
        train(tmp_path / "c.yaml", output=tmp_path / name, set=assignments)
    found = compare([tmp_path / "random", tmp_path / "time"])
    (pair,) = found.pairs
    assert pair.test is None
    assert pair.rules == ("2 random folds, seed 3", "the latest 20 % by 'day'")
    assert "--data FRESH" in "".join(found.notes)
    assert found.json()["pairs"][0]["reason"] == pair.reason
    assert not any(best for line in found.scores for best in line.best)
    assert compare([tmp_path / "time", tmp_path / "one"]).pairs[0].rows == 16
    assert compare([tmp_path / "random", tmp_path / "time"], tmp_path / "new.csv").pairs[0].rows == 40


def test_an_ensemble_is_scored_on_out_of_fold_rows(of: Folder) -> None:
    found = of("a", "five")
    assert found.runs[1].rows_scored == 344
    assert [run.predictions for run in found.runs] == ["validation", "out-of-fold"]


def test_a_run_without_validation_rows_is_not_compared(of: Folder) -> None:
    result = of("a", "none")
    assert not result.pairs
    assert result.runs[1].scored_on == "training"
    assert any("none" in note for note in result.notes)
    assert not any(best for line in result.scores for best in line.best)


@pytest.mark.slow
def test_a_run_that_validates_on_its_training_table_is_not_comparable(of: Folder, tmp_path: Path) -> None:
    shutil.copy(DATA / "penguins.csv", tmp_path / "penguins.csv")
    (tmp_path / "c.yaml").write_text(f"{PENGUINS}validation: {{path: penguins.csv}}\n")
    train(tmp_path / "c.yaml", output=tmp_path / "same")
    held_out = predict_held_out(tmp_path / "same")
    assert held_out.split == "validation"
    assert comparable_run(held_out) is None
    result = compare([of.path / "runs" / "a", tmp_path / "same"])
    assert not result.pairs
    assert any("same" in note for note in result.notes)


@pytest.mark.slow
def test_a_run_that_was_trained_on_the_validation_table_of_another_is_not_ranked(of: Folder, tmp_path: Path) -> None:
    shutil.copy(DATA / "penguins.csv", tmp_path / "held.csv")
    lines = (DATA / "penguins.csv").read_text().splitlines()
    (tmp_path / "penguins.csv").write_text("\n".join([lines[0], *lines[2::2]]) + "\n")
    (tmp_path / "c.yaml").write_text(f"{PENGUINS}validation: {{path: held.csv}}\n")
    train(tmp_path / "c.yaml", output=tmp_path / "other")
    found = compare([of.path / "runs" / "a", tmp_path / "other"])
    assert found.pairs[0].rules == ("20 % of the rows at random, seed 3", "a table of their own")


def test_runs_on_other_tables_are_not_compared(of: Folder) -> None:
    result = of("a", "b", "lin")
    assert {pair.b for pair in result.pairs} | {pair.a for pair in result.pairs} == {0, 1}
    assert result.task_ids == (0, 0, 1)
    assert any("lin" in note for note in result.notes)
    assert {"data.path", "data.target", "loss.type"} <= {setting.key for setting in result.settings}


def test_a_run_of_the_same_target_as_numbers_is_not_said_to_have_another_target(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\n{SMALL}")
    for loss in ("mse", "cross_entropy"):
        train(tmp_path / "c.yaml", output=tmp_path / loss, set=[f"loss={loss}"])
    result = compare([tmp_path / "mse", tmp_path / "cross_entropy"])
    assert result.task_ids == (0, 1)
    assert not any("no other run has the table" in note for note in result.notes)
    assert sum("another kind of target" in note for note in result.notes) == 2


@pytest.mark.slow
def test_damaged_and_unfinished_runs_are_compared_by_what_is_readable(trained: Path, tmp_path: Path) -> None:
    runs = Path(shutil.copytree(trained / "runs", tmp_path / "runs"))
    (runs / "a" / MANIFEST).write_text("nonsense")
    change_manifest(runs / "seed", changed(status="running", files={}))
    (runs / "lin" / CONFIG).write_text("epochs: 4\n")
    result = compare(runs)
    status = {side.name: side.info.status for side in result.runs}
    assert (status["a"], status["seed"], status["b"]) == ("damaged", "killed", "done")
    notes = "\n".join(result.notes)
    for name in ("a: ", MANIFEST, "seed: ", "train --resume", "lin: "):
        assert name in notes
    assert {result.runs[pair.b].name for pair in result.pairs} == {"five", "seed"}  # by the weights saved so far


@pytest.mark.slow
def test_without_the_table_settings_and_recorded_scores_are_compared(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "moved"))
    (folder / "c.yaml").write_text(PENGUINS)
    for name in ("one", "two"):
        train(folder / "c.yaml", output=folder / name, set=["epochs=1", f"seed={len(name + name)}"])
    change = folder / "penguins.csv"
    change.write_text(change.read_text() + "\n")
    train(folder / "c.yaml", output=folder / "three")
    result = compare([folder / "one", folder / "three"])
    assert not result.pairs
    accuracy = next(line for line in result.scores if line.name == "accuracy")
    assert accuracy.values[0]
    assert accuracy.values[0].interval is None
    assert any("penguins.csv" in note for note in result.notes)
    assert [setting.key for setting in result.settings] == ["epochs", "seed"]


def test_runs_with_the_same_name_are_named_by_their_paths(of: Folder, trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained / "runs" / "a", tmp_path / "a"))
    result = compare([trained / "runs" / "a", copy, copy])
    assert [side.name for side in result.runs] == [str(trained / "runs" / "a"), str(copy)]
    loss = result.pairs[0]
    assert loss.test
    assert (loss.test.mean, loss.adjusted_p) == (0.0, 1.0)


def test_fewer_than_two_runs_are_an_error(trained: Path, tmp_path: Path) -> None:
    with raises(UsageError):
        compare(trained / "runs" / "a")
    with raises(UsageError):
        compare(tmp_path)
    with raises(RunError, file="nothing"):
        compare([trained / "runs" / "a", tmp_path / "nothing"])


@pytest.mark.slow
def test_a_cross_validation_and_its_folds_are_compared(trained: Path, tmp_path: Path) -> None:
    cross_validate(trained / "lin.yaml", output=tmp_path / "cv", folds=2, set=["epochs=1", "workers=1"])
    found = compare([trained / "runs" / "lin", tmp_path / "cv"])
    assert [side.out_of_fold for side in found.runs] == [False, True]
    assert found.pairs[0].test is not None
    assert [side.name for side in compare(tmp_path / "cv" / "folds").runs] == ["1", "2"]


def test_the_comparison_is_valid_json(of: Folder) -> None:
    document = json.loads(json.dumps(of("a", "b", "none", "lin").json(), allow_nan=False))
    assert [run["name"] for run in document["runs"]] == ["a", "b", "none", "lin"]
    assert document["pairs"][0]["significant"] is True
    assert document["pairs"][0]["low"] <= document["pairs"][0]["mean_difference"] <= document["pairs"][0]["high"]
    accuracy = next(line for line in document["scores"] if line["metric"] == "accuracy")
    assert [item and item["best"] for item in accuracy["runs"]] == [False, True, False, None]
    assert document["pairs"][0]["optimistic"] is None
    assert document["pairs"][0]["beside"]["measure"] == "error rate"
    assert [run["optimistic"] for run in document["runs"]] == [False] * 4


def test_a_run_with_a_changed_file_is_not_scored_and_the_others_are(of: Folder, tmp_path: Path) -> None:
    shutil.copytree(of.path / "runs" / "a", tmp_path / "a")
    (tmp_path / "a" / CONFIG).write_text("layers: [\n")
    result = compare([tmp_path / "a", of.path / "runs" / "b"])
    (problem,) = result.runs[0].problems
    assert CONFIG in problem
    scores = {line.name: line for line in result.scores}["accuracy"].values
    assert [score is None for score in scores] == [True, False]


@pytest.mark.slow
def test_runs_are_compared_on_a_table_of_new_rows(of: Folder, tmp_path: Path) -> None:
    new, rows = tmp_path / "new.csv", 115
    pl.read_csv(DATA / "penguins.csv", null_values=["NA"])[::3].with_columns(pl.col("body_mass_g") + 1).write_csv(
        new, null_value="NA"
    )
    runs = [of.path / "runs" / name for name in ("a", "b", "five", "none", "seed")]
    result = compare(runs, new)
    assert [(run.scored_on, run.rows_scored, run.optimistic) for run in result.runs] == [("table", rows, False)] * 5
    assert {(pair.rows, pair.optimistic) for pair in result.pairs} == {(rows, None)}
    accuracy = next(line for line in result.scores if line.name == "accuracy")
    expected = [evaluate(run, new).scores["accuracy"] for run in runs]  # type: ignore[call-overload]
    assert [value and value.value for value in accuracy.values] == expected
    assert any(accuracy.best)
    assert result.json()["data"] == str(new)
    assert {run["predictions"] for run in result.json()["runs"]} == {"model"}
    assert compare(runs, pl.read_csv(new, null_values=["NA"])).scores[0].values == accuracy.values


@pytest.mark.slow
def test_a_run_that_is_no_better_than_the_baseline_is_named(of: Folder, trained: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(DATA / "penguins.csv", null_values=["NA"])
    runs = [trained / "runs" / name for name in ("b", "five")]
    assert not any("baseline" in text for text in compare(runs, frame).notes if text.startswith("b:"))
    shuffled = compare(runs, frame.with_columns(pl.col("species").shuffle(seed=1)))
    assert sum(": no better than the baseline" in text for text in shuffled.notes) == 2


def test_no_run_is_called_better_on_rows_that_it_was_trained_on(of: Folder) -> None:
    result = compare([of.path / "runs" / name for name in ("a", "b")], DATA / "penguins.csv")
    assert not result.pairs
    assert [run.optimistic for run in result.runs] == [True, True]
    assert not any(best for line in result.scores for best in line.best)
    assert [sum("344 of 344 rows" in note for note in run.problems) for run in result.runs] == [1, 1]


def test_a_run_that_cannot_predict_the_table_is_a_problem(of: Folder, tmp_path: Path) -> None:
    runs = [of.path / "runs" / name for name in ("a", "b", "lin")]
    result = compare(runs, DATA / "penguins.csv")
    assert result.runs[2].scored_on is None
    with raises(UsageError):
        compare(runs, "-")


@pytest.mark.slow
def test_an_error_of_the_given_table_is_raised_and_that_of_one_run_is_a_problem(of: Folder, tmp_path: Path) -> None:
    runs, table = [of.path / "runs" / name for name in ("a", "b", "lin")], tmp_path / "t.csv"
    with raises(DataError, file="t.csv"):
        compare(runs, table)
    for text in ("species,island\nAdelie,Biscoe\n", BAD_CELL.replace("species", "kind")):
        table.write_text(text)
        with raises(DataError, file="t.csv"):
            compare(runs, table)
    table.write_text(BAD_CELL)
    with raises(CellError, file="t.csv", row=1, column="body_mass_g"):
        compare(runs, table)
    shutil.copytree(of.path / "runs" / "a", tmp_path / "a")
    (tmp_path / "a" / MANIFEST).write_text("nonsense")
    result = compare([tmp_path / "a", runs[1]], DATA / "penguins.csv")
    assert [run.scored_on for run in result.runs] == [None, "table"]
    assert result.runs[0].problems
    table.unlink()
    with raises(DataError, file="t.csv"):
        compare([tmp_path / "a", runs[1]], table)


def test_rows_count_by_their_weights_where_the_table_has_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,y,w\n" + "".join(f"{i},{i * 1.37},{1 + i % 3}\n" for i in range(60)))
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y, sample_weight: w}}\n{SMALL}")
    runs = [train(tmp_path / "c.yaml", output=tmp_path / f"{seed}", set=[f"seed={seed}"]).run for seed in (1, 2)]
    rmse = {}
    for name in ("w", "v"):
        (tmp_path / "n.csv").write_text(f"x,y,{name}\n1,3,5\n2,1,1\n9,2,1\n")
        result = compare(runs, tmp_path / "n.csv")
        rmse[name] = [line.values[0] and line.values[0].value for line in result.scores if line.name == "rmse"]
    assert rmse["w"] != rmse["v"]


@pytest.mark.slow
def test_a_trial_of_a_search_was_chosen_and_a_search_is_no_run(tmp_path: Path) -> None:
    path = search(tmp_path)
    result = compare([path / "trials" / "0000", path / "trials" / "0001"])
    assert any(note.startswith("0001: a search chose") for note in result.notes)
    assert not any("a search chose" in note for note in compare(path / "trials", DATA / "linear.csv").notes)
    with raises(RunError, file=path.name):
        compare([path / "trials" / "0000", path])
