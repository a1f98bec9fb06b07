"""Intervals and sets of `predict`: what is written, for which runs, and what is refused."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, load, predict, predict_files, train
from nncli.api.options import PredictOptions
from nncli.api.prediction.many_files.job import RECORD
from nncli.api.prediction.tables import predict_chunks
from nncli.base.errors import DataError, NncliError, RunError, UsageError
from nncli.models.conformal.predictor import ConformalPredictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.models.read_table import table_of
from nncli.run_directory.manifest import HELD_OUT
from nncli.run_directory.run import Run
from tests.api.ensembles import written
from tests.assertions import raises
from tests.cli.support import DATA, Cli

PENGUINS, LINE = DATA / "penguins.csv", DATA / "linear.csv"


def test_intervals_follow_the_prediction(line: Path) -> None:
    frame = predict(line, LINE, interval=[0.9, 0.5], keep=["x1"])
    assert frame.columns == ["x1", "prediction", "lower_90", "upper_90", "lower_50", "upper_50"]
    ordered = ["lower_90", "lower_50", "prediction", "upper_50", "upper_90"]
    for low, high in pairwise(ordered):
        assert (frame[low] <= frame[high]).all()
    y = pl.read_csv(LINE)["y"]
    assert y.is_between(frame["lower_90"], frame["upper_90"]).to_numpy().mean() > 0.85


def test_every_target_has_an_interval(pair: Path) -> None:
    frame = predict(pair, LINE, interval=0.9)
    assert frame.columns[2:] == ["lower_90_x2", "upper_90_x2", "lower_90_y", "upper_90_y"]


def test_a_file_and_its_chunks_have_the_same_intervals(line: Path) -> None:
    loaded, frame = load(line), pl.read_csv(LINE).drop("y")
    predictor = loaded._calibrated(UncertaintyOptions(interval=0.9))
    tables = (table_of(loaded.model, part) for part in frame.iter_slices(7))
    parts = pl.concat(predict_chunks(loaded.model, tables, PredictOptions(), conformal=predictor))
    assert parts.equals(predict(line, LINE, interval=0.9))
    assert loaded.predict(frame, interval=0.9).equals(parts)
    assert loaded._calibrated(UncertaintyOptions(interval=0.9)) is predictor


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.jsonl", "t.csv", "t.tsv"])
def test_a_set_is_a_list_where_cells_can_be_lists(nncli: Cli, here: Path, penguins: Path, name: str) -> None:
    nncli("predict", penguins, PENGUINS, "--prediction-set", "0.9", "--prediction-set", "0.95", "-o", name).check()
    expected = predict(penguins, PENGUINS, prediction_set=[0.9, 0.95])["set_90"].to_list()
    if name.endswith("jsonl"):
        assert [json.loads(text)["set_90"] for text in (here / name).read_text().splitlines()] == expected
    elif name.endswith("sv"):
        cells = pl.read_csv(here / name, separator="\t" if name == "t.tsv" else ",")["set_90"].fill_null("")
        assert [cell.split("|") if cell else [] for cell in cells] == expected
    else:
        frame = pl.read_parquet(here / name) if name == "t.parquet" else pl.read_ipc(here / name)
        assert frame["set_90"].to_list() == expected


@pytest.mark.slow
def test_sets_are_text_in_a_database(nncli: Cli, here: Path, penguins: Path) -> None:
    nncli(
        "predict", penguins, PENGUINS, "--prediction-set", "0.9", "-o", "sqlite:///t.db", "--output-table", "t"
    ).check()
    cells = pl.read_database("select set_90 from t", sqlite3.connect("t.db"))["set_90"]
    assert [cell.split("|") if cell else [] for cell in cells] == predict(penguins, PENGUINS, prediction_set=0.9)[
        "set_90"
    ].to_list()


def test_many_files_have_the_same_intervals(line: Path, tmp_path: Path) -> None:
    for part in range(2):
        pl.read_csv(LINE)[part::2].write_csv(tmp_path / f"{part}.csv")
    done = predict_files(line, tmp_path / "*.csv", tmp_path / "out", interval=0.9, workers=1)
    frame = predict(line, LINE, interval=0.9)
    assert pl.read_csv(tmp_path / "out" / "1.csv").equals(frame[1::2])
    assert not done.failed
    again = predict_files(line, tmp_path / "*.csv", tmp_path / "out", interval=0.9, workers=1)
    assert len(again.skipped) == 2
    record = tmp_path / "out" / RECORD
    older = {"interval": "intervals", "prediction_set": "sets", "conformity_score": "score"}
    for name in older:
        assert f'"{name}"' in record.read_text()
        record.write_text(record.read_text().replace(f'"{name}"', f'"{older[name]}"'))
    resumed = predict_files(line, tmp_path / "*.csv", tmp_path / "out", interval=0.9, workers=1)
    assert len(resumed.skipped) == 2
    with raises(UsageError):  # answers with other options
        predict_files(line, tmp_path / "*.csv", tmp_path / "out", interval=0.5, workers=1)


def test_groups_are_read_from_the_training_table(penguins: Path) -> None:
    notes: list[str] = []
    frame = pl.read_csv(PENGUINS, null_values="NA").with_columns(island=pl.lit("Elba"))
    of_training = predict(penguins, PENGUINS, prediction_set=0.5, by="island", keep=["island"])
    other = predict(penguins, frame, prediction_set=0.5, by="island", on_note=notes.append)
    assert not of_training["set_50"].equals(other["set_50"])
    assert any("344 rows" in note for note in notes)
    with raises(DataError, file="penguins.csv"):
        predict(penguins, PENGUINS, prediction_set=0.5, by="planet")
    with raises(DataError):
        predict(penguins, frame.drop("year"), prediction_set=0.5, by="year")


def test_rare_classes_are_covered_too(penguins: Path) -> None:
    frame = predict(penguins, PENGUINS, prediction_set=0.9, per_class=True, conformity_score="aps", keep=["species"])
    covered = frame.select("species", covered=pl.col("set_90").list.contains(pl.col("species")))
    for rows in covered.partition_by("species"):
        assert rows["covered"].to_numpy().mean() > 0.8


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("line", {"interval": 1.0}, UsageError),
        ("line", {"prediction_set": 0.9}, UsageError),
        ("line", {"interval": 0.9999}, UsageError),
        ("line", {"by": "x1"}, UsageError),
        ("penguins", {"interval": 0.9}, UsageError),
        ("penguins", {"prediction_set": 0.9, "per_class": True, "by": "island"}, UsageError),
    ],
)
def test_what_does_not_fit_the_run_is_refused_with_a_hint(
    request: pytest.FixtureRequest, kind: str, options: dict[str, Any], error: type[NncliError]
) -> None:
    run, table = request.getfixturevalue(kind), LINE if kind == "line" else PENGUINS
    with raises(error) as caught:
        predict(run, table, **options)
    assert caught.value.hint


def test_a_run_of_an_older_version_says_to_train_again(line: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(line, old)
    (old / HELD_OUT).unlink()
    assert predict(old, LINE).width == 1
    with raises(RunError, file="old", mentions="nncli train"):
        predict(old, LINE, interval=0.9)


def test_a_run_without_validation_rows_says_what_to_do(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"data: {{path: {LINE}, target: y}}\nlayers: []\nepochs: 1\nvalidation: 0\n")
    run = train(config, output=tmp_path / "run").run
    with raises(RunError, file="run", mentions="validation=0.2"):
        predict(run, LINE, interval=0.9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("assignments", "method"),
    [
        (("bagging=folds",), "CV+"),
        (("bagging=bootstrap",), "jackknife+-after-bootstrap"),
        (("bagging=seeds", "validation=0.3"), "jackknife+-after-bootstrap"),
    ],
)
def test_ensembles_are_calibrated_by_what_their_members_held_out(
    tmp_path: Path, assignments: tuple[str, ...], method: str
) -> None:
    run = train(written(tmp_path, *assignments, "epochs=1"), output=tmp_path / "run").run
    loaded = load(run)
    frame = loaded.predict(PENGUINS, prediction_set=[0.9, 0.5])
    (predictor,) = loaded._calibrated_models.values()
    assert predictor.groups.method == method
    assert frame["prediction"].equals(loaded.predict(PENGUINS)["prediction"])
    assert (frame["set_90"].list.len() >= frame["set_50"].list.len()).all()


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on prices, whose errors are large in one city."""
    folder = tmp_path_factory.mktemp("prices")
    rng = np.random.default_rng(0)
    city, area = np.where(np.arange(400) % 5, "Bern", "Zug"), rng.uniform(30.0, 200.0, 400)
    price = np.abs(area * (1.0 + np.where(city == "Zug", 1.0, 0.05) * rng.normal(size=400)))
    pl.DataFrame({"area": area, "city": city, "price": price}).write_csv(folder / "prices.csv")
    train(folder / "prices.csv", target="price", set=["layers=[8]", "epochs=20", "members=4"], output=folder / "run")
    return folder


