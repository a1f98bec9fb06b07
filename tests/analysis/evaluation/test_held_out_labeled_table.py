"""Predictions for the labeled rows of a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nncli import train
from nncli.analysis.evaluation.held_out import labeled_rows, predict_labeled
from nncli.base.errors import CellError, DataError
from nncli.data.table import Table
from nncli.run_directory.run import Run
from tests.assertions import raises

FRAME = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, None, 2.0, 5.0], "w": [1.0, 0.0, 2.0, 3.0]})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weighted")
    (folder / "t.csv").write_text("x,y,w\n" + "".join(f"{i},{2 * i},{1 + i % 3}\n" for i in range(40)))
    (folder / "c.yaml").write_text("data: {path: t.csv, target: y, sample_weight: w}\nlayers: []\nepochs: 2\n")
    return train(folder / "c.yaml", output=folder / "run").run


def test_rows_without_a_target_are_left_out_and_the_others_keep_their_numbers(run: Path) -> None:
    result = predict_labeled(run, lambda model: Table(FRAME, "t.csv"))
    assert result.split == "table"
    assert result.row_numbers.tolist() == [1, 3, 4]
    assert result.y.tolist() == [[1.0], [2.0], [5.0]]
    assert result.weights is not None
    assert result.weights.tolist() == [1.0, 2.0, 3.0]
    assert result.baseline.values[0] == pytest.approx((1 + 2 * 2 + 3 * 5) / 6)
    predicted = Run.open(run).load_model().predict(Table(FRAME, "t.csv")).values
    np.testing.assert_array_equal(result.predictions.values, predicted[[0, 2, 3]])


def test_a_table_without_the_weights_has_none(run: Path) -> None:
    assert predict_labeled(run, lambda model: Table(FRAME.drop("w"), "t.csv")).weights is None


def test_a_table_without_labels_is_an_error(run: Path) -> None:
    target = Run.open(run).load_model().spec.target
    with raises(DataError, file="t.csv", mentions="'y'"):
        labeled_rows(Table(FRAME.rename({"y": "Y"}), "t.csv"), target, ["x"])
    with raises(DataError, file="t.csv", column="y"):
        labeled_rows(Table(FRAME.with_columns(y=pl.lit(None, pl.Float64)), "t.csv"), target, ["x"])


@pytest.mark.parametrize(
    ("names", "is_advised"),
    [
        (["area", "rooms", "targets"], True),
        (["area", "targets"], False),
        (["targets"], False),
    ],
)
def test_renaming_to_the_target_is_advised_only_if_all_features_are_there(
    run: Path, names: list[str], is_advised: bool
) -> None:
    target = Run.open(run).load_model().spec.target.model_copy(update={"names": ("target",)})
    table = Table(pl.DataFrame({name: [1.0] for name in names}), "t.csv")
    with raises(DataError, file="t.csv", mentions="'target'") as caught:
        labeled_rows(table, target, ["area", "rooms"])
    assert ("'targets'" in str(caught.value)) is is_advised


def test_a_label_that_cannot_be_read_has_a_hint_without_a_key(run: Path) -> None:
    table = Table(pl.DataFrame({"x": ["1", "2"], "y": ["3", "1,234,5"]}), "t.csv")
    with raises(CellError, file="t.csv", row=2, column="y") as caught:
        predict_labeled(run, lambda model: table)
    assert "data." not in str(caught.value)
