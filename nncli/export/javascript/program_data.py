"""The operations and constants of a program as data for the JavaScript runtime.

A node is a list: the number of its operation, its operands, and further numbers. An operand is the distance to an
earlier node, or -1 - p for the node at position p. Equal parts, such as the members of an ensemble, are repeats: see
javascript_repeats.py. Numbers of operations are those of `step` and OPERATIONS in javascript_runtime/operations.js.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from nncli.export.javascript.repeats import EncodedNode, encode_repeats
from nncli.nn.program.nodes import (
    ArgMax,
    Binary,
    BinaryFunction,
    Columns,
    Constant,
    CountUpTo,
    GroupedMatMul,
    Input,
    Join,
    LookUp,
    MatMul,
    Node,
    RowReduction,
    Select,
    SmallestSum,
    Sort,
    Unary,
    UnaryFunction,
)
from nncli.nn.program.program import Program

OPERATIONS = (
    *("float32", "float64", "input"),
    *get_args(UnaryFunction),
    *get_args(BinaryFunction),
    *("select", "join", "columns", "product", "look_up", "count_up_to", "sum", "max", "sort", "arg_max"),
    *("smallest_sum", "repeat"),
)
NUMBERS = {name: number for number, name in enumerate(OPERATIONS)}


@dataclass
class ProgramData:
    """The nodes of a program, the lists of columns that they refer to, and their constants as base64."""

    nodes: list[list[int]] = field(default_factory=list)
    lists: list[list[int]] = field(default_factory=list)
    float32: str = ""
    float64: str = ""

    @classmethod
    def of(cls, program: Program) -> ProgramData:
        """The data of a program."""
        data = cls()
        nodes = [EncodedNode(*data._parts(node, program)) for node in program.nodes]
        data.nodes = encode_repeats(nodes, NUMBERS["repeat"])
        values = [constant.values for _, constant in program.constants]
        data.float32 = _base64(array for array in values if array.dtype == np.float32)
        data.float64 = _base64(array for array in values if array.dtype != np.float32)
        return data

    def _parts(self, node: Node, program: Program) -> tuple[int, tuple[int | None, ...], tuple[int, ...]]:
        """The number of the operation of a node, the positions of its operands, and further numbers."""
        match node:
            case Input():
                return NUMBERS["input"], (), (node.position,)
            case Constant():
                return NUMBERS[node.values.dtype.name], (), (node.values.size,)
            case Unary():
                return NUMBERS[node.function], (node.x,), ()
            case Binary():
                return NUMBERS[node.function], (node.x, node.y), ()
            case Select():
                return NUMBERS["select"], (node.condition, node.x, node.y), ()
            case Join():
                return NUMBERS["join"], node.parts, ()
            case Columns():
                return NUMBERS["columns"], (node.x,), (self._list(node.positions),)
            case MatMul():
                return NUMBERS["product"], (node.x, node.weights), ()
            case GroupedMatMul():
                return NUMBERS["product"], (node.x, node.weights), (_constant(program, node.weights).values.shape[0],)
            case LookUp():
                return NUMBERS["look_up"], (node.x, node.table), (program.widths[node.table],)
            case CountUpTo():
                return NUMBERS["count_up_to"], (node.x, node.edges), ()
            case RowReduction():
                return NUMBERS[node.function], (node.x,), ()
            case Sort():
                return NUMBERS["sort"], (node.x,), (node.size,)
            case ArgMax():
                return NUMBERS["arg_max"], (node.x,), ()
            case SmallestSum():
                return NUMBERS["smallest_sum"], (node.shifts, node.scales, node.scores), (node.rank, *node.sizes)

    def _list(self, positions: Sequence[int]) -> int:
        """The number of a list of columns, which is stored once."""
        runs = as_runs(positions)
        if runs not in self.lists:
            self.lists.append(runs)
        return self.lists.index(runs)


def as_runs(numbers: Sequence[int]) -> list[int]:
    """Numbers as runs [start, step, count, ...].

    >>> as_runs([0, 0, 0, 4, 5, 6, -1])
    [0, 0, 3, 4, 1, 3, -1, 0, 1]
    """
    runs, i = list[int](), 0
    while i < len(numbers):
        step = numbers[i + 1] - numbers[i] if i + 1 < len(numbers) else 0
        stop = i + 1
        while stop < len(numbers) and numbers[stop] - numbers[stop - 1] == step:
            stop += 1
        if stop == i + 2 and step not in (0, 1):  # two numbers by chance: the second may begin a longer run
            step, stop = 0, i + 1
        runs += [numbers[i], step if stop > i + 1 else 0, stop - i]
        i = stop
    return runs


def _constant(program: Program, position: int) -> Constant:
    node = program.nodes[position]
    assert isinstance(node, Constant)
    return node


def _base64(arrays: Iterable[np.ndarray[Any, np.dtype[np.floating[Any]]]]) -> str:
    """The numbers of arrays in order, little-endian."""
    parts = [array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays]
    return base64.b64encode(b"".join(parts)).decode("ascii")
