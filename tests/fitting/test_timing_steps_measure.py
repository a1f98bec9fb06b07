from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.fitting.prepare.load import load_table
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
