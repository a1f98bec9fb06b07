from __future__ import annotations

import numpy as np

from nncli.integrations.c.statements import allocate, is_array
from nncli.nn.program.inputs import NumberInput, ProgramInput, TextInput
from nncli.nn.program.nodes import operands
from tests.runtimes.hostile import category_input, program_of

INPUTS: list[ProgramInput] = [
    NumberInput("x"),
    category_input("city", ["a", "b"]),
    TextInput("notes", ("good", "not good")),
]


def test_rows_that_are_used_at_the_same_time_do_not_overlap() -> None:
    program = program_of(INPUTS, targets=["y", "z"])
    places, size = allocate(program)
    last = dict.fromkeys(range(len(program.nodes)), -1) | dict.fromkeys(program.output_nodes, len(program.nodes))
    for position, node in enumerate(program.nodes):
        for operand in operands(node):
            last[operand] = max(last[operand], position)
    owner = np.full(size, -1)
    for position in range(len(program.nodes)):
        for operand in operands(program.nodes[position]):
            if operand in places:
                assert (owner[places[operand] : places[operand] + program.widths[operand]] == operand).all()
        if position in places:
            taken = owner[places[position] : places[position] + program.widths[position]]
            assert all(last[other] < position for other in taken.tolist() if other >= 0)
            taken[:] = position
    assert size < sum(program.widths[position] for position in places)


def test_numbers_and_constants_are_not_in_memory() -> None:
    program = program_of([NumberInput("x")])
    assert not any(is_array(program, position) for position, _ in program.constants)
    assert not is_array(program, 0)
