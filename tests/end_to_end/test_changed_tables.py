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
from nncli.errors import DataError

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
def test_columns_in_any_order_among_any_others_give_the_same_bits(
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


def test_the_target_is_not_looked_at(graded: Path, expected: pl.DataFrame) -> None:
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
def test_a_retyped_column_gives_the_same_bits(
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
    ("change", "says"),
    [
        (lambda frame: frame.drop("weight"), ["no column 'weight'"]),
        (lambda frame: frame.rename({"weight": "wieght"}), ["no column 'weight'", "Did you mean 'wieght'?"]),
        (lambda frame: frame.rename({"town": "Town"}), ["no column 'town'", "Did you mean 'Town'?"]),
        (lambda frame: frame.drop("weight", "town"), ["no columns 'weight' and 'town'"]),
        (put("size", 7, "large"), ["row 8, column 'size'", "'large' is not a number"]),
        (put("size", 7, "1,5"), ["row 8, column 'size'", "'1,5' is not a number"]),
        (put("size", 7, "inf"), ["row 8, column 'size'", "'inf' is not a finite number"]),
        (lambda frame: frame.with_columns(size=pl.lit("large")), ["row 1, column 'size'", "'large' is not a number"]),
        (lambda frame: frame.with_columns(size=pl.lit(date(2020, 1, 1))), ["column 'size'", "dates or times"]),
        (lambda frame: frame.with_columns(town=pl.lit(date(2020, 1, 1))), ["column 'town'", "dates or times"]),
        (lambda frame: frame.with_columns(town=pl.lit([1])), ["column 'town'", "neither numbers nor text"]),
    ],
)
def test_what_cannot_be_read_is_refused_where_it_stands(graded: Path, change: Change, says: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        predict(graded, change(FEATURES))
    for words in says:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (put("town", 3, "Bonn"), "1 cell holds a category that training never saw ('town': 1)"),
        (put("town", 3, "oslo"), "1 cell holds a category that training never saw ('town': 1)"),
        (
            lambda frame: frame.with_columns(town=pl.lit(7)),
            "20 cells hold a category that training never saw ('town': 20)",
        ),
        (put("code", 3, "1.0"), "1 cell holds a category that training never saw ('code': 1)"),
        (put("size", 3, "-9"), "1 value lies outside the training range ('size': 1 (min -9))"),
        (put("size", 3, None), "1 cell is missing where training had every cell ('size': 1)"),
        (put("size", 3, "nan"), "1 cell is missing where training had every cell ('size': 1)"),
        (put("town", 3, None), "1 cell is missing where training had every cell ('town': 1)"),
    ],
)
def test_what_training_never_saw_is_predicted_and_told_and_leaves_the_other_rows_alone(
    graded: Path, change: Change, note: str
) -> None:
    told: list[str] = []
    usual = FEATURES.filter(pl.col("size").is_between(2, 47) & pl.col("weight").is_between(5, 95))[:20]
    before = predict(graded, usual, proba=True, tell=told.append)
    assert told == []
    after = predict(graded, change(usual), proba=True, tell=told.append)
    assert told == [note]
    assert not after.select(pl.any_horizontal(pl.exclude("prediction").is_nan())).to_series().any()
    if not note.startswith("20 "):
        others = np.arange(len(usual)) != 3
        assert after.filter(others).equals(before.filter(others))


# Evaluating


@pytest.mark.parametrize(
    "change",
    [cast("grade", pl.String), cast("grade", pl.Float64), cast("grade", pl.UInt8), cast("grade", pl.Categorical)],
    ids=["text", "floats", "narrow", "categories"],
)
def test_a_retyped_target_gives_the_same_scores(graded: Path, change: Change) -> None:
    assert evaluate(graded, change(TABLE)).json() == evaluate(graded, TABLE).json()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda frame: frame.drop("grade"), ["'grade'"]),
        (lambda frame: frame.rename({"grade": "garde"}), ["'grade'", "Did you mean 'garde'?"]),
        (
            put("grade", 7, "one"),
            ["row 8, column 'grade'", "'one' did not occur in the training rows", "'1', '2' and '3'"],
        ),
        (put("grade", 7, "1.0"), ["row 8, column 'grade'", "'1.0' did not occur in the training rows"]),
        (put("grade", 7, " 1"), ["row 8, column 'grade'", "' 1' did not occur in the training rows"]),
        (lambda frame: frame.with_columns(grade=pl.lit(date(2020, 1, 1))), ["column 'grade'", "dates or times"]),
        (lambda frame: frame.drop("town"), ["no column 'town'"]),
    ],
)
def test_a_target_of_another_spelling_is_refused_with_its_row_and_value(
    graded: Path, change: Change, says: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        evaluate(graded, change(TABLE))
    for words in says:
        assert words in str(caught.value)


def test_a_numeric_target_that_is_no_number_is_refused_with_its_row_and_value(line: Path) -> None:
    frame = pl.DataFrame({"x1": [0.5, 0.5], "x2": [0.5, 0.5], "y": ["1.5", "high"]})
    with pytest.raises(DataError, match="row 2, column 'y': 'high' is not a number"):
        evaluate(line, frame)
