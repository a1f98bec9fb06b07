"""The baseline beside the trials of a search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.scratch import Scratch
from nncli.tuning.prepared_search import baseline_score, prepare_search
from tests.tuning.searches import SPACE, loaded

pytest.importorskip("optuna")


def baseline(folder: Path, text: str) -> tuple[float | None, list[int]]:
    config = loaded(folder, text + SPACE)
    assert config.tune is not None
    with Scratch() as scratch:
        data = prepare_search(config, config.tune, scratch, ()).data
        return baseline_score(data), [int(row) for rows in data.fold_rows for row in rows]


def test_of_a_cross_validation_it_is_the_spread_of_all_rows(tmp_path: Path) -> None:
    y = np.arange(30.0) ** 2
    pl.DataFrame({"x": y, "y": y}).write_csv(tmp_path / "t.csv")
    score, _ = baseline(tmp_path, f"data: {{path: {tmp_path}/t.csv, target: y}}\nlayers: []\n")
    assert score == pytest.approx(y.std())
