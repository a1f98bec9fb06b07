from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from tests.assertions import raises


def prepared(folder: Path, frame: pl.DataFrame, data: Mapping[str, object], **keys: object) -> PreparedTraining:
    frame.write_csv(folder / "t.csv")
    return prepare(
        Config.model_validate({"data": {"path": str(folder / "t.csv"), **data}, "layers": [], "validation": 0, **keys})
    )


def test_a_regression_target_is_kept_in_its_units_and_encoded_standardized(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": range(40), "y": [10.0 * i for i in range(40)]})
    rows = prepared(tmp_path, frame, {"target": "y"}).training
    assert rows.y[:, 0].tolist() == frame["y"].to_list()
    assert abs(float(rows.dataset.y.mean())) < 1e-6
    assert float(rows.dataset.y.std()) == pytest.approx(1.0, rel=1e-6)


def test_weights_are_the_product_of_sample_weight_and_class_weight(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": range(40), "w": [1.0, 2.0] * 20, "label": ["a"] * 10 + ["b"] * 30})
    data = {"target": "label", "sample_weight": "w"}
    rows = prepared(tmp_path, frame, data, class_weight={"a": 3.0, "b": 1.0}).training
    assert rows.weights is not None
    assert rows.weights.tolist() == frame["w"].to_list()
    assert rows.dataset.weights is not None
    ratio = rows.dataset.weights / rows.weights
    assert np.unique(ratio[:10]).size == np.unique(ratio[10:]).size == 1
    assert ratio[0] == pytest.approx(3.0 * ratio[10], rel=1e-6)


def test_a_target_beyond_float32_is_refused_with_its_row(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": range(40), "y": [1.0] * 39 + [1e39]})
    with raises(DataError, file="t.csv", row=40, column="y"):
        prepared(tmp_path, frame, {"target": "y"}, encoding={"target": "none"})
