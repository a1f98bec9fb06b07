"""The operations and constants of a program as data for the JavaScript runtime.

A node is a list: the number of its operation, its operands, and further numbers. An operand is the distance to an
earlier node, or -1 - p for the node at position p. Equal parts, such as the members of an ensemble, are repeats: see
javascript_repeats.py. Numbers of operations are those of `step` and OPERATIONS in javascript_runtime/operations.js.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

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


Mode: TypeAlias = Literal["distance", "position"]
MIN_LENGTH = 3
"""Nodes from which a repeat is shorter than the nodes themselves."""


@dataclass
class EncodedNode:
    """A node: the number of its operation, the positions of its operands, and further numbers.

    `modes` are how its operands are stored, as far as that is decided; copies of a node share them.
    """

    operation: int
    operands: tuple[int | None, ...]
    rest: tuple[int, ...]
    modes: dict[int, Mode] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, int, tuple[int, ...]]:
        """What equal nodes have in common whatever their operands are."""
        return self.operation, len(self.operands), self.rest

    def numbers(self, at: int) -> list[int]:
        """The node as numbers, if it is the one at the position `at`."""
        stored = [
            0 if operand is None else -1 - operand if self.modes.get(k) == "position" else at - operand
            for k, operand in enumerate(self.operands)
        ]
        return [self.operation, *stored, *self.rest]


def encode_repeats(nodes: Sequence[EncodedNode], repeat: int) -> list[list[int]]:
    """The nodes as numbers; [repeat, distance, count] is `count` nodes equal to those `distance` nodes earlier."""
    steps, at = list[tuple[int, int]](), 0  # a distance, 0 for a node that is no repeat, and a count
    earlier = defaultdict[object, list[int]](list)
    while at < len(nodes):
        distance, count = _longest_repeat(nodes, at, earlier[nodes[at].key])
        if count < MIN_LENGTH:
            distance, count = 0, 1
        for i in range(at, at + count):
            if distance:
                _decide(nodes, i, distance)
            earlier[nodes[i].key].append(i)
        steps.append((distance, count))
        at += count
    encoded, at = list[list[int]](), 0
    for distance, count in steps:
        encoded.append([repeat, distance, count] if distance else nodes[at].numbers(at))
        at += count
    return encoded


def _longest_repeat(nodes: Sequence[EncodedNode], at: int, starts: Sequence[int]) -> tuple[int, int]:
    """The distance and the number of nodes of the longest repeat that begins at a position."""
    best = (0, 0)
    for start in starts:
        distance, count = at - start, 0
        decided: dict[int, dict[int, Mode]] = {}  # by the modes of the source, which other nodes may share
        while at + count < len(nodes) and count < distance:
            modes = _modes_of_copy(nodes, at + count, distance)
            own = decided.setdefault(id(nodes[start + count].modes), {})
            if modes is None or any(own.get(k, mode) != mode for k, mode in modes.items()):
                break
            own |= modes
            count += 1
        best = max(best, (distance, count), key=lambda found: found[1])
    return best


def _modes_of_copy(nodes: Sequence[EncodedNode], at: int, distance: int) -> dict[int, Mode] | None:
    """How the operands must be stored so that a node equals the one `distance` earlier; None if it cannot."""
    node, source = nodes[at], nodes[at - distance]
    if node.key != source.key:
        return None
    modes = dict[int, Mode]()
    for k, (own, other) in enumerate(zip(node.operands, source.operands, strict=True)):
        if own is None or other is None:
            if own != other:
                return None
            continue
        if own - other not in (0, distance):
            return None
        modes[k] = "position" if own == other else "distance"
        if source.modes.get(k, modes[k]) != modes[k]:
            return None
    return modes


def _decide(nodes: Sequence[EncodedNode], at: int, distance: int) -> None:
    """Store a node and the one `distance` earlier in the same way."""
    modes = _modes_of_copy(nodes, at, distance)
    assert modes is not None
    nodes[at - distance].modes.update(modes)
    nodes[at].modes = nodes[at - distance].modes
