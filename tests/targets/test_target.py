from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.table import Table
from nncli.targets.target import ClassificationTarget, RegressionTarget, TargetScaling, rows_with_target

LABELS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ["007", "7", "NA", " a", "a ", "🐧", "inf"]
)


def one(cells: Sequence[Any] | pl.Series, name: str = "y") -> Table:
    return Table(pl.DataFrame({name: cells}), "t.csv")


def returned(cells: Sequence[Any] | pl.Series) -> tuple[ClassificationTarget, pl.Series]:
    """The target fitted to the cells, and what comes back when exactly they are predicted."""
    target = ClassificationTarget.fit(one(cells), "y")
    again = ClassificationTarget.model_validate_json(target.model_dump_json())
    assert again == target
    return target, again.decode(again.read(one(cells)), "prediction")


# Numbers


def test_numbers_are_scaled_and_come_back() -> None:
    table = Table(pl.DataFrame({"a": [1.0, 3.0], "b": ["10", "10"]}), "t.csv")
    target = RegressionTarget.fit(table, ("a", "b"), "standard")
    assert (target.centers, target.scales) == ((2.0, 10.0), (1.0, 1.0))
    y = target.read(table)
    assert target.encode(y).tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    assert target.decode(target.encode(y)).tolist() == y.tolist()


@given(st.lists(st.floats(-1e100, 1e100), min_size=1))
def test_numbers_come_back_in_their_own_units(numbers: list[float]) -> None:
    target = RegressionTarget.fit(one(numbers), ("y",), "standard")
    y = target.read(one(numbers))
    assert target.decode(target.encode(y)) == pytest.approx(y, abs=np.abs(y).max() * 1e-12)
    assert RegressionTarget.model_validate_json(target.model_dump_json()) == target


def test_none_leaves_numbers_as_they_are() -> None:
    target = RegressionTarget.fit(one([1.0, 5.0]), ("y",), "none")
    assert (target.centers, target.scales) == ((0.0,), (1.0,))


@pytest.mark.parametrize("value", [0.1, 0.0, -3.7, 1e150])
def test_a_constant_target_has_scale_one(value: float) -> None:
    assert RegressionTarget.fit(one([value] * 1001), ("y",), "standard").scales == (1.0,)


@pytest.mark.parametrize("scaling", ["standard", "none"])
def test_predictions_can_be_kept_to_the_training_range(scaling: TargetScaling) -> None:
    table = Table(pl.DataFrame({"a": [1.0, 3.0], "b": [-5, 10]}), "t.csv")
    target = RegressionTarget.fit(table, ("a", "b"), scaling, clip=True)
    assert (target.lowest, target.highest) == ((1.0, -5.0), (3.0, 10.0))
    beyond = target.encode(np.array([[0.0, 99.0], [2.0, -6.0], [3.0, 10.0]]))
    assert target.decode(beyond).tolist() == [[1.0, 10.0], [2.0, -5.0], [3.0, 10.0]]
    free = RegressionTarget.fit(table, ("a", "b"), scaling)
    assert (free.lowest, free.decode(beyond)[0].tolist()) == (None, [pytest.approx(0.0), pytest.approx(99.0)])


@pytest.mark.parametrize("cells", [[1.0, 1e200, 3.0], [1.0, 1.7e308, 1.6e308]])
def test_targets_too_large_to_be_scaled_are_refused_with_their_row(cells: list[float]) -> None:
    with pytest.raises(DataError, match="too large") as caught:
        RegressionTarget.fit(one(cells), ("y",), "standard")
    assert caught.value.location == one(cells).location(row=1, column="y")


def test_a_missing_number_is_refused_with_its_row() -> None:
    table = one([1.0, 2.0, None, math.nan]).take(np.array([1, 3]))
    with pytest.raises(DataError, match="target is missing") as caught:
        RegressionTarget.fit(table, ("y",), "standard")
    assert caught.value.location is not None
    assert caught.value.location.row == 4
    assert caught.value.hint == "Fill in the cell, or remove the row."


def test_a_target_spelled_nan_is_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="target is missing") as caught:
        RegressionTarget.fit(one(["1", "nan"]), ("y",), "standard")
    assert "add 'nan' to data.missing_values" in str(caught.value.hint)


# Classes


@given(st.lists(LABELS, min_size=2, unique=True))
def test_labels_come_back_as_they_were_spelled(labels: list[str]) -> None:
    try:
        target, back = returned(labels)
    except DataError as error:
        assert "fractions" in error.message or "missing" in error.message  # noqa: PT017
        assert [float(label) for label in labels]  # all are numbers, else float would complain
        return
    assert back.to_list() == labels
    assert back.dtype == pl.String
    assert set(target.labels) == set(labels)


