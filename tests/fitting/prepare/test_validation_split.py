"""The training, validation and left-out rows of a configuration, identified by their numbers in the table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nncli.base.errors import DataError
from nncli.base.scratch import Scratch
from nncli.config.schema import Config
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.store.column_store import ColumnStore
from nncli.fitting.prepare.load import load_table
from nncli.fitting.prepare.prepare import PreparedTraining, prepare
from nncli.fitting.prepare.validation import split_table
from nncli.nn.training.state import RandomStreams
from nncli.targets.number import RegressionTarget
from tests.assertions import raises

N = 120
TABLE = pl.DataFrame(
    {
        "x": [float(i * 37 % N) for i in range(N)],
        "who": [f"p{i * 7 % 30}" for i in range(N)],
        "day": [f"2024-{1 + i % 12:02}-{1 + i // 12:02}" for i in range(N)],
        "y": [float(i) for i in range(N)],
        "label": ["ab"[i % 3 == 0] for i in range(N)],
    }
)


@pytest.fixture(params=["csv", "parquet"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"t.{request.param}"
    if request.param == "csv":
        TABLE.write_csv(path)
    else:
        TABLE.write_parquet(path, row_group_size=50)
    return path


def prepared(path: Path, data: dict[str, Any], target: str = "y", **more: Any) -> PreparedTraining:
    drop = [{"y": "label", "label": "y"}[target]]
    return prepare(Config.model_validate({"data": {"path": str(path), "target": target, "drop": drop, **data}, **more}))


def numbers(some: PreparedTraining) -> tuple[list[int], list[int]]:
    """Of the training and of the validation rows, from 1."""
    sides = [
        side.row_numbers
        for side in (some.training, some.validation)
        if side is not None and side.row_numbers is not None
    ]
    training, validation = [*sides, np.empty(0, np.int64)][:2]
    return training.tolist(), validation.tolist()


def values(numbers: list[int], name: str) -> list[Any]:
    return TABLE[name].gather([n - 1 for n in numbers]).to_list()


@pytest.mark.slow
def test_validation_folds_cover_every_row_once(path: Path) -> None:
    folds = [prepared(path, {}, "label", validation={"folds": 5, "fold": k}, seed=k) for k in range(5)]
    assert sorted(n for some in folds for n in numbers(some)[1]) == list(range(1, N + 1))
    for some in folds:
        training, validation = numbers(some)
        assert sorted(training + validation) == list(range(1, N + 1))
        assert some.validation is not None
        assert some.spec.target.names == ("label",)
        assert values(validation, "label").count("b") == 8


def test_the_training_seed_does_not_change_the_folds(path: Path) -> None:
    a, b = (prepared(path, {}, validation={"folds": 5, "fold": 1}, seed=seed) for seed in (0, 1))
    assert numbers(a) == numbers(b)


@pytest.mark.slow
def test_left_out_rows_are_in_neither_split(path: Path) -> None:
    left = {"leave_out": {"folds": 4, "fold": 2, "seed": 9}}
    out = numbers(prepared(path, {}, validation={"folds": 4, "fold": 2, "seed": 9}))[1]
    for validation in (0.2, 0, {"folds": 3, "fold": 0}, {"bootstrap": 1}):
        training, held = numbers(prepared(path, left, validation=validation))
        assert {*training, *held} == {*range(1, N + 1)} - {*out}
        assert not {*training} & {*held}


@pytest.mark.parametrize("validation", [0.2, {"folds": 5, "fold": 3}, {"bootstrap": 4}])
def test_a_group_is_in_one_split_and_its_column_is_not_a_feature(path: Path, validation: object) -> None:
    some = prepared(path, {"group": "who", "leave_out": {"folds": 4, "fold": 0}}, validation=validation)
    training, held = numbers(some)
    assert held
    assert not {*values(training, "who")} & {*values(held, "who")}
    assert [column.name for column in some.spec.encoder.columns] == ["x", "day"]


@pytest.mark.parametrize("validation", [0.2, {"folds": 3, "fold": 1}])
def test_with_time_the_validation_rows_are_the_latest(path: Path, validation: object) -> None:
    some = prepared(path, {"time": "day", "leave_out": {"folds": 2, "fold": 1}}, validation=validation)
    training, held = numbers(some)
    assert max(values(training, "day")) < min(values(held, "day"))
    assert [column.name for column in some.spec.encoder.columns] == ["x", "who", "day"]


def test_a_group_or_time_column_can_be_a_feature_explicitly(path: Path) -> None:
    some = prepared(path, {"group": "who", "features": ["who", "x"]})
    assert [column.name for column in some.spec.encoder.columns] == ["who", "x"]


def test_a_dropped_column_can_still_be_the_group(path: Path) -> None:
    some = prepared(path, {"group": "who", "drop": ["who", "label"]})
    training, held = numbers(some)
    assert not {*values(training, "who")} & {*values(held, "who")}


def test_a_row_drawn_twice_is_trained_on_twice(path: Path) -> None:
    some = prepared(path, {"features": ["x"]}, validation={"bootstrap": 3})
    training, held = numbers(some)
    assert len(training) == N
    assert len(set(training)) < N
    assert {*training, *held} == {*range(1, N + 1)}
    assert some.training.y[:, 0].tolist() == values(training, "y")
    column = some.spec.encoder.columns[0]
    assert isinstance(column, NumericColumn)
    assert column.center == pytest.approx(np.mean(values(training, "x")))


def test_an_invalid_time_is_refused_with_its_row(tmp_path: Path) -> None:
    TABLE.with_columns(day=pl.when(pl.int_range(pl.len()) == 6).then(pl.lit("soon")).otherwise("day")).write_csv(
        tmp_path / "t.csv"
    )
    with raises(DataError, file="t.csv", row=7, column="day", mentions="'soon'"):
        prepared(tmp_path / "t.csv", {"time": "day"})


def test_a_validation_file_needs_no_group(path: Path, tmp_path: Path) -> None:
    TABLE.head(10).drop("who").write_csv(tmp_path / "v.csv")
    some = prepared(path, {"group": "who"}, validation={"path": str(tmp_path / "v.csv")})
    assert some.validation is not None
    assert (len(some.training), len(some.validation)) == (N, 10)


LEAVE_OUT = {"leave_out": {"folds": 3, "fold": 0}}


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    frame = pl.DataFrame({"x": range(30), "id": range(30), "y": [0.5 * i for i in range(30)]})
    frame.write_csv(tmp_path / "t.csv")
    frame.head(6).write_csv(tmp_path / "v.csv")
    return tmp_path


def split_with_file(
    folder: Path, scratch: Scratch, data: dict[str, Any], *, all_columns: bool
) -> list[ColumnStore | None]:
    config = Config.model_validate(
        {
            "data": {"path": str(folder / "t.csv"), "target": "y", "drop": ["id"], **data},
            "validation": {"path": str(folder / "v.csv")},
        }
    )
    table = load_table(config, config.data, scratch, all_columns=all_columns)
    rng = RandomStreams.of(0).split
    split = split_table(config, table, RegressionTarget, rng, scratch, all_columns=all_columns)
    return [split.training_store, split.validation_store]


@pytest.mark.parametrize("data", [{}, LEAVE_OUT], ids=["all rows", "a fold left out"])
def test_a_validation_file_keeps_the_requested_columns(tables: Path, data: dict[str, Any]) -> None:
    with Scratch() as scratch:
        _, validation = split_with_file(tables, scratch, data, all_columns=False)
        assert validation is not None
        assert set(validation.types) == {"x", "y"}
        _, validation = split_with_file(tables, scratch, data, all_columns=True)
        assert validation is not None
        assert validation.columns(["id"]).frame["id"].cast(pl.Float64).to_list() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
