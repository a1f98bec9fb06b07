from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.nodes import ConstantNode, operands
from nncli.nn.program.program import OutputColumn, Program, Role, build, run_nodes, select_outputs, without_unused_nodes
from nncli.nn.program.values import Builder, exp, join
from nncli.targets.output_columns import IntervalNodes, OutputNodes, number_columns
from tests.nn.program.support import answers_of, classes, number


def test_nodes_that_no_output_needs_are_left_out_and_the_others_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    y = x + 1.0
    program = build(builder, number(y), "float64")
    assert len(program.nodes) == 3
    assert all(j < i for i, node in enumerate(program.nodes) for j in operands(node))
    assert run_nodes(program, [np.array([[2.0]])])[program.output_nodes[0]].tolist() == [[3.0]]


def test_all_outputs_are_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    values = [x + float(i) for i in range(1, 5)]
    outputs = [OutputColumn(str(i), "value", value.position) for i, value in enumerate(values)]
    program = build(builder, outputs, "float64")
    computed = run_nodes(program, [np.array([[10.0]])])
    assert answers_of(program, computed) == {"0": [11.0], "1": [12.0], "2": [13.0], "3": [14.0]}


def test_constants_are_stored_once_and_in_float32_where_that_is_exact() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    y = join([x + 0.5, x * 0.5, x + 0.1])
    program = build(builder, number(y), "float64")
    assert sorted(node.values.dtype.name for _, node in program.constants) == ["float32", "float64"]
    assert program.constant_bytes == 12


def test_constants_are_equal_only_with_the_same_bits() -> None:
    assert ConstantNode.of([1.0, np.nan]) == ConstantNode.of([1.0, np.nan])
    assert ConstantNode.of([0.0]) != ConstantNode.of([-0.0])
    assert ConstantNode.of([1e300]).values.dtype == np.float64
    assert ConstantNode.of([np.inf]).values.dtype == np.float32


def classifier() -> Program:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    P = exp(join([x, x * 0.0]))
    P = P / P.sum()
    exp(x + 1.0)  # an operation that no output needs
    outputs = classes("species", ("a", "b"), P.argmax().position, P.position)
    return Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), outputs, "float64")


@pytest.mark.parametrize(("role", "titles"), [("class", ["prediction"]), ("probability", ["proba_a", "proba_b"])])
def test_selected_outputs_are_those_of_the_whole_program(role: Role, titles: list[str]) -> None:
    program, X = classifier(), [np.array([[0.5], [-2.0]])]
    selected = select_outputs(program, role)
    assert len(selected.nodes) < len(program.nodes)
    before, after = answers_of(program, run_nodes(program, X)), answers_of(selected, run_nodes(selected, X))
    assert after == {title: before[title] for title in titles}


def test_labels_alone_need_no_operation_of_the_probabilities_alone() -> None:
    assert len(select_outputs(classifier(), "probability").nodes) == len(without_unused_nodes(classifier()).nodes) - 1


def test_bounds_and_quantiles_keep_their_values() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x)
    values = [x * 2.0, join([x - 1.0, x * 2.0]), x - 3.0, x + 3.0]
    node, _, *bounds = (value.position for value in values)
    nodes = OutputNodes(node, node, values[1].position, (0.1, 0.5), bounds=(IntervalNodes(0.9, *bounds),))
    numbers = number_columns(("y",), nodes)
    program = Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), numbers, "float64")
    smaller = without_unused_nodes(program)
    X = [np.array([[4.0]])]
    assert answers_of(smaller, run_nodes(smaller, X)) == {
        "prediction": [8.0],
        "quantile_10": [3.0],
        "quantile_50": [8.0],
        "lower_90": [1.0],
        "upper_90": [7.0],
    }
    assert len(smaller.nodes) < len(program.nodes)
