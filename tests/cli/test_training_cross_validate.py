"""`nncli cross-validate` as a person meets it, and ensembles on the command line."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from tests.api.ensembles import written
from tests.cli.support import DATA, SECONDS, Cli, on_terminal, start


def test_the_table_has_a_row_for_each_metric_and_the_file_one_for_each_row(nncli: Cli, here: Path) -> None:
    words = ("cross-validate", written(here, "members=1", "epochs=1"), "--folds", 3, "--predictions", "out.parquet")
    done = nncli(*words, "-o", "cv").check()
    header, *lines = done.out.splitlines()
    assert header.split() == ["metric", "mean", "std", "lowest", "highest", "out-of-fold"]
    assert {"accuracy", "log_loss", "roc_auc"} <= {line.split()[0] for line in lines}
    assert max(map(len, done.out.splitlines())) <= 80
    assert "trainings 3/3" in done.err
    assert "the runs of the folds are in cv" in done.err
    assert len(pl.read_parquet(here / "out.parquet")) == 344
    assert "exists already" in nncli(*words).check(2).err
    again = nncli("cross-validate", "--resume", "cv", "--json", "-q").check()
    assert all(line.startswith("warning: ") for line in again.err.splitlines())
    assert len(json.loads(again.out)["folds"]) == 3


def test_the_lowest_and_the_highest_score_are_those_of_all_repeats(nncli: Cli, here: Path) -> None:
    path = written(here, "members=1", "epochs=1")
    done = nncli("cross-validate", path, "--folds", 2, "--repeats", 2, "--json", "-q").check()
    scores = [fold["metrics"]["accuracy"] for fold in json.loads(done.out)["folds"]]
    assert len(scores) == 4
    table = nncli("cross-validate", "--resume", here / "runs" / "c-cv", "-q").check().out.splitlines()
    (accuracy,) = [line.split() for line in table if line.startswith("accuracy ")]
    assert [float(cell) for cell in accuracy[3:5]] == pytest.approx([min(scores), max(scores)], rel=1e-3)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("c.yaml", "--resume", "cv"),
        ("--resume", "cv", "-o", "other"),
        ("--resume", "cv", "--set", "a=1"),
        ("--resume", "cv", "--quality", "fast"),
    ],
)
def test_either_a_configuration_or_a_folder_is_wanted(nncli: Cli, here: Path, words: tuple[str, ...]) -> None:
    assert "resume" in nncli("cross-validate", *words).check(2).err


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_signal_saves_all_trainings_and_says_how_to_go_on(here: Path) -> None:
    path = written(here, "members=1", "epochs=100000", "workers=2")
    with start("cross-validate", path, "--folds", 2, "-o", "cv", cwd=here) as process:
        end = time.monotonic() + SECONDS
        while not list(here.glob("cv/folds/*/manifest.json")) and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM
    assert out == b""
    assert b"nncli cross-validate --resume cv" in err
    assert b"Traceback" not in err


def test_an_ensemble_is_trained_predicts_and_is_scored(nncli: Cli, here: Path) -> None:
    done = nncli("train", written(here), "-o", "run").check()
    assert done.path == Path("run")
    assert "epoch 9/9  members 3/3" in done.err
    assert "3 networks, 344 training rows, 344 out-of-fold rows" in done.err
    said = nncli("predict", "run", DATA / "penguins.csv", "--proba").check().out.splitlines()
    assert len(said) == 345
    assert said[0] == "prediction,proba_Adelie,proba_Chinstrap,proba_Gentoo"
    scores = json.loads(nncli("evaluate", "run", DATA / "penguins.csv", "--json").check().out)
    assert scores["rows"] == 344
    quiet = nncli("train", "--resume", "run", "-q").check()
    assert quiet.err == ""


def test_what_the_first_member_notes_is_told_once(nncli: Cli, here: Path) -> None:
    rows = pl.DataFrame({"x": range(40), "name": [f"n{i}" for i in range(40)], "y": [*["a", "b"] * 19, "a", None]})
    rows.write_csv(here / "t.csv")
    path = written(here, f"data={{path: {here}/t.csv, target: y}}", "epochs=2")
    done = nncli("train", path, "-o", "run").check()
    assert done.err.count("'name' has a different value in every row") == 1
    assert done.err.count("left out 1 of 40 rows") == 1


@pytest.mark.skipif(os.name == "nt", reason="terminals")
def test_a_terminal_shows_one_bar_for_all_members(tmp_path: Path) -> None:
    code, seen = on_terminal("train", written(tmp_path, "epochs=60"), "-o", "run", cwd=tmp_path)
    assert code == 0
    assert "180/180" in seen
    assert "members 3/3" in seen


def test_a_table_and_a_target_are_enough(nncli: Cli, here: Path) -> None:
    pl.read_csv(DATA / "penguins.csv").write_csv("t.csv")
    words = ("cross-validate", "t.csv", "--target", "species", "--quality", "fast", "--set", "epochs=1", "--folds", 2)
    done = nncli(*words).check()
    assert done.out.startswith("metric ")
    assert "note: to edit this configuration: nncli init t.csv --target species" in done.err
    assert (here / "runs" / "t-cv").is_dir()
    assert "nncli cross-validate TABLE --target COLUMN" in nncli("cross-validate").check(2).err


def test_a_directory_that_exists_is_refused_unless_it_is_replaced(nncli: Cli, here: Path) -> None:
    words = ("cross-validate", written(here, "members=1", "epochs=1"), "--folds", 2, "-o", "cv")
    nncli(*words).check()
    assert "--force" in nncli(*words).check(2).err
    (here / "cv" / "old").touch()
    nncli(*words, "--force").check()
    assert not (here / "cv" / "old").exists()
    assert not (here / "cv-2").exists()


def test_the_table_is_never_replaced_by_out_of_fold_predictions(nncli: Cli, here: Path) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(40)))
    nncli("cross-validate", "t.csv", "-t", "y", "--predictions", "t.csv", "--force").check(2)
    assert Path("t.csv").read_text().startswith("x,y\n")


def test_a_metric_that_a_fold_leaves_undefined_is_summarized_over_the_others(nncli: Cli, here: Path) -> None:
    rows = "\n".join(f"{x},{y}" for x, y in enumerate([0, *range(1, 40)]))  # no mape where a target is 0
    (here / "line.csv").write_text(f"x,y\n{rows}\n")
    settings = ("--set", "loss=mse", "--set", "layers=[2]", "--set", "epochs=1", "--set", "workers=1")
    out = nncli("cross-validate", "line.csv", "-t", "y", "--folds", "4", *settings).check().out
    (mape,) = (line.split() for line in out.splitlines() if line.startswith("mape"))
    assert len(mape) == 6
    assert "–" not in mape[1:5]
