from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncli.integrations.onnx.graph import Graph
from nncli.integrations.onnx.model import to_onnx
from nncli.nn.program.inputs import CategoryInput, NumberInput
from nncli.nn.program.values import Builder, join
from tests.integrations.onnx.support import INFO, evaluate, model_of, number_program
from tests.runtimes.hostile import category_input, program_of, programs, texts


def test_the_versions_are_those_of_onnx_runtime_1_13() -> None:
    model = model_of(program_of([NumberInput("x"), category_input("c", ["a", "b"])]))
    assert model.ir_version == 8
    assert {item.domain: item.version for item in model.opset_import} == {"": 17, "ai.onnx.ml": 3}
    assert (model.producer_name, model.producer_version) == ("nncli", "1.2.3")


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_hostile_programs_are_valid_models_of_the_same_bytes_each_time(data: st.DataObject) -> None:
    program = data.draw(programs())
    model_of(program)
    assert to_onnx(program, INFO) == to_onnx(program, INFO)


@pytest.mark.parametrize("names", [("", "column", "column_"), ("t1", "t2", "t_1"), ("a\0b", r"a\0b", "\0")], ids=str)
def test_names_that_onnx_or_the_graph_cannot_have_are_changed(names: tuple[str, ...]) -> None:
    builder = Builder()
    columns = [builder.input(NumberInput(name)) for name in names]
    program = number_program(builder, join(columns))
    declared = [item.name for item in model_of(program).graph.input]
    assert len(set(declared)) == len(names)
    assert all(name and "\0" not in name for name in declared)
    result = evaluate(program, **{name: [float(j)] for j, name in enumerate(declared)})
    assert [column.tolist() for column in result.values()] == [[float(j)] for j in range(len(names))]


def test_every_hostile_text_is_a_name_a_category_and_a_label() -> None:
    words = texts(300)
    columns = [NumberInput(word) if i % 2 else CategoryInput(word, *_known(words)) for i, word in enumerate(words)]
    model = model_of(program_of(columns, words))
    assert [item.name for item in model.graph.input] == words
    outputs = json.loads(_metadata(model)["nncli.outputs"])
    assert outputs["labels"] == words


def _known(
    words: list[str],
) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...], tuple[()], tuple[()], int, tuple[()]]:
    first_words = tuple(words[:3])
    return first_words, tuple((word, 2 + i) for i, word in enumerate(first_words)), (), (), 5, ()


def _metadata(model: object) -> dict[str, str]:
    return {metadata_prop.key: metadata_prop.value for metadata_prop in model.metadata_props}  # type: ignore[attr-defined] # has no types


def test_every_node_has_a_name_of_its_own() -> None:
    nodes = model_of(program_of([NumberInput("x"), NumberInput("y")], ["u", "v"])).graph.node
    assert len({node.name for node in nodes} - {""}) == len(nodes) > 10


def test_the_metadata_say_what_the_inputs_are_and_where_the_model_is_from() -> None:
    program = program_of([NumberInput("x", "EUR", False, -1.0, 9.0, 2.5), category_input("c", ["a", "b"])], ["u", "v"])
    result = _metadata(model_of(program))
    assert (result["nncli.run"], result["nncli.checksum"]) == ("penguins", "ab" * 32)
    number, category = json.loads(result["nncli.inputs"])
    assert (number["kind"], number["unit"], number["lowest"], number["typical"]) == ("number", "EUR", -1.0, 2.5)
    assert (category["kind"], category["missing"], category["categories"]) == ("category", "", ["a", "b"])
    assert json.loads(result["nncli.reading"])["missing_values"] == ["", "NA"]
    assert json.loads(result["nncli.outputs"])["tensors"][1]["columns"] == ["proba_u", "proba_v"]


def test_weights_are_kept_in_float32() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    W = np.random.default_rng(0).normal(size=(1, 4000)).astype(np.float32)
    size = len(model_of(number_program(builder, (x @ W).sum())).SerializeToString())
    assert W.nbytes < size < 1.1 * W.nbytes


def test_what_no_output_needs_is_left_out() -> None:
    graph = Graph(reserved=())
    used, unused = graph.integers([1]), graph.integers([2])
    graph.add("Neg", unused)
    graph.name_output(graph.add("Neg", used), "y")
    graph.remove_unused(["y"])
    assert [node.op_type for node in graph.nodes] == ["Neg", "Identity"]
    assert [constant.name for constant in graph.initializers] == [used]
