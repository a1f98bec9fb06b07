"""The operations of a program as data for JavaScript."""

from __future__ import annotations

import base64

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nncli.integrations.javascript.module import NUMBERS, as_runs, constant_data, node_data
from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import build
from nncli.nn.program.values import Builder
from tests.nn.program.support import number


def from_runs(runs: list[int]) -> list[int]:
    triples = zip(runs[::3], runs[1::3], runs[2::3], strict=True)
    return [start + k * step for start, step, count in triples for k in range(count)]


@given(st.lists(st.integers(-1, 20), max_size=60))
def test_runs_are_the_numbers_themselves(numbers: list[int]) -> None:
    assert from_runs(as_runs(numbers)) == numbers


def test_repeated_columns_are_few_runs() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    value = x.columns([0] * 16).columns([*range(8), -1])
    data = node_data(build(builder, number(value), "float64"))
    assert data[1:] == [[NUMBERS["columns"], 1, 0, 0, 16], [NUMBERS["columns"], 1, 0, 1, 8, -1, 0, 1]]


def test_constants_are_float32_where_that_is_exact() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    value = x * 0.5 + 0.1
    program = build(builder, number(value), "float64")
    assert np.frombuffer(base64.b64decode(constant_data(program, np.float32)), "<f4").tolist() == [0.5]
    assert np.frombuffer(base64.b64decode(constant_data(program, np.float64)), "<f8").tolist() == [0.1]


def test_operands_are_distances() -> None:
    builder = Builder()
    x = builder.input(NumberInput("x"))
    value = x * 0.5 + x
    assert node_data(build(builder, number(value), "float64")) == [
        [NUMBERS["input"], 0],
        [NUMBERS["float32"], 1],
        [NUMBERS["multiply"], 2, 1],
        [NUMBERS["add"], 1, 3],
    ]
