from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.nodes import NODE_TYPES, ConstantNode, InputNode, SmallestSum
from nncli.nn.program.program import run_nodes
from nncli.nn.program.values import (
    Builder,
    Value,
    absolute,
    cos,
    exp,
    floor,
    is_nan,
    join,
    log,
    maximum,
    minimum,
    round_to,
    select,
    sin,
    sqrt,
    tanh,
)
from tests.integrations.onnx.support import evaluate, model_of, number_program

rng = np.random.default_rng(3)
W = rng.normal(size=(2, 40)).astype(np.float32)
G = rng.normal(size=(2, 2, 3))
CASES: dict[str, Callable[[Value, Value], Value]] = {
    "Unary exp": lambda x, y: exp(y),
    "Unary log": lambda x, y: log(absolute(x) + 1.0),
    "Unary sqrt": lambda x, y: sqrt(absolute(x)),
    "Unary tanh": lambda x, y: tanh(y),
    "Unary sin": lambda x, y: sin(y),
    "Unary cos": lambda x, y: cos(y),
    "Unary floor": lambda x, y: floor(join([x, x * 0.0 + 2.5, x * 0.0 - 2.5, x * 0.0 + 3.0, x * 0.0 - 0.5])),
    "Unary abs": lambda x, y: absolute(x),
    "Unary is_nan": lambda x, y: is_nan(x) * 2.0,
    "Unary round_to_float32": lambda x, y: round_to("float32", x / 3.0),
    "Binary": lambda x, y: join([x + y, x - y, 3.0 * y, x / y, y > x, y >= y, minimum(y, x), maximum(y, 0.25)]),
    "Select": lambda x, y: join([select(y > 0.0, y, 7.0), select(y, 1.0, x)]),
    "Join": lambda x, y: join([y > 0.0, x >= 1.0, y]),
    "Gather": lambda x, y: join([y, x, x + y]).columns([1, 2]) + join([y, x]).columns([1, 0]),
    "Gather with zeros": lambda x, y: join([y, y > 1.0]).columns([-1, 1, 1, 0, -1]),
    "MatMul": lambda x, y: join([y, y + 1.0]) @ W,
    "GroupedMatMul": lambda x, y: join([y, y + 1.0, 2.0 - y, y]).grouped_matmul(G),
    "LookUp": lambda x, y: y.count_up_to([-1.0, 0.0, 2.0]).look_up(W.reshape(-1, 2)),
    "CountUpTo": lambda x, y: y.count_up_to([-1.0, 0.0, 0.0, 2.0]),
    "RowReduction": lambda x, y: join([join([x, y]).sum(), join([y, -1.0 * y]).max()]),
    "Sort": lambda x, y: join([y, -1.0 * y, y * y, x, y, x - y]).sort(3),
    "ArgMax": lambda x, y: join([y, -1.0 * y, y]).argmax(),
}
X = np.array([-3.0, -0.5, -0.0, 0.0, 1.25, 2.5, 1e300, -1e300, 5e-324])
Y = np.array([2.0, 1.0, -1.0, 0.5, 3.0, -2.5, 0.125, 7.0, -0.25])


@pytest.mark.parametrize("name", CASES)
def test_an_operation_is_that_of_the_interpreter(name: str) -> None:
    builder = Builder()
    program = number_program(builder, CASES[name](builder.input(NumberInput("x")), builder.input(NumberInput("y"))))
    inputs = {"x": X, "y": Y}
    wanted = run_nodes(program, [inputs[column.name][:, None] for column in program.inputs])[program.output_nodes[0]]
    result = np.stack(list(evaluate(program, **{c.name: inputs[c.name] for c in program.inputs}).values()), axis=1)
    assert_allclose(result, wanted, rtol=1e-14, atol=1e-15)


def test_all_operations_on_columns_are_tried() -> None:
    tried = {name.split()[0] for name in CASES}
    assert {kind.__name__ for kind in NODE_TYPES} - tried == {
        InputNode.__name__,
        ConstantNode.__name__,
        SmallestSum.__name__,
    }


def test_casts_that_round_are_not_adjacent() -> None:
    builder = Builder()
    program = number_program(builder, round_to("float32", builder.input(NumberInput("x"))))
    kinds = [node.op_type for node in model_of(program).graph.node]
    assert kinds[:3] == ["Cast", "Reshape", "Cast"]


def test_no_operator_lacks_a_float64_kernel_in_onnx_runtime() -> None:
    missing = {
        "Cos",
        "Erf",
        "Elu",
        "Selu",
        "LeakyRelu",
        "PRelu",
        "Softplus",
        "Gelu",
        "OneHot",
        "Floor",
        "Ceil",
        "Split",
    }
    builder = Builder()
    x, y = builder.input(NumberInput("x")), builder.input(NumberInput("y"))
    model = model_of(number_program(builder, *(case(x, y) for case in CASES.values())))
    assert not {node.op_type for node in model.graph.node} & missing
    kinds = {node.output[0]: node.attribute[0].i for node in model.graph.node if node.op_type == "Cast"}
    assert {kinds[node.input[0]] for node in model.graph.node if node.op_type == "IsNaN"} == {1}  # of float32 alone
