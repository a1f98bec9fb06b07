"""Partial dependence: closed forms, points of every kind of column, and which way it goes."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from nncli.analysis.inspection.encoded_rows import EncodedRows
from nncli.analysis.inspection.permutation_importance import PartialDependence, partial_dependence
from nncli.data.encoders.categorical import CategoricalColumn
from nncli.data.encoders.column_encoder import MAX_LABELS, QUANTILES
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.targets.classes import ClassificationTarget
from tests.api.explained import CLASSES, COLUMNS, DATE, WORDS, X2, ensemble_of, model_of, table_of


def curve_of(model: AnyModel, table: Table, column: str) -> PartialDependence:
    (curve,) = partial_dependence(EncodedRows.of(model, table), table, [column], np.random.default_rng(0))
    return curve


def test_partial_dependence_of_a_linear_model_is_a_line() -> None:
    model, table = model_of(), table_of(50)
    curve = curve_of(model, table, "x2")
    assert curve.values is not None
    assert curve.outputs == ("y",)
    slope = 4.0 * model.parameters.by_name["output.weight"][2, 0]  # 4 is the target's scale, 1 the column's
    np.testing.assert_allclose(np.diff(curve.means[:, 0]), slope * np.diff(curve.values))
    middle = table.frame["x2"].mean()
    at_the_mean = np.interp(middle, curve.values, curve.means[:, 0])  # type: ignore[arg-type]
    assert at_the_mean == pytest.approx(model.predict(table).values.mean())


@pytest.mark.parametrize("column", ["x1", "colour", "city"])
def test_every_point_is_the_mean_of_the_table_with_that_cell_everywhere(column: str) -> None:
    model, table = ensemble_of(model_of(5), model_of(3, seed=1)), table_of(20)
    curve = curve_of(model, table, column)
    points = curve.labels if curve.values is None else curve.values.tolist()
    assert points
    for point, said in zip(points, curve.means, strict=True):
        everywhere = table.frame.with_columns(pl.lit(point).alias(column))
        np.testing.assert_allclose(said, model.predict(Table(everywhere, "rows")).values.mean(axis=0))


def test_rows_are_averaged_by_their_weights() -> None:
    model, table = model_of(6), table_of(30)
    w = np.random.default_rng(0).exponential(size=30)
    rows = EncodedRows.of(model, table, weights=w)
    (curve,) = partial_dependence(rows, table, ["colour"], np.random.default_rng(0))
    for label, predicted in zip(curve.points, curve.means, strict=True):
        there = Table(table.frame.with_columns(pl.lit(label).alias("colour")), "rows")
        assert predicted == pytest.approx(np.average(model.predict(there).values, axis=0, weights=w))


def test_numeric_points_are_ascending_quantiles() -> None:
    curve = curve_of(model_of(), table_of(200), "x1")
    x = table_of(200).frame["x1"].drop_nulls()
    assert curve.values is not None
    assert len(curve.values) == QUANTILES
    assert (np.diff(curve.values) > 0.0).all()
    assert [curve.values[0], curve.values[-1]] == [x.min(), x.max()]


def test_dates_are_in_order_and_keep_their_spelling() -> None:
    curve = curve_of(model_of(columns=(DATE,)), table_of(200), "day")
    assert curve.values is not None
    assert curve.labels is not None
    assert list(curve.labels) == sorted(curve.labels, key=str)
    assert [str(np.datetime64(int(days), "D")) for days in curve.values] == list(curve.labels)
    assert curve.points == list(curve.labels)


def test_texts_are_treated_as_categories() -> None:
    table = table_of(50)
    curve = curve_of(model_of(columns=(WORDS,)), table, "words")
    assert curve.values is None
    assert set(curve.labels or ()) == set(table.frame["words"])


def test_labels_come_by_frequency_with_missing_cells_as_one() -> None:
    column = CategoricalColumn(name="c", categories=("a", "b"), has_other=True, has_missing=True)
    table = Table(pl.DataFrame({"c": ["b", "a", None, "b", None, "b", *map(str, range(20))]}), "rows")
    labels = curve_of(model_of(columns=(column,)), table, "c").labels
    assert labels is not None
    assert labels[:3] == ("b", None, "a")
    assert len(labels) == MAX_LABELS


def test_a_column_without_a_number_has_no_points() -> None:
    table = Table(pl.DataFrame({"x2": [None, None]}, schema={"x2": pl.Float64}), "rows")
    curve = curve_of(model_of(columns=(X2,)), table, "x2")
    assert curve.means.shape == (0, 1)
    assert curve.direction == ""


def test_the_second_of_two_classes_or_all_classes_are_shown() -> None:
    assert curve_of(model_of(target=CLASSES), table_of(9), "x1").outputs == ("yes",)
    three = ClassificationTarget(name="t", labels=("a", "b", "c"))
    curve = curve_of(model_of(target=three), table_of(9), "x1")
    assert curve.outputs == three.labels
    np.testing.assert_allclose(curve.means.sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("y", "direction"),
    [
        ([1, 2, 3], "increases"),
        ([3, 2, 2], "decreases"),
        ([1, 1, 1], "constant"),
        ([1, 3, 1], "non-monotonic"),
        ([0, 9, 8.9], "increases"),
    ],
)
def test_the_trend_of_numbers(y: list[float], direction: str) -> None:
    points = np.arange(3.0)
    assert PartialDependence("x", points, None, ("y",), np.array(y, float)[:, None]).direction == direction
    assert PartialDependence("x", points, None, ("a", "b"), np.stack([y, y], axis=1)).direction == ""


def test_the_trend_of_categories_is_the_highest_one() -> None:
    assert (
        PartialDependence("x", None, ("a", None), ("y",), np.array([[1.0], [2.0]])).direction == "highest for (missing)"
    )
    assert PartialDependence("x", None, ("a", "b"), ("y",), np.array([[3.0], [2.0]])).direction == "highest for a"


def test_many_rows_are_sampled() -> None:
    table = table_of(3000)
    curve = curve_of(model_of(columns=COLUMNS[:2]), table, "x2")
    predictions = model_of(columns=COLUMNS[:2]).predict(table).values
    at_the_mean = np.interp(0.0, curve.values, curve.means[:, 0])  # type: ignore[arg-type]
    assert at_the_mean == pytest.approx(predictions.mean(), abs=4 * predictions.std() / np.sqrt(1000))
