"""`nncli drift` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from tests.cli.support import DATA, Cli

TABLE = DATA / "penguins.csv"


def test_the_text_has_columns_predictions_and_scores(nncli: Cli, penguins: Path) -> None:
    out = nncli("drift", penguins, TABLE, "-q").check().out
    assert out.startswith("344 rows, compared with")
    for word in ("body_mass_g", "class of species", "largest probability", "accuracy", "valid while", "no drift"):
        assert word in out


def test_the_json_is_one_object(nncli: Cli, penguins: Path) -> None:
    done = nncli("drift", penguins, TABLE, "--every", 200, "--json").check()
    said = json.loads(done.out)
    assert done.out.count("\n") == 1
    assert set(said) == {"reference_rows", "limit", "drift", "batches"}
    assert [batch["rows"] for batch in said["batches"]] == [200, 144]
    first = said["batches"][0]
    assert set(first) == {"batch", "rows", "drift", "columns", "predictions", "performance"}
    assert first["performance"]["labeled_rows"] == 200
    assert {test["what"] for column in first["columns"] for test in column["tests"]} >= {"values", "missing"}


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


def test_rows_come_from_a_pipe(nncli: Cli, penguins: Path) -> None:
    assert nncli("drift", penguins, "-", stdin=TABLE.read_bytes()).check().out.startswith("344 rows")


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
