from __future__ import annotations

from nncli.integrations.onnx.model import missing_word
from nncli.nn.program.inputs import CategoryInput, DateInput, NumberInput, TextInput
from nncli.nn.program.values import Builder
from tests.integrations.onnx.support import model_of, number_program, numbers

NUMBERS = CategoryInput(
    "n",
    ("-4", "3", "x"),
    (("-4", 2), ("3", 3), ("x", 4)),
    (("-4", 2), ("3", 3), ("x", 4)),
    (),
    5,
    (None, "?", "-4", "3", "x"),
)


def test_unknown_categories_have_the_other_code() -> None:
    builder = Builder()
    program = number_program(builder, builder.input(NUMBERS))
    assert numbers(program, n=["3", "(missing)", "4", " 3", "", "3.0"]) == [[3], [0], [1], [1], [1], [3]]


def test_words_are_counted_with_pairs_and_a_missing_text() -> None:
    column = TextInput("t", ("not good", "good", "été"))
    builder = Builder()
    program = number_program(builder, builder.input(column))
    rows = [["not", "good", "good"], ["good", "not", "été"], [missing_word(column), "", ""], ["", "", ""]]
    assert numbers(program, t=rows) == [[1, 2, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]


def test_inputs_are_declared_by_their_columns() -> None:
    builder = Builder()
    columns = (NumberInput("x"), NUMBERS, DateInput("d", ("iso",)), TextInput("t", ("good",)))
    model = model_of(number_program(builder, *(builder.input(column) for column in columns)))
    declared = [(i.name, i.type.tensor_type.elem_type, i.type.tensor_type.shape.dim[1]) for i in model.graph.input]
    assert [(name, kind, axis.dim_value) for name, kind, axis in declared] == [
        *(("x", 11, 1), ("n", 8, 1), ("d", 11, 1), ("t", 8, 0))
    ]


def test_no_axis_has_a_name() -> None:
    builder = Builder()
    model = model_of(number_program(builder, builder.input(NumberInput("x")), builder.input(NUMBERS)))
    tensors = (*model.graph.input, *model.graph.output)
    assert not any(axis.dim_param for tensor in tensors for axis in tensor.type.tensor_type.shape.dim)
