"""A training in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.nn.training.epoch import DivergedError
from nncli.sklearn.training import Request, TargetColumns, fit, load_packed, plain
from nncli.targets.number import RegressionTarget

TABLE = pl.DataFrame({"x": np.linspace(-1.0, 1.0, 40), "y": np.linspace(0.0, 3.0, 40)})
COLUMNS = TargetColumns(TABLE.select("y"), None)


def request(**parameters: object) -> Request:
    return Request({"layers": [4], "epochs": 2}, parameters, RegressionTarget)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    fitted = fit(request(), TABLE, COLUMNS)
    with pytest.raises(ValueError, match="expected"):
        fit(request(epochs="many"), TABLE, COLUMNS)
    assert load_packed(fitted.files).predict(TABLE).equals(fitted.model.predict(TABLE))
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_keeps_nothing_and_does_not_say_otherwise() -> None:
    with pytest.raises(DivergedError) as caught:
        fit(request(optimizer="sgd", learning_rate=1e30, epochs=20), TABLE, COLUMNS)
    assert "kept" not in str(caught.value)
    assert "nncli-" not in str(caught.value)
    assert caught.value.hint


def test_parameters_may_be_numpy_s() -> None:
    value = {"layers": (np.int64(3), np.array([4, 5])), "rate": np.float32(0.5), "name": np.str_("x")}
    assert plain(value) == {"layers": [3, [4, 5]], "rate": 0.5, "name": "x"}
    assert type(plain(np.float64(1.0))) is float
