from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nncli.models.ensemble import Ensemble
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.serving.columns.model_inputs import ModelInputs, typical_cell
from nncli.serving.models.served_model import ServedModel


def test_typical_values_are_the_examples_of_the_schema(models: Mapping[str, ServedModel]) -> None:
    for model in models.values():
        examples = {feature.name: feature.example for feature in model.schema.features}
        for column in model.inputs.inputs:
            if not isinstance(column, TextInput):
                example = examples[column.name]
                shown = float(f"{example:.12g}") if isinstance(example, float) else example
                assert typical_cell(column) == shown


def test_inputs_are_of_the_kinds_of_the_columns(models: Mapping[str, ServedModel]) -> None:
    kinds = {column.name: type(column) for column in models["number"].inputs.inputs}
    assert kinds["price"] is NumberInput
    assert kinds["size"] is CategoryInput
    assert kinds["day"] is DateInput
    assert kinds["note"] is TextInput


def test_a_typical_number_has_the_digits_that_a_form_shows(models: Mapping[str, ServedModel]) -> None:
    typical = [column.typical for column in models["number"].inputs.inputs if isinstance(column, NumberInput)]
    assert all(x is not None and x == float(f"{x:.12g}") for x in typical)


def test_members_that_read_a_column_differently_have_an_input_all_the_same(models: Mapping[str, ServedModel]) -> None:
    model = models["number"].model
    assert isinstance(model, Ensemble)
    first, second = model.members
    columns = tuple(
        column.model_copy(update={"unit": "€"}) if column.name == "price" else column
        for column in second.spec.encoder.columns
    )
    encoder = second.spec.encoder.model_copy(update={"columns": columns})
    other = replace(second, spec=second.spec.model_copy(update={"encoder": encoder}))
    inputs = ModelInputs.of(replace(model, members=(first, other)), None).inputs
    (price,) = [column for column in inputs if column.name == "price"]
    assert isinstance(price, NumberInput)
    assert price.unit == "$"
