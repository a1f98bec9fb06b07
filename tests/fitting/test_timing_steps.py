from __future__ import annotations

from pathlib import Path

import polars as pl

from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.timing import full_batches, seconds_per_prediction, seconds_per_step


def prepared(folder: Path, batch_size: int) -> PreparedTraining:
    pl.DataFrame({"x": range(100), "y": [0.5 * i for i in range(100)]}).write_csv(folder / "t.csv")
    data = {"path": str(folder / "t.csv"), "target": "y"}
    return prepare(Config.model_validate({"data": data, "layers": [4], "batch_size": batch_size}))


def test_steps_are_timed_without_changing_the_random_streams_of_the_training(tmp_path: Path) -> None:
    training = prepared(tmp_path, 16)
    before = training.streams.shuffle.bit_generator.state
    dataset = training.training.dataset
    y = dataset.y.copy()
    assert 0.0 < seconds_per_step(training.arguments, dataset, 1_000) < 1.0
    assert 0.0 < seconds_per_prediction(training.arguments, dataset) < 1.0
    assert training.streams.shuffle.bit_generator.state == before
    assert (dataset.y == y).all()


def test_timed_rows_are_whole_batches_or_all_rows(tmp_path: Path) -> None:
    training = prepared(tmp_path, 16)
    assert len(full_batches(training.arguments, training.training.dataset)) == 64
    training = prepared(tmp_path, 500)
    assert len(full_batches(training.arguments, training.training.dataset)) == 80
