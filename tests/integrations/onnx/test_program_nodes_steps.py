from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.testing import assert_allclose

from nncli.integrations.onnx.program_nodes import steps_of
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program, run_nodes
from nncli.nn.program.values import Builder, Value, join, select, tanh
from tests.integrations.onnx.support import evaluate, model_of, number_program

X = np.array([0.3, -1.25, 2.0])


def member(x: Value, seed: int, units: int = 4) -> Value:
    rng = np.random.default_rng(seed)
    z = (x - rng.normal()) / rng.uniform(1.0, 2.0)
    wide = join([z, select(x > 0.0, z, x)]).columns([0, 0, 1, 1]).grouped_matmul(rng.normal(size=(2, 2, units)))
    table = rng.normal(size=(2, 3))
    hidden = tanh(join([wide, x.count_up_to([0.0]).look_up(table)]) @ rng.normal(size=(2 * units + 3, 5)))
    return hidden @ rng.normal(size=(5, 2)) + rng.normal(size=2)


def check(program: Program) -> Counter[str]:
    """The number of nodes of each operator, after comparing the model with the interpreter."""
    result = np.stack(list(evaluate(program, x=X).values()), axis=1)
    assert_allclose(result, run_nodes(program, [X[:, None]])[program.output_nodes[0]], rtol=1e-13)
    return Counter(node.op_type for node in model_of(program).graph.node)


def test_the_operations_of_members_are_one_node_for_all() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    members = [member(x, seed) for seed in range(8)]
    kinds = check(number_program(builder, sum(members[1:], members[0]) / 8.0))
    assert (kinds["MatMul"], kinds["Tanh"], kinds["Add"], kinds["ReduceSum"]) == (3, 1, 1, 2)


def test_members_that_differ_in_a_part_are_two_groups_there_and_one_after_it() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    members = [member(x, seed, units=3 + seed % 2) for seed in range(8)]
    kinds = check(number_program(builder, sum(members[1:], members[0]) / 8.0))
    assert (kinds["MatMul"], kinds["Tanh"]) == (2 + 2 + 1, 1)


def test_members_that_are_joined_and_members_that_are_used_twice_are_right() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    members = [member(x, seed) for seed in range(6)]
    joined = join([member.columns([0]) for member in members])
    first, second = members[0] + members[2] + members[4], members[1] + members[3] + members[5]
    kinds = check(number_program(builder, joined, sum(members[1:], members[0]), first, second, members[3] * 2.0))
    assert kinds["Tanh"] == 1


def test_members_that_need_the_value_of_another_are_computed_one_by_one() -> None:
    builder = Builder()
    values = [builder.input(NumberInput("x"))]
    for seed in range(8):
        values.append(member(values[-1].columns([0]), seed))
    program = number_program(builder, sum(values[2:], values[1]))
    assert all(len(step.members) == 1 for step in steps_of(program))
    assert check(program)["Tanh"] == 8


def test_few_operations_are_not_grouped() -> None:
    builder = Builder()
    x, y = builder.input(NumberInput("x")), builder.input(NumberInput("y"))
    assert all(len(step.members) == 1 for step in steps_of(number_program(builder, join([tanh(x), tanh(y)]))))
