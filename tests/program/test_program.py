from __future__ import annotations

import numpy as np

from nncli.program.inputs import NumberInput
from nncli.program.interpreter import run
from nncli.program.nodes import Constant, operands
from nncli.program.program import Bounds, ClassOutputs, NumberOutputs, build
from nncli.program.values import Builder, exp, join


def test_nodes_that_no_output_needs_are_left_out_and_the_others_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    y = x + 1.0
    program = build(builder, NumberOutputs(("y",), y.position), "float64")
    assert len(program.nodes) == 3
    assert all(j < i for i, node in enumerate(program.nodes) for j in operands(node))
    assert run(program, [np.array([[2.0]])])[program.outputs.nodes[0]].tolist() == [[3.0]]


def test_all_outputs_are_renumbered() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    exp(x * 5.0)
    values = [x + float(i) for i in range(1, 5)]
    bounds = (Bounds(0.9, values[2].position, values[3].position),)
    outputs = NumberOutputs(("y",), values[0].position, values[1].position, (0.5,), bounds)
    program = build(builder, outputs, "float64")
    computed = run(program, [np.array([[10.0]])])
    assert [computed[node].item() for node in program.outputs.nodes] == [11.0, 12.0, 13.0, 14.0]
    classes = build(builder, ClassOutputs("y", ("a", "b"), "text", values[0].position, values[3].position), "float64")
    computed = run(classes, [np.array([[10.0]])])
    assert [computed[node].item() for node in classes.outputs.nodes] == [11.0, 14.0]


def test_constants_are_stored_once_and_in_float32_where_that_is_exact() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    y = join([x + 0.5, x * 0.5, x + 0.1])
    program = build(builder, NumberOutputs(("y",), y.position), "float64")
    assert sorted(node.values.dtype.name for _, node in program.constants) == ["float32", "float64"]
    assert program.constant_bytes == 12


def test_constants_are_equal_only_with_the_same_bits() -> None:
    assert Constant.of([1.0, np.nan]) == Constant.of([1.0, np.nan])
    assert Constant.of([0.0]) != Constant.of([-0.0])
    assert Constant.of([1e300]).values.dtype == np.float64
    assert Constant.of([np.inf]).values.dtype == np.float32
