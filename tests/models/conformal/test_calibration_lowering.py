"""The operations of prediction intervals against the calibrated model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.data.table import Table
from nncli.fitting.conformal import conformal_predictor
from nncli.models.conformal.uncertainty_options import UncertaintyOptions
from nncli.run_directory.run import Run
from nncli.targets.conformal import Interval
from tests.exporters.support import compute

CONFIG = """
data: {path: PATH, target: [y, z]}
loss: LOSS
layers: [8]
learning_rate: 0.02
batch_size: 32
epochs: 3
workers: 1
precision: float64
"""
QUANTILES = "{type: quantiles, levels: [0.05, 0.5, 0.95]}"
BAGGING = {
    "folds": ["members=3", "bagging=folds"],
    "bootstrap": ["members=3", "bagging=bootstrap"],
    "one": ["members=1", "validation=0.3"],
}


X = np.random.default_rng(3).uniform(0.0, 1.0, 200)
NOISE = np.random.default_rng(4).normal(size=200)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["mse", QUANTILES])
@pytest.mark.parametrize("bagging", BAGGING)
@pytest.mark.parametrize("signs", ["any", "one"])
def test_bounds_are_those_of_the_calibrated_model(tmp_path: Path, loss: str, bagging: str, signs: str) -> None:
    y, z = (np.round(X + NOISE, 1), 3.0 * X) if signs == "any" else (np.abs(NOISE), -np.square(X * NOISE))
    frame = pl.DataFrame({"x": X, "y": y, "z": z})
    frame.write_csv(tmp_path / "t.csv")
    (tmp_path / "c.yaml").write_text(CONFIG.replace("PATH", str(tmp_path / "t.csv")).replace("LOSS", loss))
    train(tmp_path / "c.yaml", output=tmp_path / "run", set=BAGGING[bagging])
    run = Run.open(tmp_path / "run")
    model: Any = run.load_model()
    options = UncertaintyOptions(interval=[0.9, 0.5, 0.05])
    conformal = conformal_predictor(run, model, options)
    assert conformal is not None
    table = Table(frame.select("x"), "t")
    if signs == "one":
        for interval in conformal.predict(table).of_type(Interval):
            assert (interval.lower[:, 0] >= 0.0).all()
            assert (interval.upper[:, 1] <= 0.0).all()
        assert (conformal.predict(table).of_type(Interval)[0].lower[:, 0] == 0.0).any()
    for (lower, upper), wanted in zip(
        compute(model, table, conformal).bounds, conformal.predict(table).of_type(Interval), strict=True
    ):
        np.testing.assert_allclose(lower, wanted.lower, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(upper, wanted.upper, rtol=1e-10, atol=1e-12)