@pytest.mark.slow
def test_a_group_that_is_rarely_covered_is_named_with_what_helps(prices: Path) -> None:
    notes = list[str]()
    predict(prices / "run", prices / "prices.csv", interval=0.9, on_note=notes.append)
    (note,) = (note for note in notes if note.startswith("level 0.9"))
    assert "80 out-of-fold rows whose 'city' is 'Zug'" in note
    assert "by='city'" in note
    assert note in evaluate(prices / "run", prices / "prices.csv", interval=0.9).notes
    notes.clear()
    predict(prices / "run", prices / "prices.csv", interval=0.9, by="city", on_note=notes.append)
    assert not any("whose 'city'" in note for note in notes)


@pytest.mark.slow
def test_bounds_of_prices_are_not_below_zero(prices: Path) -> None:
    frame = predict(prices / "run", prices / "prices.csv", interval=[0.9, 0.99])
    assert frame["lower_99"].min() == 0.0
    assert (frame["lower_99"] <= frame["lower_90"]).all()


@pytest.mark.slow
def test_a_run_without_the_record_has_the_same_bounds_as_before(prices: Path) -> None:
    run = Run.open(prices / "run")
    rows = run.load_held_out()
    assert rows is not None
    assert rows.signs == (1,)
    old = replace(rows, signs=(), categories=())
    predictor = ConformalPredictor.of(run.load_model(), old, UncertaintyOptions(interval=0.99))
    frame = predict(prices / "run", prices / "prices.csv", interval=0.99)
    before = predictor.predict(table_of(run.load_model(), pl.read_csv(prices / "prices.csv"))).frame()
    assert before["lower_99"].min() < 0.0  # type: ignore[operator]
    assert before.with_columns(pl.col("lower_99").clip(0.0)).equals(frame)
