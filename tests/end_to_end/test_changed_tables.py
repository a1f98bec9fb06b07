"""What a trained run makes of a table that is not quite like its own: the same bits, or a refusal that says what is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli import evaluate, predict, train
from nncli.base.errors import CellError, DataError
from tests.assertions import raises

Change: TypeAlias = Callable[[pl.DataFrame], pl.DataFrame]
CONFIGURATION = """
data: {path: t.csv, target: grade, columns: {code: categorical}}
layers: [6]
epochs: 3
loss: cross_entropy
"""
rng = np.random.default_rng(5)
TABLE = pl.DataFrame(
    {
        "size": rng.integers(0, 50, 120),
        "weight": rng.integers(0, 400, 120) / 4,
        "town": rng.choice(["Oslo", "Rome", "Lima"], 120),
        "code": rng.integers(1, 4, 120),
        "grade": rng.integers(1, 4, 120),
    }
)
FEATURES = TABLE.drop("grade")


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two columns of numbers, one of words, one of numbers that are names, and whole numbers as classes."""
    folder = tmp_path_factory.mktemp("contract")
    TABLE.write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(CONFIGURATION)
    return train(folder / "c.yaml", output=folder / "run").run


@pytest.fixture(scope="module")
def expected(graded: Path) -> pl.DataFrame:
    return predict(graded, FEATURES, proba=True)


def cast(name: str, kind: pl.DataType | type[pl.DataType]) -> Change:
    def change(frame: pl.DataFrame) -> pl.DataFrame:
        cells = pl.col(name).cast(pl.String) if kind == pl.Categorical else pl.col(name)
        return frame.with_columns(cells.cast(kind))

    return change


def put(name: str, row: int, cell: object) -> Change:
    """Another cell, in a column of text."""

    def change(frame: pl.DataFrame) -> pl.DataFrame:
        cells: list[object] = frame[name].cast(pl.String).to_list()
        cells[row] = cell
        return frame.with_columns(pl.Series(name, cells, dtype=pl.String))

    return change


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations(range(7)),
    extra=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=3, max_size=3, unique=True),
)
def test_column_order_and_extra_columns_change_no_prediction(
    graded: Path, expected: pl.DataFrame, order: list[int], extra: list[str]
) -> None:
    extra = [f"{name}{n}" if name in FEATURES.columns else name for n, name in enumerate(extra)]
    odd = [
        pl.Series(extra[0], [date(2020, 1, 1)] * 120),
        pl.Series(extra[1], [[1]] * 120),
        pl.Series(extra[2], ["="] * 120),
    ]
    columns = [*FEATURES.get_columns(), *odd]
    assert predict(graded, pl.DataFrame([columns[j] for j in order]), proba=True).equals(expected)


def test_predict_ignores_the_target_column(graded: Path, expected: pl.DataFrame) -> None:
    for target in (pl.lit(None), pl.lit("no class at all"), pl.lit(date(2020, 1, 1))):
        assert predict(graded, FEATURES.with_columns(grade=target), proba=True).equals(expected)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(cast("size", pl.String), id="numbers as text"),
        pytest.param(cast("size", pl.Categorical), id="numbers as categories"),
        pytest.param(cast("size", pl.Float64), id="whole numbers as floats"),
        pytest.param(cast("size", pl.UInt8), id="narrower numbers"),
        pytest.param(cast("weight", pl.Float32), id="halves and quarters as float32"),
        pytest.param(cast("weight", pl.Decimal(12, 2)), id="decimals"),
        pytest.param(lambda frame: frame.with_columns(weight=pl.format(" {}e0 ", "weight")), id="another spelling"),
        pytest.param(cast("town", pl.Categorical), id="text as categories"),
        pytest.param(cast("town", pl.Enum(["Rome", "Oslo", "Lima", "Bonn"])), id="text as an enum"),
        pytest.param(cast("code", pl.String), id="names that are numbers, as text"),
        pytest.param(cast("code", pl.Float32), id="names that are numbers, as floats"),
    ],
)
@pytest.mark.parametrize("suffix", [None, ".csv", ".parquet", ".jsonl"])
def test_a_column_of_another_type_gives_the_same_predictions(
    graded: Path, expected: pl.DataFrame, tmp_path: Path, change: Change, suffix: str | None
) -> None:
    table = change(FEATURES)
    if suffix is None:
        assert predict(graded, table, proba=True).equals(expected)
        return
    path = tmp_path / f"t{suffix}"
    if suffix == ".csv":
        if table["code"].dtype == pl.Float32:
            pytest.skip("a CSV spells 1.0, which is another name than 1")
        table.write_csv(path)
    elif suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_ndjson(path)
    assert predict(graded, path, proba=True).equals(expected)


