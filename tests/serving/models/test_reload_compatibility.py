"""What clients of a model notice when another takes its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from nncli.serving.columns.input_schema import Feature, InputSchema
from nncli.serving.models.reload import incompatibilities
from nncli.serving.models.served_model import ServedModel
from tests.serving.features import column_of


@pytest.fixture
def model(models: Mapping[str, ServedModel]) -> ServedModel:
    return models["number"]


def with_features(model: ServedModel, **changes: Mapping[str, object]) -> ServedModel:
    """The model with changed columns: a column is renamed by `name`."""
    features = tuple(_changed(feature, **changes.get(feature.name, {})) for feature in model.schema.features)
    return replace(model, schema=InputSchema(features))


def _changed(feature: Feature, **changes: object) -> Feature:
    name, kind = str(changes.get("name", feature.name)), str(changes.get("kind", feature.input.kind))
    return column_of(name, kind, bool(changes.get("is_optional", feature.is_optional)))


def test_a_model_can_take_its_own_place(models: Mapping[str, ServedModel]) -> None:
    assert [incompatibilities(model, model) for model in models.values()] == [[]] * len(models)


def test_columns_that_are_no_longer_read_are_ignored(model: ServedModel) -> None:
    assert incompatibilities(model, replace(model, schema=InputSchema(model.schema.features[2:]))) == []


@pytest.mark.parametrize("other", ["numbers", "two"])
def test_another_target_or_task_is_named(models: Mapping[str, ServedModel], model: ServedModel, other: str) -> None:
    assert len(incompatibilities(model, models[other])) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"x": {"name": "weight"}},
        {"color": {"kind": "number"}},
        {"x": {"kind": "date"}},
        {"rate": {"is_optional": False}},
    ],
)
def test_rows_that_would_be_refused_are_named(model: ServedModel, changes: Mapping[str, Mapping[str, object]]) -> None:
    (result,) = incompatibilities(model, with_features(model, **changes))
    assert next(iter(changes)) in result or "weight" in result


@pytest.mark.parametrize(
    "changes", [{"rate": {"name": "weight"}}, {"x": {"kind": "category"}}, {"x": {"is_optional": True}}]
)
def test_rows_that_can_still_be_predicted_are_fine(
    model: ServedModel, changes: Mapping[str, Mapping[str, object]]
) -> None:
    assert incompatibilities(model, with_features(model, **changes)) == []
