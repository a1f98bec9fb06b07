from __future__ import annotations

import numpy as np

from nncli.integrations.onnx.grouping import Grouping
from nncli.nn.program.inputs import CategoryInput, NumberInput
from nncli.nn.program.values import Builder, Value, exp, join, sin, tanh
from tests.integrations.onnx.support import number_program

X, Y = NumberInput("x"), NumberInput("y")


def grouping_of(builder: Builder, *values: Value) -> Grouping:
    return Grouping(number_program(builder, *values))


def deep(x: Value, seed: float) -> Value:
    return tanh(exp(sin(x * seed) + seed) - seed) * (seed + 1.0)


def test_parts_of_a_sum_are_a_group_and_so_are_their_operands() -> None:
    builder = Builder()
    x = builder.input(X)
    result = grouping_of(builder, sum((deep(x, seed) for seed in (2.0, 3.0, 4.0)), deep(x, 1.5)))
    assert {len(group) for group in result.group_of.values()} == {4}
    assert len(set(result.group_of.values())) == 7


def test_members_that_differ_are_groups_of_those_that_do_not() -> None:
    builder = Builder()
    x = builder.input(X)
    wide = join([x, deep(x, 9.0)])
    seeds = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    values = [
        tanh(exp(deep(x, seed) if seed % 2.0 else deep(wide, seed)).sum() - seed) / (seed + 8.0) for seed in seeds
    ]
    result = grouping_of(builder, sum(values[1:], values[0]))
    sizes = {len(group) for group in result.group_of.values()}
    assert sizes == {7, 4, 3}
    sums = tuple(i for i, node in enumerate(builder.nodes) if type(node).__name__ == "RowReduction")
    assert [len(part) for part in result.parts(sums)] == [4, 3]


def test_look_ups_by_other_codes_are_no_group() -> None:
    builder, tables = Builder(), np.random.default_rng(0).normal(size=(8, 3, 2))
    columns = [CategoryInput(name, (), (), (), (), 3, ()) for name in "abcdefgh"]
    values = [builder.input(column).look_up(table) for column, table in zip(columns, tables, strict=True)]
    assert not grouping_of(builder, sum(values[1:], values[0])).group_of
    same = builder.input(columns[0])
    values = [same.look_up(table) for table in tables]
    assert grouping_of(builder, sum(values[1:], values[0])).group_of


def test_groups_that_save_no_node_are_left() -> None:
    builder = Builder()
    x, y = builder.input(X), builder.input(Y)
    assert not grouping_of(builder, join([exp(x), exp(y)])).group_of