@pytest.mark.parametrize(
    ("change", "row", "column", "mentions"),
    [
        (lambda frame: frame.drop("weight"), None, None, "'weight'"),
        (lambda frame: frame.rename({"weight": "wieght"}), None, None, "'wieght'"),
        (lambda frame: frame.rename({"town": "Town"}), None, None, "'Town'"),
        (lambda frame: frame.drop("weight", "town"), None, None, "'weight' and 'town'"),
        (put("size", 7, "large"), 8, "size", "'large'"),
        (put("size", 7, "1,5"), 8, "size", "'1,5'"),
        (put("size", 7, "inf"), 8, "size", "'inf'"),
        (lambda frame: frame.with_columns(size=pl.lit("large")), 1, "size", "'large'"),
        (lambda frame: frame.with_columns(size=pl.lit(date(2020, 1, 1))), None, "size", ""),
        (lambda frame: frame.with_columns(town=pl.lit(date(2020, 1, 1))), None, "town", ""),
        (lambda frame: frame.with_columns(town=pl.lit([1])), None, "town", ""),
    ],
)
def test_a_cell_or_column_that_cannot_be_read_is_refused_with_its_location(
    graded: Path, change: Change, row: int | None, column: str | None, mentions: str
) -> None:
    with raises(DataError if row is None else CellError, file="the frame", row=row, column=column, mentions=mentions):
        predict(graded, change(FEATURES))


@pytest.mark.parametrize(
    ("change", "cells"),
    [
        (put("town", 3, "Bonn"), "'town': 1"),
        (put("town", 3, "oslo"), "'town': 1"),
        (lambda frame: frame.with_columns(town=pl.lit(7)), "'town': 20"),
        (put("code", 3, "1.5"), "'code': 1"),
        (put("size", 3, "-9"), "'size': 1 (new minimum -9)"),
        (put("size", 3, None), "'size': 1"),
        (put("size", 3, "nan"), "'size': 1"),
        (put("town", 3, None), "'town': 1"),
    ],
)
def test_unexpected_values_are_predicted_with_a_note_and_do_not_change_other_rows(
    graded: Path, change: Change, cells: str
) -> None:
    notes: list[str] = []
    usual = FEATURES.filter(pl.col("size").is_between(2, 47) & pl.col("weight").is_between(5, 95))[:20]
    before = predict(graded, usual, proba=True, on_note=notes.append)
    assert notes == []
    after = predict(graded, change(usual), proba=True, on_note=notes.append)
    assert len(notes) == 1
    assert f"({cells})" in notes[0]
    assert not after.select(pl.any_horizontal(pl.exclude("prediction").is_nan())).to_series().any()
    if cells != "'town': 20":
        others = np.arange(len(usual)) != 3
        assert after.filter(others).equals(before.filter(others))


# Evaluating


@pytest.mark.parametrize(
    "change",
    [cast("grade", pl.String), cast("grade", pl.Float64), cast("grade", pl.UInt8), cast("grade", pl.Categorical)],
    ids=["text", "floats", "narrow", "categories"],
)
def test_a_target_of_another_type_gives_the_same_scores(graded: Path, change: Change) -> None:
    assert evaluate(graded, change(TABLE)).json() == evaluate(graded, TABLE).json()


def test_a_value_in_another_spelling_is_the_same_value(graded: Path, expected: pl.DataFrame) -> None:
    notes = list[str]()
    changed = put("code", 3, f"{FEATURES['code'][3]}.0")(put("town", 3, f" {FEATURES['town'][3]} ")(FEATURES))
    assert predict(graded, changed, proba=True, on_note=notes.append).equals(expected)
    assert not any("category" in note for note in notes)
    other = evaluate(graded, put("grade", 3, f" {TABLE['grade'][3]}.0")(TABLE))
    assert other.json()["metrics"] == evaluate(graded, TABLE).json()["metrics"]


@pytest.mark.parametrize(
    ("change", "row", "column", "mentions"),
    [
        (lambda frame: frame.drop("grade"), None, None, "'grade'"),
        (lambda frame: frame.rename({"grade": "garde"}), None, None, "'garde'"),
        (put("grade", 7, "one"), 8, "grade", "'one'"),
        (put("grade", 7, "1.5"), 8, "grade", "'1.5'"),
        (put("grade", 7, "01"), 8, "grade", "'01'"),
        (lambda frame: frame.with_columns(grade=pl.lit(date(2020, 1, 1))), None, "grade", ""),
        (lambda frame: frame.drop("town"), None, None, "'town'"),
    ],
)
def test_an_unknown_label_is_refused_with_its_row_and_value(
    graded: Path, change: Change, row: int | None, column: str | None, mentions: str
) -> None:
    with raises(DataError, file="the frame", row=row, column=column, mentions=mentions):
        evaluate(graded, change(TABLE))


def test_a_regression_target_that_is_not_a_number_is_refused_with_its_row(line: Path) -> None:
    frame = pl.DataFrame({"x1": [0.5, 0.5], "x2": [0.5, 0.5], "y": ["1.5", "high"]})
    with raises(CellError, file="the frame", row=2, column="y", mentions="'high'"):
        evaluate(line, frame)
