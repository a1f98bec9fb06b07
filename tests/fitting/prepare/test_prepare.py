from __future__ import annotations

from pathlib import Path

import polars as pl

from nncli.config.schema import Config
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from tests.assertions import lines


def prepared(folder: Path, **keys: object) -> PreparedTraining:
    frame = pl.DataFrame({"x": range(50), "y": [None, *(0.5 * i for i in range(49))], "empty": [None] * 50})
    frame.write_csv(folder / "t.csv")
    return prepare(
        Config.model_validate({"data": {"path": str(folder / "t.csv"), "target": "y"}, "layers": [4], **keys})
    )


def test_every_inferred_value_is_written_into_the_configuration(tmp_path: Path) -> None:
    config = prepared(tmp_path, batch_size="auto", epochs="auto").config
    assert config.data.features == ("x",)
    assert dict(config.data.columns) == {"x": "numeric"}
    assert config.loss is not None
    assert config.loss.type == "mse"
    assert isinstance(config.batch_size, int)
    assert isinstance(config.epochs, int)
    assert config.encoding.target == "standard"


def test_rows_without_a_target_and_empty_columns_are_noted_in_the_order_of_the_steps(tmp_path: Path) -> None:
    result = prepared(tmp_path)
    without_target, empty = lines(result.findings)
    assert "1 of 50" in without_target
    assert "'empty'" in empty
    assert result.table_rows == 50
    assert len(result.training) + len(result.validation or ()) == 49


def test_a_prepared_configuration_prepares_the_same_model(tmp_path: Path) -> None:
    first = prepared(tmp_path)
    second = prepare(first.config)
    assert (second.spec, second.config) == (first.spec, first.config)
