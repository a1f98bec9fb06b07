from __future__ import annotations

import numpy as np
import pytest

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.nodes import Constant, operands
from nncli.nn.program.program import (
    Bounds,
    Outputs,
    Program,
    build,
    run,
    select_class_outputs,
    without_unused_nodes,
)
from nncli.nn.program.values import Builder, exp, join


def test_nodes_that_no_output_needs_are_left_out_and_the_others_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    y = x + 1.0
    program = build(builder, Outputs(("y",), y.position), "float64")
    assert len(program.nodes) == 3
    assert all(j < i for i, node in enumerate(program.nodes) for j in operands(node))
    assert run(program, [np.array([[2.0]])])[program.outputs.nodes[0]].tolist() == [[3.0]]


def test_all_outputs_are_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    values = [x + float(i) for i in range(1, 5)]
    bounds = (Bounds(0.9, values[2].position, values[3].position),)
    outputs = Outputs(("y",), values[0].position, values[1].position, (0.5,), bounds)
    program = build(builder, outputs, "float64")
    computed = run(program, [np.array([[10.0]])])
    assert [computed[node].item() for node in program.outputs.nodes] == [11.0, 12.0, 13.0, 14.0]
    classes = build(
        builder, Outputs(("y",), values[3].position, labels=("a", "b"), codes=values[0].position), "float64"
    )
    computed = run(classes, [np.array([[10.0]])])
    assert [computed[node].item() for node in classes.outputs.nodes] == [11.0, 14.0]


def test_constants_are_stored_once_and_in_float32_where_that_is_exact() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    y = join([x + 0.5, x * 0.5, x + 0.1])
    program = build(builder, Outputs(("y",), y.position), "float64")
    assert sorted(node.values.dtype.name for _, node in program.constants) == ["float32", "float64"]
    assert program.constant_bytes == 12


def test_constants_are_equal_only_with_the_same_bits() -> None:
    assert Constant.of([1.0, np.nan]) == Constant.of([1.0, np.nan])
    assert Constant.of([0.0]) != Constant.of([-0.0])
    assert Constant.of([1e300]).values.dtype == np.float64
    assert Constant.of([np.inf]).values.dtype == np.float32


def classifier() -> Program:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    P = exp(join([x, x * 0.0]))
    P = P / P.sum()
    exp(x + 1.0)  # an operation that no output needs
    outputs = Outputs(("species",), P.position, labels=("a", "b"), codes=P.argmax().position)
    return Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), outputs, "float64")


@pytest.mark.parametrize(("labels", "probabilities"), [(True, True), (True, False), (False, True)])
def test_selected_outputs_are_those_of_the_whole_program(labels: bool, probabilities: bool) -> None:
    program, X = classifier(), [np.array([[0.5], [-2.0]])]
    whole, selected = program.outputs, select_class_outputs(program, labels=labels, probabilities=probabilities)
    assert whole.labels
    assert selected.outputs.labels
    assert len(selected.nodes) < len(program.nodes)
    before, after = run(program, X), run(selected, X)
    for old, new, is_kept in (
        (whole.codes, selected.outputs.codes, labels),
        (whole.probabilities, selected.outputs.probabilities, probabilities),
    ):
        assert (new is not None) is is_kept
        if old is not None and new is not None:
            assert after[new].tolist() == before[old].tolist()


def test_labels_alone_need_no_operation_of_the_probabilities_alone() -> None:
    assert (
        len(select_class_outputs(classifier(), labels=False, probabilities=True).nodes)
        == len(without_unused_nodes(classifier()).nodes) - 1
    )


def test_bounds_and_quantiles_keep_their_values() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x)
    values = [x * 2.0, join([x - 1.0, x * 2.0]), x - 3.0, x + 3.0]
    numbers = Outputs(
        ("y",),
        values[0].position,
        values[1].position,
        (0.1, 0.5),
        (Bounds(0.9, values[2].position, values[3].position),),
    )
    program = Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), numbers, "float64")
    smaller = without_unused_nodes(program)
    X = [np.array([[4.0]])]
    assert smaller.outputs.values is not None
    assert [run(smaller, X)[node].tolist() for node in smaller.outputs.nodes] == [
        [[8.0]],
        [[3.0, 8.0]],
        [[1.0]],
        [[7.0]],
    ]
    assert len(smaller.nodes) < len(program.nodes)
