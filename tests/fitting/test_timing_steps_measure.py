from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.fitting.prepare.load import load_table
from nncli.fitting.prepare.prepare import prepare
from nncli.fitting.timing import measure


def test_a_measurement_is_of_the_batch_of_the_whole_table_and_of_few_of_its_rows(tmp_path: Path) -> None:
    n = 4_000
    pl.DataFrame({"x": range(n), "y": np.linspace(0.0, 1.0, n)}).write_csv(tmp_path / "t.csv")
    config = Config.model_validate(
        {"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "layers": [4], "batch_size": "auto"}
    )
    with Scratch() as scratch:
        result = measure(config, load_table(config, config.data, scratch), 3_200, 0.25)
    assert (result.reading, result.batch_size, result.rows) == (0.25, 128, 1_500)
    assert 0.0 < result.step < 1.0
    assert 0.0 < result.prediction < result.step
    assert result.preparation(3_000) > result.preparation(1_500) == result.preparing


@pytest.mark.slow
def test_the_seconds_of_a_row_do_not_grow_with_the_table(tmp_path: Path) -> None:
    words = {f"c{i}": [f"word {k % 7}" for k in range(60_000)] for i in range(20)}
    pl.DataFrame(words | {"y": [k % 2 for k in range(60_000)]}).write_csv(tmp_path / "t.csv")
    config = Config.model_validate({"data": {"path": str(tmp_path / "t.csv"), "target": "y"}, "layers": [4]})
    with Scratch() as scratch:
        table = load_table(config, config.data, scratch)
        begin = time.perf_counter()
        whole = prepare(config, table=table)
        seconds = time.perf_counter() - begin
        # Other processes may stretch a measurement, and none makes it short: the least of three counts.
        expected = min(measure(config, table, len(whole.training), 0.0).preparation(60_000) for _ in range(3))
    assert len(table.row_groups) > 1
    assert expected < 5.0 * seconds


def test_an_error_of_a_measurement_names_the_row_of_the_table(tmp_path: Path) -> None:
    n = 4_000
    frame = pl.DataFrame({"x": range(n), "y": np.linspace(0.0, 1.0, n), "w": [1.0] * 100 + [-1.0] * (n - 100)})
    frame.write_csv(tmp_path / "t.csv")
    data = {"path": str(tmp_path / "t.csv"), "target": "y", "sample_weight": "w"}
    config = Config.model_validate({"data": data, "layers": [4]})
    with Scratch() as scratch, pytest.raises(DataError) as error:
        measure(config, load_table(config, config.data, scratch), 3_200, 0.0)
    rows = np.sort(np.random.default_rng(0).choice(n, 1_500, replace=False))
    location = error.value.location
    assert location is not None
    assert location.row == rows[rows >= 100][0] + 1
