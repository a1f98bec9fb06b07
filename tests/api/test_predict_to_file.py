"""Predictions in a file or a database, from Python."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from nncli import predict, predict_to_file
from nncli.api.predict import WrittenPredictions
from nncli.base.errors import UsageError
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"


def test_the_file_has_the_predictions_of_predict(penguins: Path, here: Path) -> None:
    notes: list[str] = []
    written = predict_to_file(penguins, TABLE, here / "out.parquet", keep=["sex"], proba=True, on_note=notes.append)
    assert isinstance(written, WrittenPredictions)
    expected = predict(penguins, TABLE, keep=["sex"], proba=True)
    assert pl.read_parquet(here / "out.parquet").equals(expected)
    assert (written.target, written.summary.rows, written.profiled_rows) == (here / "out.parquet", len(expected), None)
    assert written.summary.notes is not None
    assert notes


def test_rows_are_added_to_a_table_of_a_database_and_to_a_profile(penguins: Path, here: Path) -> None:
    database = "sqlite:///out.db"
    predict_to_file(penguins, TABLE, database, output_table="answers", profile=here / "seen.json")
    again = predict_to_file(penguins, TABLE, database, output_table="answers", append=True, profile=here / "seen.json")
    assert isinstance(again, WrittenPredictions)
    assert again.profiled_rows == 2 * again.summary.rows
    with closing(sqlite3.connect("out.db")) as connection:
        (count,) = connection.execute("SELECT count(prediction) FROM answers").fetchone()
    assert count == 2 * again.summary.rows


@pytest.mark.parametrize("name", ["out.csv", "out", "errors.csv"])
def test_nothing_is_replaced_and_a_name_tells_the_format(name: str, penguins: Path, here: Path) -> None:
    (here / "out.csv").write_text("kept")
    with raises(UsageError, file=name):
        predict_to_file(penguins, TABLE, name, on_error="skip", errors="errors.csv")
    assert (here / "out.csv").read_text() == "kept"
    assert not (here / "errors.csv").exists()
