from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncli.base.errors import DataError
from nncli.data.table import Table
from nncli.models.predictions import Predictions
from nncli.targets.classes import ClassificationTarget

LABELS = st.text(st.characters(codec="utf-8"), max_size=5) | st.sampled_from(
    ["007", "7", "NA", " a", "a ", "🐧", "inf"]
)


def one(cells: Sequence[Any] | pl.Series, name: str = "y") -> Table:
    return Table(pl.DataFrame({name: cells}), "t.csv")


def returned(cells: Sequence[Any] | pl.Series) -> tuple[ClassificationTarget, pl.Series]:
    """The target fitted to the cells, and what comes back when exactly they are predicted."""
    target = ClassificationTarget.fit(one(cells), ("y",))
    again = ClassificationTarget.model_validate_json(target.model_dump_json())
    assert again == target
    return target, again.class_labels.column(again.read(one(cells)), "prediction")


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
    target = ClassificationTarget.fit(one([1.0, 0.0, 1.0]), ("y",))
    for cells in (pl.Series([1, 0]), pl.Series(["1", "0"]), pl.Series([1.0, -0.0])):
        assert target.read(one(cells)).tolist() == [1, 0]


@pytest.mark.parametrize("cells", [[1.5, 2.0], ["1", "2.5"], ["1e-3", "0"]])
def test_fractions_are_no_classes(cells: list[Any]) -> None:
    with pytest.raises(DataError, match="fractions cannot be classes"):
        ClassificationTarget.fit(one(cells), ("y",))


def test_nan_among_numbers_is_a_missing_label_and_among_words_a_word() -> None:
    with pytest.raises(DataError, match="target is missing") as caught:
        ClassificationTarget.fit(one(["0", "1", "NaN", "nan"]), ("y",))
    assert caught.value.location == one(["x"]).location(row=2, column="y")
    assert "add 'NaN' to data.missing_values" in str(caught.value.hint)
    assert ClassificationTarget.fit(one(["nan", "naan"]), ("y",)).labels == ("naan", "nan")


@pytest.mark.parametrize(("cells", "match"), [(["a", "a", None], "only the class 'a'"), ([None, None], "no value")])
def test_one_class_is_not_enough(cells: list[str | None], match: str) -> None:
    with pytest.raises(DataError, match=match):
        ClassificationTarget.fit(one(pl.Series(cells, dtype=pl.String)), ("y",))


def test_a_class_that_training_had_not_is_refused_with_its_row() -> None:
    target = ClassificationTarget.fit(one(["a", "b"]), ("y",))
    with pytest.raises(DataError, match="class 'c' did not occur") as caught:
        target.read(one(["a", "c", None]))
    assert caught.value.location == one(["x"]).location(row=1, column="y")
    assert caught.value.hint == "The classes of the model are 'a' and 'b'."
    with pytest.raises(DataError, match="target is missing"):
        target.read(one(["a", None, "c"]))


def test_a_target_of_dates_is_refused() -> None:
    with pytest.raises(DataError, match="dates or times"):
        ClassificationTarget.fit(one([dt.date(2020, 1, 1), dt.date(2021, 1, 1)]), ("y",))


def test_no_predictions_are_an_empty_column_of_the_type() -> None:
    empty = ClassificationTarget.fit(one([1, 2]), ("y",)).class_labels.column(np.empty(0, np.int64), "prediction")
    assert (empty.name, str(empty.dtype), len(empty)) == ("prediction", "Int64", 0)


def test_the_error_of_a_row_is_whether_it_is_misclassified() -> None:
    target = ClassificationTarget(name="y", labels=("a", "b"))
    predictions = Predictions(target, np.array([[0.7, 0.3], [0.2, 0.8]]))
    errors, name = target.row_errors(predictions, np.array([0, 0]))
    assert (errors.tolist(), name) == ([0.0, 1.0], "error rate")


def test_the_surprise_of_a_confident_mistake_is_finite() -> None:
    target = ClassificationTarget(name="y", labels=("a", "b"))
    result = target.surprises(Predictions(target, np.array([[0.5, 0.5], [1.0, 0.0]])), np.array([0, 1]))
    assert result[0] == pytest.approx(np.log(2))
    assert 30 < result[1] < 40


def test_the_values_of_a_model_with_fewer_classes_are_aligned() -> None:
    whole, part = (ClassificationTarget(name="y", labels=labels) for labels in (("a", "b", "c"), ("c", "a")))
    positions = whole.positions_in(part)
    assert positions is not None
    assert positions.tolist() == [1, -1, 0]
    assert whole.positions_in(whole) is None
    assert whole.align(np.array([[0.1, 0.9]]), part).tolist() == [[0.9, 0.0, 0.1]]
    assert whole.accepts(part)
    assert not part.accepts(whole)
