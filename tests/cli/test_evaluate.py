"""`nncli evaluate` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nncli import train
from tests.cli.support import DATA, Cli, run

TABLE = DATA / "penguins.csv"


def test_the_text_holds_every_part(nncli: Cli, penguins: Path) -> None:
    done = nncli("evaluate", penguins, TABLE, "-q").check()
    assert "note:" not in done.err
    lines = done.out.splitlines()
    assert lines[0] == "344 rows"
    names = [line.split()[0] for line in lines if line.strip()]
    metrics = ["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss", "brier", "calibration_error"]
    assert [name for name in names if name in metrics] == metrics
    assert "by class" in lines
    assert any(line.startswith("confusion") for line in lines)
    assert names.count("Gentoo") == 2


def test_the_json_is_one_object(nncli: Cli, penguins: Path) -> None:
    done = nncli("evaluate", penguins, TABLE, "--json").check()
    said = json.loads(done.out)
    assert done.out.count("\n") == 1
    counts = {"rows", "skipped", "invalid_cells", "invalid_rows", "training_rows", "weighted_by"}
    assert set(said) == {*counts, "decision", "cost_per_row", "constant", "metrics"}
    assert said["rows"] == 344
    metrics = said["metrics"]
    assert set(metrics) == {
        *("accuracy", "balanced_accuracy", "log_loss", "macro_f1", "roc_auc", "brier", "calibration_error"),
        *("labels", "confusion_matrix", "per_class"),
    }
    assert sum(map(sum, metrics["confusion_matrix"])) == 344
    assert metrics["labels"] == ["Adelie", "Chinstrap", "Gentoo"]
    assert metrics["per_class"][2]["support"] == 124


def test_the_json_of_numbers(nncli: Cli, line: Path) -> None:
    said = json.loads(nncli("evaluate", line, DATA / "linear.csv", "--json").check().out)
    assert set(said["metrics"]) == {"rmse", "mae", "median_absolute_error", "r2", "mape"}


def test_several_targets_each_have_their_metrics(nncli: Cli, pair: Path) -> None:
    said = json.loads(nncli("evaluate", pair, DATA / "linear.csv", "--json").check().out)
    assert set(said["metrics"]["targets"]) == {"x2", "y"}
    text = nncli("evaluate", pair, DATA / "linear.csv").check().out
    assert "median_absolute_error_x2" in text
    assert "rmse_y" in text


def test_rows_without_a_target_are_left_out_and_it_is_said(nncli: Cli, here: Path, penguins: Path) -> None:
    table = pl.read_csv(TABLE, infer_schema=False)
    table = table.with_columns(species=pl.when(pl.int_range(pl.len()) >= 10).then("species"))
    table.write_csv("t.csv")
    done = nncli("evaluate", penguins, "t.csv", "--json").check()
    said = json.loads(done.out)
    assert (said["rows"], said["skipped"]) == (334, 10)
    assert done.err.startswith("note: skipped 10 rows without a target\n")


def test_what_training_never_saw_is_counted_unless_quiet(nncli: Cli, penguins: Path) -> None:
    table = TABLE.read_bytes().replace(b"Torgersen", b"Atlantis")
    done = nncli("evaluate", penguins, "-", "--json", stdin=table).check()
    assert done.err.startswith("note: 52 cells hold a category that training never saw ('island': 52); ")
    assert (
        nncli("evaluate", penguins, "-", "--json", "-q", stdin=table).check().err.startswith("warning: 292 of 344 rows")
    )


def test_no_row_with_a_target_is_an_error(nncli: Cli, penguins: Path) -> None:
    table = TABLE.read_bytes().replace(b"Adelie", b"").replace(b"Gentoo", b"").replace(b"Chinstrap", b"NA")
    assert "no row has a target" in nncli("evaluate", penguins, "-", stdin=table).check(4).err


def test_an_unseen_label_is_an_error_that_names_its_row(nncli: Cli, penguins: Path) -> None:
    table = TABLE.read_bytes().replace(b"Gentoo", b"Emperor")
    done = nncli("evaluate", penguins, "-", stdin=table).check(4)
    assert "row 153, column 'species': the class 'Emperor' did not occur in the training rows" in done.err


def test_a_table_without_the_target_is_an_error(nncli: Cli, penguins: Path) -> None:
    told = nncli("evaluate", penguins, DATA / "linear.csv").check(4).err
    assert "'species'" in told
    assert "nncli predict" in told


def test_from_a_pipe(nncli: Cli, penguins: Path) -> None:
    assert nncli("evaluate", penguins, "-", stdin=TABLE.read_bytes()).out == nncli("evaluate", penguins, TABLE).out


def test_no_column_is_cut_off_and_no_count_is_rounded(nncli: Cli, here: Path) -> None:
    labels = [f"a rather long name of a class {n}" for n in range(12)]
    frame = pl.DataFrame({"x": [float(n) for n in range(12)] * 20, "label": labels * 20})
    frame.write_csv("t.csv")
    Path("c.yaml").write_text("data: {path: t.csv, target: label}\nmembers: 2\nworkers: 1\nepochs: 1")
    path = nncli("train", "c.yaml", "-q").check().path
    pl.concat([frame] * 150).write_csv("big.csv")
    text = nncli("evaluate", path, "big.csv").check().out
    assert text.startswith("36,000 rows\n")
    assert "…" not in text
    for label in labels:
        assert text.count(label + " ") + text.count(label + "\n") >= 3
    assert "3,000" in text


@pytest.fixture(scope="module")
def many_classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of 50 classes, barely trained, and its table."""
    folder = tmp_path_factory.mktemp("many")
    frame = pl.DataFrame(
        {"x": [float(n) for n in range(50)] * 4, "label": [f"class number {n}" for n in range(50)] * 4}
    )
    frame.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text("data: {path: t.csv, target: label}\nmembers: 2\nworkers: 1\nepochs: 1")
    return train(folder / "c.yaml", output=folder / "run").run, folder / "t.csv"