@pytest.mark.parametrize(
    ("cells", "dtype", "labels"),
    [
        (pl.Series("y", [10, 9, -1]), pl.Int64, ("-1", "9", "10")),
        (pl.Series("y", [1, 0], dtype=pl.Int8), pl.Int64, ("0", "1")),
        (pl.Series("y", [9007199254740993, 9007199254740992]), pl.Int64, ("9007199254740992", "9007199254740993")),
        (pl.Series("y", [2**64 - 1, 0], dtype=pl.UInt64), pl.UInt64, ("0", "18446744073709551615")),
        (pl.Series("y", [2**100, -1], dtype=pl.Int128), pl.Int128, ("-1", str(2**100))),
        (pl.Series("y", [1.0, 0.0, 2.0]), pl.Float64, ("0", "1", "2")),
        (pl.Series("y", [1.0, 0.0], dtype=pl.Float32), pl.Float64, ("0", "1")),
        (pl.Series("y", [True, False]), pl.Boolean, ("false", "true")),
        (pl.Series("y", ["b", "a"], dtype=pl.Categorical), pl.String, ("a", "b")),
        (pl.Series("y", ["b", "a"], dtype=pl.Enum(["b", "a"])), pl.String, ("a", "b")),
        (pl.Series("y", ["10", "9", "+1", " 2"]), pl.String, ("+1", " 2", "9", "10")),
        (pl.Series("y", ["True", "FALSE"]), pl.String, ("FALSE", "True")),
        (pl.Series("y", ["007", "7", "07"]), pl.String, ("007", "07", "7")),
        (pl.Series("y", ["10", "9", "x"]), pl.String, ("10", "9", "x")),
        (pl.Series("y", ["1e400", "5"]), pl.String, ("5", "1e400")),
    ],
    ids=lambda value: f"{value.dtype}-{value[0]}" if isinstance(value, pl.Series) else "",
)
def test_typed_labels_come_back_in_their_type_and_in_order(
    cells: pl.Series, dtype: pl.DataType, labels: tuple[str, ...]
) -> None:
    target, back = returned(cells)
    assert target.labels == labels
    assert back.dtype == dtype
    assert back.to_list() == cells.to_list()


def test_labels_of_numbers_are_told_alike_in_every_type() -> None:
    target = ClassificationTarget.fit(one([1.0, 0.0, 1.0]), "y")
    for cells in (pl.Series([1, 0]), pl.Series(["1", "0"]), pl.Series([1.0, -0.0])):
        assert target.read(one(cells)).tolist() == [1, 0]


@pytest.mark.parametrize("cells", [[1.5, 2.0], ["1", "2.5"], ["1e-3", "0"]])
def test_fractions_are_no_classes(cells: list[Any]) -> None:
    with pytest.raises(DataError, match="fractions cannot be classes"):
        ClassificationTarget.fit(one(cells), "y")


def test_nan_among_numbers_is_a_missing_label_and_among_words_a_word() -> None:
    with pytest.raises(DataError, match="target is missing") as caught:
        ClassificationTarget.fit(one(["0", "1", "NaN", "nan"]), "y")
    assert caught.value.location == one(["x"]).location(row=2, column="y")
    assert "add 'NaN' to data.missing_values" in str(caught.value.hint)
    assert ClassificationTarget.fit(one(["nan", "naan"]), "y").labels == ("naan", "nan")


@pytest.mark.parametrize(("cells", "match"), [(["a", "a", None], "only the class 'a'"), ([None, None], "no value")])
def test_one_class_is_not_enough(cells: list[str | None], match: str) -> None:
    with pytest.raises(DataError, match=match):
        ClassificationTarget.fit(one(pl.Series(cells, dtype=pl.String)), "y")


def test_a_class_that_training_had_not_is_refused_with_its_row() -> None:
    target = ClassificationTarget.fit(one(["a", "b"]), "y")
    with pytest.raises(DataError, match="class 'c' did not occur") as caught:
        target.read(one(["a", "c", None]))
    assert caught.value.location == one(["x"]).location(row=1, column="y")
    assert caught.value.hint == "The classes of the model are 'a' and 'b'."
    with pytest.raises(DataError, match="target is missing"):
        target.read(one(["a", None, "c"]))


def test_a_target_of_dates_is_refused() -> None:
    with pytest.raises(DataError, match="dates or times"):
        ClassificationTarget.fit(one([dt.date(2020, 1, 1), dt.date(2021, 1, 1)]), "y")


def test_no_predictions_are_an_empty_column_of_the_type() -> None:
    empty = ClassificationTarget.fit(one([1, 2]), "y").decode(np.empty(0, np.int64), "prediction")
    assert (empty.name, str(empty.dtype), len(empty)) == ("prediction", "Int64", 0)


# Rows


def test_rows_without_a_target_are_found_in_every_type() -> None:
    frame = pl.DataFrame({"text": ["a", None, "", "b"], "float": [1.0, 2.0, 3.0, math.nan], "int": [1, 2, 3, 4]})
    table = Table(frame, "t.csv")
    assert rows_with_target(table, ("text",)).tolist() == [0, 2, 3]
    assert rows_with_target(table, ("text", "float", "int")).tolist() == [0, 2]
    assert rows_with_target(one([None, None]), ("y",)).tolist() == []
    with pytest.raises(DataError, match="no column 'flaot'"):
        rows_with_target(table, ("flaot",))
