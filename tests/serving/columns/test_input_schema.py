from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from nncli.data.table import Table
from nncli.nn.program.inputs import DateInput
from nncli.serving.columns.input_schema import InputSchema
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from tests.serving.features import column_of
from tests.serving.trained import COLORS, ROWS, SIZES, table_of


@pytest.fixture(params=["number", "two"])
def schema(models: Mapping[str, ServedModel], request: pytest.FixtureRequest) -> InputSchema:
    """The schema of an ensemble and of one network."""
    return models[request.param].schema


def test_features_have_the_kinds_of_the_encoders(schema: InputSchema) -> None:
    kinds = [(feature.name, feature.input.kind) for feature in schema.features]
    numbers, categories = ("x", "rate", "count", "price"), ("size", "color", "flag")
    wanted = [*((name, "number") for name in numbers), *((name, "category") for name in categories)]
    assert kinds == [*wanted, ("day", "date"), ("note", "text")]


def test_columns_with_missing_training_cells_are_optional(schema: InputSchema) -> None:
    assert schema.required == ("x", "count", "price", "size", "flag")


def test_ranges_are_within_those_of_the_training_table(schema: InputSchema) -> None:
    table = table_of()
    for name in ("x", "rate", "count", "day"):
        cells, feature = table[name].drop_nulls().to_list(), schema.by_name[name]
        low, high = feature.range or (None, None)
        ends: list[Any] = [min(cells), low, high, max(cells)]
        assert ends == sorted(ends)
        assert low != high
        assert {low, high} <= {*cells}


def test_the_members_of_an_ensemble_have_one_range(models: Mapping[str, ServedModel]) -> None:
    x = table_of()["x"]
    assert models["number"].schema.by_name["x"].range == (x.min(), x.max())


def test_categories_are_the_texts_of_the_training_table(schema: InputSchema) -> None:
    assert schema.by_name["color"].categories == tuple(sorted(COLORS))
    assert schema.by_name["size"].categories == tuple(sorted(map(str, SIZES)))
    assert schema.by_name["flag"].categories == ("false", "true")


def test_a_unit_and_the_formats_of_dates_are_named(schema: InputSchema) -> None:
    assert schema.by_name["price"].unit == "$"
    assert schema.by_name["x"].unit is None
    day = schema.by_name["day"].input
    assert isinstance(day, DateInput)
    assert len(day.formats) == 1
    assert not day.has_times


def test_examples_are_typical_of_the_training_rows(schema: InputSchema) -> None:
    table = table_of()
    examples = {name: feature.example for name, feature in schema.by_name.items()}
    assert abs(int((table["x"] < examples["x"]).sum()) - ROWS / 2) < ROWS / 10
    assert examples["color"] == table["color"].drop_nulls().mode().to_list()[0]
    assert examples["day"] in table["day"]
    assert set(str(examples["note"]).split()) <= {"good", "bad", "warm", "cold", "not", "very"}


def test_without_a_profile_examples_are_those_of_the_encoders(models: Mapping[str, ServedModel]) -> None:
    schema = InputSchema.of(models["two"].model, None)
    for feature in schema.features:
        if feature.input.kind in ("number", "date"):
            values: list[Any] = [*(feature.range or ())]
            values.insert(1, feature.example)
            assert values == sorted(values)
        if feature.input.kind == "category":
            assert feature.example in feature.categories


def test_an_example_row_is_predicted(models: Mapping[str, ServedModel]) -> None:
    for model in models.values():
        row = {feature.name: [feature.example] for feature in model.schema.features}
        assert len(model.predict(Table(pl.DataFrame(row), "rows"), PredictionOptions()).frame) == 1


def test_a_feature_is_a_value() -> None:
    assert hash(column_of("x", "number", False)) == hash(column_of("x", "number", False))
