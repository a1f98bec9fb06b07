"""A model says the same of a row whatever rows it travels with, and in the person's own words and units."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import current_thread

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

from nncli.base.errors import DataError
from nncli.data.encoders.column_types import ColumnType
from nncli.data.encoders.encoder import Encoder
from nncli.data.sources.read_table import read_table
from nncli.data.store.column_store import DenseColumns
from nncli.data.table import Table
from nncli.models import model as model_module
from nncli.models.model import Model, hash_rows
from nncli.models.predictions import Predictions
from nncli.nn.arrays import Array, Codes
from nncli.nn.batches.dataset import Dataset
from nncli.nn.inference.predictor import InferenceSession
from nncli.run_directory.loader import read_model
from nncli.targets.classes import ClassificationTarget
from nncli.targets.number import RegressionTarget
from tests.assertions import raises
from tests.cli.support import DATA


@pytest.fixture(scope="module")
def model(penguins: Path) -> Model:
    return read_model(penguins)


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(DATA / "penguins.csv", missing_values=("", "NA"))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(order=st.lists(st.integers(0, 343), min_size=1, max_size=1200))
def test_any_rows_in_any_order_get_the_same_predictions(model: Model, table: Table, order: list[int]) -> None:
    rows = np.array(order)
    alone = model.predict(table).values
    assert model.predict(table.take(rows)).values.tobytes() == alone[rows].tobytes()


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 344), max_size=6).map(sorted))
def test_a_table_cut_anywhere_gets_the_same_bits(model: Model, table: Table, cuts: list[int]) -> None:
    edges = [0, *cuts, 344]
    parts = [model.predict(table.part(a, b)).values for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), model.predict(table).values)


def test_encoded_rows_get_the_same_bits_on_two_threads(
    model: Model, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, codes, _ = model.spec.encoder.encode(table.take(np.arange(1200) % 344), "float32")
    dataset = Dataset(X, codes, np.zeros(1200))
    single = model.predict_dataset(dataset).values
    monkeypatch.setattr("nncli.models.model.WORTH_A_SECOND_THREAD", 0)
    assert model.predict_dataset(dataset, threads=2).values.tobytes() == single.tobytes()


def test_a_second_thread_predicts_half_of_the_rows_only_while_no_other_call_predicts(
    model: Model, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    run = InferenceSession.run

    def watched(inference: InferenceSession, X: Array, codes: Codes, out: Array | None = None) -> Array:
        names.append(current_thread().name)
        return run(inference, X, codes, out)

    monkeypatch.setattr(InferenceSession, "run", watched)
    monkeypatch.setattr("nncli.models.model.WORTH_A_SECOND_THREAD", 0)
    rows = table.take(np.arange(1200) % 344)
    alone = model.predict(rows).values
    assert len(set(names)) == len(names) == 2
    with model_module._CALLS.begin() as others:
        assert others == 0
        names.clear()
        assert model.predict(rows).values.tobytes() == alone.tobytes()
    assert names == [current_thread().name]


def test_the_blas_has_one_thread_during_prediction_only(
    model: Model, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def threads() -> set[int]:
        return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}

    numbers, run = [], InferenceSession.run

    def watched(inference: InferenceSession, X: Array, codes: Codes) -> Array:
        numbers.append(threads())
        return run(inference, X, codes)

    monkeypatch.setattr(InferenceSession, "run", watched)
    for before in (2, 1):
        with threadpool_limits(before, user_api="blas"):
            model.predict(table)
            assert threads() == {before}
    assert numbers == [{1}, {1}]


def test_no_rows_are_no_predictions(model: Model, table: Table) -> None:
    frame = model.predict(table.part(0, 0)).frame(proba=True)
    assert frame.shape == (0, 4)


def test_column_order_and_other_columns_do_not_matter(model: Model, table: Table) -> None:
    frame = table.frame.select(reversed(table.frame.columns)).with_columns(more=pl.lit("x"))
    assert np.array_equal(model.predict(Table(frame, "t")).values, model.predict(table).values)


def test_a_missing_column_is_named(model: Model, table: Table) -> None:
    with raises(DataError, file="t", mentions="'island'"):
        model.predict(Table(table.frame.drop("island"), "t"))


def test_unseen_and_missing_categories_have_a_prediction(model: Model, table: Table) -> None:
    for cell in ("Atlantis", None):
        frame = table.frame.with_columns(island=pl.lit(cell, dtype=pl.String))
        assert np.isfinite(model.predict(Table(frame, "t")).values).all()


def test_a_temperature_changes_probabilities_but_not_classes(model: Model, table: Table) -> None:
    plain = model.predict(table)
    cool, hot = (
        replace(model, spec=model.spec.model_copy(update={"temperature": T})).predict(table).values for T in (0.5, 2.0)
    )
    assert np.array_equal(cool.argmax(axis=1), plain.values.argmax(axis=1))
    assert (cool.max(axis=1) >= plain.values.max(axis=1)).all()
    assert (hot.max(axis=1) <= plain.values.max(axis=1)).all()
    assert np.array_equal(hot, plain.with_temperature(2.0).values)
    assert np.array_equal(hot, hot.astype(model.spec.network.precision))
    assert plain.with_temperature(1.0) is plain


def test_one_target_is_called_prediction_and_several_have_their_names() -> None:
    single = RegressionTarget(names=("y",), centers=(0.0,), scales=(1.0,))
    two = RegressionTarget(names=("y", "z"), centers=(0.0, 0.0), scales=(1.0, 1.0))
    assert Predictions(single, np.zeros((1, 1))).frame().columns == ["prediction"]
    assert Predictions(two, np.zeros((1, 2))).frame().columns == ["prediction_y", "prediction_z"]


def test_probabilities_are_named_after_their_classes() -> None:
    target = ClassificationTarget(name="c", labels=("007", "🐧 "))
    frame = Predictions(target, np.array([[0.25, 0.75]])).frame(proba=True)
    assert frame.to_dicts() == [{"prediction": "🐧 ", "proba_007": 0.25, "proba_🐧 ": 0.75}]


def test_rows_have_the_same_hashes_whether_their_numbers_are_apart_typed_or_text() -> None:
    x = np.array([[1.5, 2.25, -0.0], [3.0, 4.0, 5.0]])
    words = pl.DataFrame({"word": ["a", "b", None], "y": ["1", "0", "1"]})
    table = Table(words.with_columns(a=pl.Series(x[0]), b=pl.Series(x[1])), "t.csv")
    encoder = Encoder.fit(
        table, [("a", ColumnType.NUMERIC), ("word", ColumnType.CATEGORICAL), ("b", ColumnType.NUMERIC)]
    )
    target = ClassificationTarget.fit(table, ("y",))
    expected = hash_rows(encoder, target, table).tolist()
    assert len(set(expected)) == 3
    assert hash_rows(encoder, target, Table(words, "t.csv"), DenseColumns(["b", "a"], x[::-1])).tolist() == expected
    texts = table.frame.with_columns(pl.col("a", "b").cast(pl.String))
    assert hash_rows(encoder, target, Table(texts, "t.csv")).tolist() == expected
