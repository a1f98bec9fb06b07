from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from nncli.serving.columns.input_schema import Feature
from nncli.serving.models.served_model import ServedModel
from nncli.serving.openapi import feature_schema, feature_text, prediction_schema, row_schema
from tests.serving.asgi_client import AsgiClient
from tests.serving.features import column_of
from tests.serving.trained import TARGETS, table_of

CELLS: list[Any] = [
    *(1, 0, -3, 2.5, 20200101, 1e300, True, False, None),
    *("", "NA", "1", "1.5", "$3.00", "3.00", "red", "RED", "blue", "2020-05-01", "01.05.2020", "true", "good bad", "ü"),
    *([], [1], {}, {"a": 1}),
]


@pytest.mark.slow
@pytest.mark.parametrize("column", table_of().drop(TARGETS).columns)
def test_a_schema_refuses_nothing_that_the_server_answers(
    client: AsgiClient, models: Mapping[str, ServedModel], column: str
) -> None:
    row = table_of(5).drop(TARGETS).row(0, named=True)
    schema = jsonschema.Draft202012Validator(row_schema(models["number"]))
    for cell in CELLS:
        changed = {**row, column: cell}
        if client.post_json("/predict", changed).status == 200:
            assert schema.is_valid(changed), cell
        elif isinstance(cell, list | dict):
            assert not schema.is_valid(changed)


def test_required_columns_are_those_without_which_the_server_refuses_a_row(
    client: AsgiClient, models: Mapping[str, ServedModel]
) -> None:
    row = table_of(5).drop(TARGETS).row(0, named=True)
    schema = jsonschema.Draft202012Validator(row_schema(models["number"]))
    for column in row:
        less = {name: cell for name, cell in row.items() if name != column}
        assert schema.is_valid(less) == (client.post_json("/predict", less).status == 200)


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (
            column_of("a", "number", True, lowest=0.5, highest=12.0, unit="$"),
            ("0.5 to 12", "$", "May be absent in JSON"),
        ),
        (column_of("a", "category", False, categories=("x", "y")), ("'x' and 'y'", "Must be there")),
        (column_of("a", "date", False, lowest=18_262.0, highest=18_628.0), ("2020-01-01 to 2021-01-01",)),
    ],
)
def test_a_description_tells_what_is_known(feature: Feature, words: tuple[str, ...]) -> None:
    assert all(word in feature_text(feature) for word in words)


def test_examples_are_the_typical_value_and_few_categories() -> None:
    feature = column_of("a", "category", False, categories=tuple(f"c{i:03}" for i in range(100)), typical="c050")
    examples = feature_schema(feature)["examples"]
    assert (examples[0], len(examples), len(set(examples))) == ("c050", 20, 20)
    assert "examples" not in feature_schema(column_of("a", "text", False))


def test_a_column_of_two_numbers_has_them_as_examples_and_accepts_others() -> None:
    schema = feature_schema(column_of("a", "number", lowest=1.0, highest=2.5, typical=2.5, is_binary=True))
    assert schema["examples"] == [2.5, 1.0]
    assert "1 or 2.5" in schema["description"]
    assert "enum" not in schema


@pytest.mark.parametrize(
    ("model", "required"),
    [
        ("number", ["prediction"]),
        ("quantiles", ["prediction", "quantile_10", "quantile_50", "quantile_90"]),
        ("numbers", ["prediction_y", "prediction_z"]),
        ("two", ["prediction"]),
    ],
)
def test_predictions_have_the_columns_of_the_target(
    models: Mapping[str, ServedModel], model: str, required: list[str]
) -> None:
    assert prediction_schema(models[model])["required"] == required
