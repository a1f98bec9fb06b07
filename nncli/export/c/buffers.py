"""Where the values of operations are: numbers in variables, rows of numbers in one block of memory that they share."""

from __future__ import annotations

from nncli.nn.program.inputs import TextInput
from nncli.nn.program.nodes import Constant, Input, operands
from nncli.nn.program.program import Program


def is_array(program: Program, position: int) -> bool:
    """Whether a value is a row of numbers in memory."""
    node = program.nodes[position]
    is_text = isinstance(node, Input) and isinstance(program.inputs[node.position], TextInput)
    return not isinstance(node, Constant) and (is_text or program.widths[position] > 1)


def allocate(program: Program) -> tuple[dict[int, int], int]:
    """The place of each row of numbers, and the size of the memory. A place is free again after its last use."""
    last_use = dict.fromkeys(program.outputs.nodes, len(program.nodes))
    for position in reversed(range(len(program.nodes))):
        for operand in operands(program.nodes[position]):
            last_use.setdefault(operand, position)
    places: dict[int, int] = {}
    live: list[tuple[int, int, int]] = []
    size = 0
    for position in range(len(program.nodes)):
        if not is_array(program, position):
            continue
        live = [one for one in live if one[2] >= position]
        width, place = program.widths[position], 0
        for start, end, _ in sorted(live):
            if start - place >= width:
                break
            place = max(place, end)
        places[position] = place
        live.append((place, place + width, last_use.get(position, position)))
        size = max(size, place + width)
    return places, size
