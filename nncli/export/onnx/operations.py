"""The nodes of ONNX that compute each operation of a program.

ONNX Runtime has no float64 kernel for some operators, in old versions also for Floor and IsNaN: these are composed of
others. A value is (rows, width), or (members, rows, width) where the same operation of several members is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nncli.export.onnx.graph import BOOL, DOUBLE, FLOAT, INT64, Graph, Tensor
from nncli.nn.program.nodes import (
    ArgMax,
    Binary,
    Columns,
    CountUpTo,
    GroupedMatMul,
    Join,
    LookUp,
    MatMul,
    Node,
    RowReduction,
    Select,
    Sort,
    Unary,
)

LAST = (-1,)
BINARY = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "minimum": "Min",
    "maximum": "Max",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
}
COMPARISONS = ("greater", "greater_equal")
UNARY = {"exp": "Exp", "log": "Log", "sqrt": "Sqrt", "tanh": "Tanh", "sin": "Sin", "abs": "Abs"}


class Operand(NamedTuple):
    """A tensor of the graph, the number of its members, 0 if it has none, and of a constant its shape."""

    tensor: Tensor
    members: int = 0
    shape: tuple[int, ...] = ()


class Size(NamedTuple):
    """The number of columns of the result of an operation, and the number of its members, 0 if it has none."""

    width: int
    members: int


def write_node(graph: Graph, node: Node, size: Size, operands: Sequence[Operand]) -> Operand:
    """The result of an operation on `operands`, which are in the order of `nncli.nn.program.nodes.operands`."""
    names = [graph.cast(operand.tensor, DOUBLE) for operand in operands if not isinstance(node, LookUp | Join)]
    kind = DOUBLE
    match node:
        case Unary():
            name, kind = _unary(graph, node.function, names[0], size)
        case Binary():
            name = graph.add(BINARY[node.function], *names)
            kind = BOOL if node.function in COMPARISONS else DOUBLE
        case Select():
            condition = graph.cast(operands[0].tensor, BOOL)
            name = graph.add("Where", condition, *names[1:])
        case Join():
            name, kind = _join(graph, operands, size)
        case Columns():
            name, kind = _columns(graph, node.positions, operands[0])
        case MatMul():
            name = graph.add("MatMul", *names)
        case GroupedMatMul():
            name = _grouped_matmul(graph, names, operands, size)
        case LookUp():
            name = _look_up(graph, operands, size)
        case CountUpTo():
            found = Tensor(graph.add("GreaterOrEqual", *names), BOOL)
            name = graph.add("ReduceSum", graph.cast(found, DOUBLE), graph.integers(LAST), keepdims=1)
        case RowReduction():
            name = _row_reduction(graph, node, names[0])
        case Sort():
            name = _sort(graph, node.size, names[0], size)
        case ArgMax():
            name, kind = graph.add("ArgMax", names[0], axis=-1, keepdims=1), INT64
        case _:
            raise TypeError(f"{type(node).__name__} is no operation on columns")
    return Operand(Tensor(name, kind), size.members)


def _unary(graph: Graph, function: str, x: str, size: Size) -> tuple[str, int]:
    if function in UNARY:
        return graph.add(UNARY[function], x), DOUBLE
    composed: dict[str, Callable[[], tuple[str, int]]] = {
        "is_nan": lambda: (graph.add("IsNaN", graph.cast(Tensor(x, DOUBLE), FLOAT)), BOOL),
        "floor": lambda: (_floor(graph, x), DOUBLE),
        "cos": lambda: (_cos(graph, x), DOUBLE),
        "round_to_float32": lambda: (_round_to_float32(graph, x, size), DOUBLE),
    }
    return composed[function]()


def _floor(graph: Graph, x: str) -> str:
    """The nearest whole number, less 1 where that is larger."""
    nearest = graph.add("Round", x)
    is_larger = Tensor(graph.add("Greater", nearest, x), BOOL)
    return graph.add("Sub", nearest, graph.cast(is_larger, DOUBLE))


def _cos(graph: Graph, x: str) -> str:
    """cos x = 1 - 2 sin²(x / 2), which unlike sin(x + pi / 2) rounds no large sum."""
    wave = graph.add("Sin", graph.add("Mul", x, _number(graph, 0.5)))
    square = graph.add("Mul", wave, wave)
    return graph.add("Sub", _number(graph, 1.0), graph.add("Add", square, square))


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.array([value]))


def _round_to_float32(graph: Graph, x: str, size: Size) -> str:
    """Two casts, with a Reshape to the same shape in between: ONNX Runtime 1.13 would omit adjacent ones."""
    rounded = graph.add("Cast", x, to=FLOAT)
    rounded = graph.add("Reshape", rounded, _rows_of(graph, size, size.width))
    return graph.add("Cast", rounded, to=DOUBLE)


def _rows_of(graph: Graph, size: Size, *last: int) -> str:
    """A shape for Reshape that keeps members and rows, with these axes after them."""
    return graph.integers((*([size.members] if size.members else []), 0, *last))


def _join(graph: Graph, parts: Sequence[Operand], size: Size) -> tuple[str, int]:
    kinds = {part.tensor.kind for part in parts}
    kind = BOOL if kinds == {BOOL} else DOUBLE
    names = [graph.cast(part.tensor, kind) for part in parts]
    if size.members:
        shape = graph.integers((size.members, 1, 1))
        names = [
            name if part.members else graph.add("Expand", name, shape) for name, part in zip(names, parts, strict=True)
        ]
    return graph.add("Concat", *names, axis=-1), kind


def _columns(graph: Graph, positions: Sequence[int], x: Operand) -> tuple[str, int]:
    """The columns at positions, by a Slice where they are adjacent; zeros are written over the first column."""
    name, kind = x.tensor
    first, stop = positions[0], positions[0] + len(positions)
    if first >= 0 and tuple(positions) == tuple(range(first, stop)):
        ends = (graph.integers((first,)), graph.integers((stop,)), graph.integers(LAST))
        return graph.add("Slice", name, *ends), kind
    found = graph.add("Gather", name, graph.integers([max(0, i) for i in positions]), axis=1 + (x.members > 0))
    if min(positions) >= 0:
        return found, kind
    found = graph.cast(Tensor(found, kind), DOUBLE)
    return graph.add("Where", graph.booleans([i >= 0 for i in positions]), found, _number(graph, 0.0)), DOUBLE


def _grouped_matmul(graph: Graph, names: Sequence[str], operands: Sequence[Operand], size: Size) -> str:
    """The product of (groups, rows, inputs) and (groups, inputs, outputs), members before the groups."""
    groups, inputs, outputs = operands[1].shape[-3:]
    x = operands[0]
    split = graph.add("Reshape", names[0], _rows_of(graph, Size(0, x.members), groups, inputs))
    by_group = transposed(graph, split, _swapped(x.members), (*([x.members] if x.members else []), groups, 0, inputs))
    product = graph.add("MatMul", by_group, names[1])
    whole = graph.add("Transpose", product, perm=_swapped(size.members))
    return graph.add("Reshape", whole, _rows_of(graph, size, groups * outputs))


def transposed(graph: Graph, x: str, perm: Sequence[int], shape: Sequence[int]) -> str:
    """A Transpose, with a Reshape to the same shape after it: ONNX Runtime 1.17 takes no MatMul of float64 there."""
    return graph.add("Reshape", graph.add("Transpose", x, perm=perm), graph.integers(shape))


def _swapped(members: int) -> list[int]:
    """The order of axes in which rows and groups change their places."""
    return [0, 2, 1, 3] if members else [1, 0, 2]


def _look_up(graph: Graph, operands: Sequence[Operand], size: Size) -> str:
    codes, table = operands
    rows = graph.add("Squeeze", graph.cast(codes.tensor, INT64), graph.integers(LAST))
    return graph.add("Gather", graph.cast(table.tensor, DOUBLE), rows, axis=int(size.members > 0))


def _row_reduction(graph: Graph, node: RowReduction, x: str) -> str:
    if node.function == "sum":
        return graph.add("ReduceSum", x, graph.integers(LAST), keepdims=1)
    return graph.add("ReduceMax", x, axes=LAST, keepdims=1)


def _sort(graph: Graph, count: int, x: str, size: Size) -> str:
    parts = graph.add("Reshape", x, _rows_of(graph, size, size.width // count, count))
    ascending = graph.add("TopK", parts, graph.integers((count,)), outputs=2, axis=-1, largest=0, sorted=1)
    return graph.add("Reshape", ascending, _rows_of(graph, size, size.width))
