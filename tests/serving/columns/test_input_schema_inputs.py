from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nncli.models.ensemble import Ensemble
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.serving.columns.input_schema import InputSchema, typical_cell
from nncli.serving.models.served_model import ServedModel


def test_typical_values_are_the_examples_of_the_schema(models: Mapping[str, ServedModel]) -> None:
    for model in models.values():
        for feature in model.schema.features:
            if not isinstance(feature.input, TextInput):
                assert typical_cell(feature.input) == feature.example


def test_inputs_are_of_the_kinds_of_the_columns(models: Mapping[str, ServedModel]) -> None:
    kinds = {column.name: type(column) for column in models["number"].schema.inputs}
    assert kinds["price"] is NumberInput
    assert kinds["size"] is CategoryInput
    assert kinds["day"] is DateInput
    assert kinds["note"] is TextInput


def test_a_typical_number_has_the_digits_that_a_form_shows(models: Mapping[str, ServedModel]) -> None:
    typical = [column.typical for column in models["number"].schema.inputs if isinstance(column, NumberInput)]
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
    inputs = InputSchema.of(replace(model, members=(first, other)), None).inputs
    (price,) = [column for column in inputs if column.name == "price"]
    assert isinstance(price, NumberInput)
    assert price.unit == "$"
