"""`nncli.evaluate`: scores of a run on a labeled table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import evaluate, predict
from nncli.api.evaluate import evaluate_data
from nncli.api.options import EvaluateOptions
from nncli.base.errors import DataError, RunError
from nncli.run_directory.run import Run
from nncli.targets.metrics.classification import ClassificationScores
from tests.assertions import raises
from tests.cli.support import DATA

TABLE = DATA / "penguins.csv"
FRAME = pl.read_csv(TABLE, null_values=["NA"])


def test_the_accuracy_is_that_of_the_predictions(penguins: Path) -> None:
    result = evaluate(penguins, TABLE)
    assert isinstance(result.scores, ClassificationScores)
    predicted = predict(penguins, TABLE)["prediction"]
    assert result.scores["accuracy"] == (predicted == FRAME["species"]).mean()
    assert (result.rows, result.skipped) == (344, 0)


def test_the_rmse_is_that_of_the_predictions(line: Path) -> None:
    table = DATA / "linear.csv"
    metrics = evaluate(line, table).json()["metrics"]
    residuals = predict(line, table)["prediction"].to_numpy() - pl.read_csv(table)["y"].to_numpy()
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.mean(residuals**2)), rel=1e-5)


def test_a_model_that_is_no_better_than_one_prediction_for_all_rows_is_said_to_be(line: Path, penguins: Path) -> None:
    table = pl.read_csv(DATA / "linear.csv")
    assert not any("baseline" in text for text in evaluate(line, table).notes)
    shuffled = table.with_columns(pl.col("y").shuffle(seed=1))
    assert any("no better than the baseline" in text and "rmse" in text for text in evaluate(line, shuffled).notes)
    assert not any("baseline" in text for text in evaluate(line, shuffled[:5]).notes)  # too few to tell
    shuffled = FRAME.with_columns(pl.col("species").shuffle(seed=1))
    assert any("no better than the baseline" in text for text in evaluate(penguins, shuffled).notes)
    assert not any("baseline" in text for text in evaluate(penguins, FRAME).notes)


def test_a_file_a_frame_and_a_loaded_model_get_the_same_scores(penguins: Path) -> None:
    from_file = evaluate(penguins, TABLE).json()
    assert evaluate(penguins, str(TABLE)).json() == from_file
    assert evaluate(penguins, FRAME).json() == from_file
    run = Run.open(penguins)
    assert evaluate_data(run.load_model(), FRAME, EvaluateOptions(), run.load_training_rows()).json() == from_file


def test_rows_without_a_target_are_skipped(penguins: Path) -> None:
    some = pl.when(pl.int_range(pl.len()) >= 10).then("species")
    result = evaluate(penguins, FRAME.with_columns(species=some))
    assert (result.rows, result.skipped) == (334, 10)
    assert result.json()["metrics"] == evaluate(penguins, FRAME[10:]).json()["metrics"]


def test_unexpected_values_are_counted_in_labeled_rows_only(penguins: Path) -> None:
    frame = FRAME.with_columns(island=pl.lit("Atlantis"), species=pl.when(pl.int_range(pl.len()) < 5).then("species"))
    assert "'island': 5" in str(evaluate(penguins, frame).anomalies.note)


def test_a_table_without_labels_is_an_error(penguins: Path) -> None:
    with raises(DataError, file="the frame", mentions="'species'"):
        evaluate(penguins, FRAME.drop("species"))
    with raises(DataError, file="the frame", mentions="'specie'"):
        evaluate(penguins, FRAME.rename({"species": "specie"}))
    with raises(DataError, file="the frame", column="species"):
        evaluate(penguins, FRAME.with_columns(species=pl.lit(None, pl.String)))


def test_a_missing_run_is_an_error(tmp_path: Path) -> None:
    with raises(RunError, file="nothing"):
        evaluate(tmp_path / "nothing", TABLE)
