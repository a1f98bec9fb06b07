"""`nncli drift` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from nncli import drift
from nncli.base.errors import UsageError
from tests.cli.support import DATA, Cli

TABLE = DATA / "penguins.csv"


def test_the_text_has_columns_predictions_and_scores(nncli: Cli, penguins: Path) -> None:
    out = nncli("drift", penguins, TABLE, "-q").check().out
    assert out.startswith("344 rows, compared with")
    for word in ("body_mass_g", "class of species", "largest probability", "accuracy", "valid under", "no drift"):
        assert word in out


def test_the_json_is_one_object(nncli: Cli, penguins: Path) -> None:
    done = nncli("drift", penguins, TABLE, "--every", 200, "--json").check()
    said = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert (said["run"], said["data"]) == (str(penguins), str(TABLE))
    assert set(said) == {"run", "data", "reference_rows", "limit", "drift", "batches"}
    assert [batch["rows"] for batch in said["batches"]] == [200, 144]
    first = said["batches"][0]
    assert set(first) == {"batch", "rows", "drift", "columns", "predictions", "performance"}
    assert first["performance"]["labeled_rows"] == 200
    assert {test["kind"] for column in first["columns"] for test in column["tests"]} >= {"values", "missing"}


def test_drift_ends_with_code_1_only_if_asked(nncli: Cli, here: Path, penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""]).with_columns(pl.col("body_mass_g") + 500)
    frame.write_csv("moved.csv", null_value="NA")
    assert nncli("drift", penguins, "moved.csv").code == 0
    done = nncli("drift", penguins, "moved.csv", "--fail-on", "drift")
    assert done.code == 1
    assert "have drifted" in done.out
    assert nncli("drift", penguins, TABLE, "--fail-on", "drift").code == 0


def test_batches_are_lines(nncli: Cli, penguins: Path) -> None:
    lines = nncli("drift", penguins, TABLE, "--by", "island", "-q").check().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["Biscoe", "Dream", "Torgersen"]
    assert lines[-1] == "3 of 3 batches have drifted"


def test_a_finding_has_the_numbers_of_its_own_test(nncli: Cli, here: Path, penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""])
    moved = pl.col("body_mass_g") + 500
    frame.with_columns(pl.when(pl.int_range(pl.len()) % 3 > 0).then(moved)).write_csv("new.csv", null_value="NA")
    done = nncli("drift", penguins, "new.csv", "-q").check()
    (column,) = (
        column
        for column in drift(penguins, here / "new.csv").batches[0].comparison.columns
        if column.name == "body_mass_g"
    )
    assert column.drifted == ("missing", "values")
    lines = [line.split() for line in done.out.splitlines() if line.startswith("body_mass_g ")]
    assert [line[:3] for line in lines] == [["body_mass_g", item.kind, f"{item.psi:.4g}"] for item in column.shown]
    nncli("drift", penguins, "new.csv", "--html", "drift.html").check()
    page = (here / "drift.html").read_text("utf-8")
    assert all(f"{item.psi:.4g}" in page for item in column.shown)
    assert "in training" in page
    assert f"new.csv is compared with the training rows of the run {penguins}" in page


def test_a_column_of_missing_cells_alone_has_numbers(nncli: Cli, here: Path, penguins: Path) -> None:
    frame = pl.read_csv(TABLE, null_values=["NA", ""])
    frame.with_columns(pl.lit(None, pl.Float64).alias("body_mass_g")).write_csv("new.csv", null_value="NA")
    lines = nncli("drift", penguins, "new.csv", "-q").check().out.splitlines()
    (line,) = (line.split() for line in lines if line.startswith("body_mass_g "))
    assert line[1] == "missing"
    assert float(line[2]) > 1


def test_predictions_are_named_as_such(nncli: Cli, here: Path, line: Path) -> None:
    frame = pl.read_csv(DATA / "linear.csv").with_columns(pl.col("x1") + 2.0)
    frame.write_csv("new.csv")
    out = nncli("drift", line, "new.csv", "--every", 50, "-q").check().out
    assert "prediction of y" in out


def test_a_run_without_held_out_rows_says_what_is_not_compared(nncli: Cli, here: Path) -> None:
    nncli(
        "train",
        DATA / "linear.csv",
        "-t",
        "y",
        "--set",
        "epochs=1",
        "--set",
        "members=1",
        *("--set", "validation=0", "-o", "run", "-q"),
    ).check()
    done = nncli("drift", "run", DATA / "linear.csv").check()
    assert "predictions and scores are not compared" in done.err


@pytest.mark.parametrize("option", [("--every", 0), ("--limit", -1)])
def test_a_number_that_is_too_small_is_refused_in_words(nncli: Cli, penguins: Path, option: tuple[str, int]) -> None:
    done = nncli("drift", penguins, TABLE, *option)
    assert done.code == UsageError.exit_code
    assert "Input should be" not in done.err
    assert f"{option[0]} is {option[1]}" in done.err


def test_rows_come_from_a_pipe(nncli: Cli, penguins: Path) -> None:
    assert nncli("drift", penguins, "-", stdin=TABLE.read_bytes()).check().out.startswith("344 rows")


def test_predict_says_how_many_rows_the_profile_has_now(nncli: Cli, here: Path, penguins: Path) -> None:
    words = ("predict", penguins, TABLE, "-o", "out.csv", "--force", "--profile", "seen.json")
    assert "344 rows added to seen.json, which has 344 now" in nncli(*words).check().err
    assert "344 rows added to seen.json, which has 688 now" in nncli(*words).check().err
    assert nncli(*words, "-q").check().err == ""


def test_a_profile_needs_one_output_and_its_name(nncli: Cli, here: Path, penguins: Path) -> None:
    assert nncli("predict", penguins, TABLE, "-o", "out/", "--profile", "seen.json").code == 2
    assert nncli("predict", penguins, TABLE, "-o", "out.csv", "--profile", "seen.csv").code == 2
    assert nncli("predict", penguins, TABLE, "-o", "out.csv", "--profile", "none/seen.json").code == 2
    assert [path.name for path in here.iterdir()] == []


def test_the_page_has_a_chart_for_each_column_that_has_drifted(nncli: Cli, here: Path, penguins: Path) -> None:
    nncli("drift", penguins, TABLE, "--by", "island", "--html", "drift.html").check()
    page = (here / "drift.html").read_text("utf-8")
    assert page.count("<svg") >= 3
    assert "Biscoe" in page
    assert "training rows" in page
    assert nncli("drift", penguins, TABLE, "--html", "drift.html").code == 2
    assert nncli("drift", penguins, TABLE, "--html", "drift.txt").code == 2
    nncli("drift", penguins, TABLE, "--html", "drift.html", "--force").check()
    assert "There is no drift." in (here / "drift.html").read_text("utf-8")
