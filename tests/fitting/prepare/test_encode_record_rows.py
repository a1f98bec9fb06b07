"""The training and validation rows are recorded, each once; those that are left out are not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nncli.config.schema import Config
from nncli.data.table import Table
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.models.model import hash_rows

N = 50
TABLE = pl.DataFrame({"x": [i * 0.5 for i in range(N)], "y": [i % 7 / 3 for i in range(N)]})


def prepared(folder: Path, **more: object) -> PreparedTraining:
    TABLE.write_csv(folder / "t.csv")
    data = {"path": str(folder / "t.csv"), "target": "y", **({"leave_out": more.pop("leave_out")} if more else {})}
    return prepare(Config.model_validate({"data": data, "layers": [2], "validation": 0.2}))


def recorded(training: PreparedTraining) -> list[bool]:
    """Whether each row of the table is recorded."""
    hashes = hash_rows(training.spec.encoder, training.spec.target, Table(TABLE, "t"))
    return [training.recorded_rows.match(hashes[[i]]).matched == 1 for i in range(N)]


def test_training_and_validation_rows_are_recorded_once(tmp_path: Path) -> None:
    training = prepared(tmp_path)
    assert recorded(training) == [True] * N
    assert (training.recorded_rows.rows, training.recorded_rows.single_rows) == (N, N)


def test_rows_that_are_left_out_are_not_recorded(tmp_path: Path) -> None:
    assert sum(recorded(prepared(tmp_path, leave_out={"folds": 5, "fold": 1}))) == N - N // 5


@pytest.mark.parametrize("seed", [0, 1])
def test_rows_that_a_bootstrap_draws_repeatedly_count_once(tmp_path: Path, seed: int) -> None:
    TABLE.write_csv(tmp_path / "t.csv")
    config = {"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "validation": {"bootstrap": seed}}
    training = prepare(Config.model_validate({**config, "layers": [2]}))
    assert (training.recorded_rows.rows, training.recorded_rows.single_rows) == (N, N)