@pytest.mark.parametrize("columns", ["", "80"])
def test_of_many_classes_only_the_most_frequent_confusions_are_printed(
    nncli: Cli, monkeypatch: pytest.MonkeyPatch, many_classes: tuple[Path, Path], columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = nncli("evaluate", *many_classes).check().out.splitlines()
    assert len(lines) < 90
    assert columns == "" or max(map(len, lines)) <= 80
    start = next(i for i, line in enumerate(lines) if line.startswith("true class"))
    assert len(lines) - start - 1 <= 20


def test_a_matrix_that_is_too_wide_becomes_a_list(nncli: Cli, monkeypatch: pytest.MonkeyPatch, penguins: Path) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "confusion matrix" in nncli("evaluate", penguins, TABLE).check().out
    monkeypatch.setenv("COLUMNS", "24")
    text = nncli("evaluate", penguins, TABLE).check().out
    assert "confusion matrix" not in text
    assert "no row is misclassified" in text


def test_errors_beyond_measure_are_still_json(nncli: Cli, line: Path) -> None:
    done = nncli("evaluate", line, "-", "--json", stdin=b"x1,x2,y\n0,0,1e300\n1,1,-1e300\n").check()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(done.out, parse_constant=refuse)["metrics"]["rmse"] is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_any_terminal_can_show_any_label(nncli: Cli, here: Path, encoding: str) -> None:
    Path("t.csv").write_text("x,label\n" + "0,ж\n1,🐧\n" * 30)
    Path("c.yaml").write_text("data: {path: t.csv, target: label}\nmembers: 2\nworkers: 1\nepochs: 1")
    path = nncli("train", "c.yaml", "-q").check().path
    env = {"PYTHONIOENCODING": encoding}
    assert "accuracy" in run("evaluate", path, "t.csv", env=env, cwd=here).check().out
    said = json.loads(run("evaluate", path, "t.csv", "--json", env=env, cwd=here).check().out)
    assert said["metrics"]["labels"] == ["ж", "🐧"]
    assert "🐧" in run("predict", path, "t.csv", "--proba", env=env, cwd=here).check().out
