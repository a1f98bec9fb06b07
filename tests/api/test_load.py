"""A run in memory, which predicts as often as it is asked."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import polars as pl

from nncli import evaluate, load, predict
from nncli.base.errors import RunError, UsageError
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"
FRAME = pl.read_csv(TABLE, null_values=["NA"])


def test_a_loaded_run_predicts_after_its_directory_was_deleted(penguins: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(penguins, tmp_path / "run")
    model = load(copy)
    shutil.rmtree(copy)
    wanted = predict(penguins, TABLE, proba=True, keep=["sex"])
    for _ in range(2):
        assert model.predict(TABLE, proba=True, keep=["sex"]).equals(wanted)
    assert model.predict(FRAME, proba=True, keep=["sex"]).equals(wanted)
    assert model.evaluate(FRAME) == evaluate(penguins, FRAME)


def test_a_pandas_frame_gets_the_predictions_of_the_file(penguins: Path) -> None:
    assert load(penguins).predict(pd.read_csv(TABLE)).equals(predict(penguins, TABLE))


def test_missing_values_of_the_training_table_are_missing_in_a_frame(penguins: Path) -> None:
    model, spelled = load(penguins), FRAME.with_columns(pl.col("island", "sex").fill_null("NA"))
    hidden, gone = pl.lit("NA"), pl.lit(None, pl.String)
    wanted = model.predict(FRAME.with_columns(island=gone), proba=True)
    assert model.predict(FRAME.with_columns(island=hidden), proba=True).equals(wanted)
    assert model.evaluate(spelled) == model.evaluate(FRAME)


def test_target_classes_and_features_are_attributes(penguins: Path, line: Path, pair: Path) -> None:
    model = load(penguins)
    assert model.target == ("species",)
    assert model.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert set(model.features) == set(FRAME.columns) - {"species", "year"}
    assert (load(line).target, load(line).classes) == (("y",), None)
    assert load(pair).target == ("x2", "y")


def test_threads_share_a_loaded_run(penguins: Path) -> None:
    model, parts = load(penguins), [FRAME[start::7] for start in range(7)]
    wanted = [model.predict(part, proba=True) for part in parts]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            got = pool.map(lambda part: model.predict(part, proba=True), parts)
            assert all(item.equals(other) for item, other in zip(got, wanted, strict=True))


def test_notes_and_errors_are_reported(penguins: Path, line: Path, tmp_path: Path) -> None:
    notes: list[str] = []
    load(penguins).predict(FRAME.with_columns(island=pl.lit("Atlantis")), on_note=notes.append)
    assert "'island': 344" in notes[0]
    with raises(UsageError, mentions="proba"):
        load(line).predict(DATA / "linear.csv", proba=True)
    with raises(RunError, file="nothing"):
        load(tmp_path / "nothing")
