from __future__ import annotations

import numpy as np
from numpy.testing import assert_array_equal

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Program, run_nodes
from nncli.nn.program.values import Builder, Value, exp, join, maximum, minimum, select, smallest_sum
from tests.nn.program.support import number


def program_of(builder: Builder, value: Value) -> Program:
    outputs = number(value)
    return Program(tuple(builder.inputs), tuple(builder.nodes), tuple(builder.widths), outputs, "float64")


def compute(builder: Builder, value: Value, *columns: list[float]) -> np.ndarray:
    return run_nodes(program_of(builder, value), [np.array(column)[:, None] for column in columns])[value.position]


def test_arithmetic_of_values_is_that_of_numpy() -> None:
    builder = Builder()
    x, y = builder.input(NumberInput("x")), builder.input(NumberInput("y"))
    value = join([2.0 * x + y / 4.0, 1.0 - x, exp(minimum(x, y)), maximum(x, 0.5), select(x > y, 1.0, y), x >= y])
    a, b = np.array([0.0, -1.5, 3.0]), np.array([4.0, -1.5, 2.0])
    wanted = [2 * a + b / 4, 1 - a, np.exp(np.minimum(a, b)), np.maximum(a, 0.5), np.where(a > b, 1, b), a >= b]
    assert_array_equal(compute(builder, value, a.tolist(), b.tolist()), np.stack(wanted, axis=1))


def test_products_look_ups_and_columns_are_those_of_numpy() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    W, table = np.array([[2.0, 3.0], [4.0, 5.0]]), np.array([[1.0], [7.0], [9.0]])
    pair = join([x, x * x])
    value = join([pair @ W, pair.columns([1, -1, 0]), x.look_up(table), x.count_up_to([0.0, 1.0, 1.0])])
    assert compute(builder, value, [2.0]).tolist() == [[20.0, 26.0, 4.0, 0.0, 2.0, 9.0, 3.0]]


def test_groups_of_columns_have_their_own_weights() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    value = join([x, x + 1.0, x + 2.0, x + 3.0]).grouped_matmul(np.array([[[1.0], [10.0]], [[100.0], [1000.0]]]))
    assert compute(builder, value, [1.0]).tolist() == [[21.0, 4300.0]]


def test_rows_are_sorted_summed_and_searched_for_their_largest_number() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    row = join([x, -1.0 * x, x + 1.0, x * 0.0])
    value = join([row.sort(2), row.sum(), row.max(), row.argmax()])
    assert compute(builder, value, [3.0]).tolist() == [[-3.0, 3.0, 0.0, 4.0, 4.0, 4.0, 2.0]]


def test_smallest_sum_is_that_of_all_shifted_scores() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    shifts, scores = join([x, x * 10.0]), [np.array([0.0, 5.0]), np.array([-7.0, 1.0, 100.0])]
    sums = sorted([1.0, 6.0, 3.0, 11.0, 110.0])
    for rank in range(1, 6):
        assert compute(builder, smallest_sum(shifts, None, scores, rank), [1.0]).tolist() == [[sums[rank - 1]]]
    scaled = smallest_sum(shifts, join([x + 1.0, x]), scores, 2)
    assert compute(builder, scaled, [1.0]).tolist() == [[3.0]]


def test_equal_operations_are_one_node() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    assert (exp(x) + 1.0).position == (exp(x) + 1.0).position


def test_the_outputs_alone_have_the_same_values() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    program = program_of(builder, exp(x + 1.0) * x)
    (value,) = run_nodes(program, [np.array([[2.0], [3.0]])]).items()
    assert value[0] == program.output_nodes[0]
    assert_array_equal(value[1], run_nodes(program, [np.array([[2.0], [3.0]])])[value[0]])
