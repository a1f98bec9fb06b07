"""Rows as each network sees them, with other cells in one column: the same as if the table had these cells."""

from __future__ import annotations

import numpy as np
import pytest

from nncli.analysis.inspection import encoded_rows
from nncli.analysis.inspection.encoded_rows import EncodedRows, column_slices
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from tests.api.explained import CITY, CLASSES, COLOR, DATE, WORDS, X1, X2, ensemble_of, model_of, table_of

TABLE = table_of(30)
MODELS: dict[str, AnyModel] = {
    "one": model_of(6, target=CLASSES, temperature=1.7),
    "dates and texts": model_of(6, columns=(X1, DATE, X2, WORDS, COLOR, CITY)),
    "members that know other columns": ensemble_of(
        model_of(5, target=CLASSES),
        model_of(4, target=CLASSES, columns=(X2, COLOR, X1), seed=1),
        model_of(target=CLASSES, columns=(X2,), seed=2),
        temperature=0.6,
    ),
    "members with weights": ensemble_of(
        model_of(5, target=CLASSES, temperature=2.0),
        model_of(4, target=CLASSES, columns=(X2, COLOR, X1), seed=1),
        temperature=0.6,
        weights=(2.0, 0.7),
    ),
}
every = pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in MODELS.items()])


def test_every_column_has_slices_of_x_and_codes() -> None:
    result = column_slices(model_of().spec.encoder)
    assert {name: (at.X, at.codes) for name, at in result.items()} == {
        "x1": (slice(0, 2), slice(0, 0)),
        "x2": (slice(2, 3), slice(0, 0)),
        "colour": (slice(3, 5), slice(0, 0)),
        "city": (slice(5, 5), slice(0, 1)),
    }


@every
def test_encoded_rows_are_predicted_as_the_table_is(model: AnyModel) -> None:
    assert np.array_equal(EncodedRows.of(model, TABLE).predict().values, model.predict(TABLE).values)


@every
@pytest.mark.parametrize("column", ["x1", "x2", "colour", "city", "day", "words"])
def test_shuffling_encoded_cells_is_shuffling_cells(model: AnyModel, column: str) -> None:
    order = np.random.default_rng(0).permutation(len(TABLE))
    shuffled = Table(TABLE.frame.with_columns(TABLE.frame[column].gather(order)), "rows")
    rows = EncodedRows.of(model, TABLE)
    assert np.array_equal(
        next(rows.predict_each(column, [rows.cells(column, order)])).values, model.predict(shuffled).values
    )
    assert np.array_equal(rows.predict().values, model.predict(TABLE).values)  # and nothing is left of it


@every
def test_the_cell_of_one_row_is_copied_to_all(model: AnyModel) -> None:
    rows = EncodedRows.of(model, TABLE)
    same = Table(TABLE.frame.with_columns(TABLE.frame["x1"].gather([3] * len(TABLE))), "rows")
    assert np.array_equal(
        next(rows.predict_each("x1", [rows.cells("x1", np.array([3]))])).values, model.predict(same).values
    )


@every
def test_some_rows_are_predicted_as_among_all(model: AnyModel) -> None:
    some = np.array([4, 2, 29])
    assert np.array_equal(EncodedRows.of(model, TABLE).take(some).predict().values, model.predict(TABLE).values[some])


def test_the_out_of_fold_mask_selects_the_members_of_each_row() -> None:
    first, second = model_of(5), model_of(3, seed=4)
    spoken = np.array([[True] * 10 + [False] * 10 + [True] * 10, [False] * 10 + [True] * 20])
    predictions = EncodedRows.of(ensemble_of(first, second), TABLE, spoken).predict().values
    one, two = first.predict(TABLE).values, second.predict(TABLE).values
    assert np.array_equal(predictions[:10], one[:10])
    assert np.array_equal(predictions[10:20], two[10:20])
    assert np.array_equal(predictions[20:], (one[20:] + two[20:]) / 2)


def test_the_members_of_each_row_have_their_weights() -> None:
    first, second = model_of(5), model_of(3, seed=4)
    mask = np.array([[True] * 20 + [False] * 10, [False] * 10 + [True] * 20])
    predictions = EncodedRows.of(ensemble_of(first, second, weights=(3.0, 1.0)), TABLE, mask).predict().values
    one, two = first.predict(TABLE).values, second.predict(TABLE).values
    np.testing.assert_allclose(predictions[:10], one[:10], rtol=1e-15)
    assert np.array_equal(predictions[10:20], (3.0 * one[10:20] + two[10:20]) / 4.0)
    assert np.array_equal(predictions[20:], two[20:])


@pytest.mark.parametrize("values", [1, 200, 1 << 22])
@pytest.mark.parametrize("column", ["x1", "city"])
def test_many_replacements_at_once_are_each_predicted_as_alone(
    monkeypatch: pytest.MonkeyPatch, values: int, column: str
) -> None:
    mask = np.array([[True] * 10 + [False] * 10 + [True] * 10, [False] * 10 + [True] * 20])
    model, rng = ensemble_of(model_of(5), model_of(3, seed=4, columns=(CITY, X2))), np.random.default_rng(0)
    rows = EncodedRows.of(model, TABLE, mask)
    cells = [rows.cells(column, rng.permutation(len(TABLE))) for _ in range(4)]
    cells += [rows.cells(column, np.array([row])) for row in (0, 7)]
    alone = [next(rows.predict_each(column, [each])) for each in cells]
    monkeypatch.setattr(encoded_rows, "MAX_VALUES", values)
    result = list(rows.predict_each(column, cells))
    assert [a.points.tobytes() for a in result] == [a.points.tobytes() for a in alone]
    assert len({a.points.tobytes() for a in result}) == len(cells)


def test_no_rows_have_no_predictions() -> None:
    empty = EncodedRows.of(model_of(5), TABLE).take(np.array([], np.int64))
    assert empty.predict().points.shape == (0, 1)


def test_means_are_weighted_unless_no_row_counts() -> None:
    model, values = MODELS["one"], np.arange(60.0).reshape(30, 2)
    w = np.where(np.arange(30) < 20, 0.0, np.arange(30.0))
    rows = EncodedRows.of(model, TABLE, weights=w)
    assert rows.weights is not None
    assert rows.weights.mean() == pytest.approx(1.0)
    assert rows.mean(values) == pytest.approx(np.average(values, axis=0, weights=w))
    few = rows.take(np.array([3, 25, 29]))
    assert few.mean(values[:3]) == pytest.approx((25 * values[1] + 29 * values[2]) / 54)
    none = rows.take(np.array([3, 4]))
    assert none.weights is None
    assert none.mean(values[:2]) == pytest.approx(values[:2].mean(axis=0))
