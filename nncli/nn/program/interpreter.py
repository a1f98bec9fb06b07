"""Run a program with NumPy: the reference that other runtimes are compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

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

Floats: TypeAlias = npt.NDArray[np.float64]

UNARY: dict[UnaryFunction, Callable[[Floats], npt.NDArray[np.generic]]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "floor": np.floor,
    "abs": np.abs,
    "is_nan": np.isnan,
    "round_to_float32": lambda x: x.astype(np.float32),
}
BINARY: dict[BinaryFunction, Callable[[Floats, Floats], npt.NDArray[np.generic]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}


def run(program: Program, inputs: Sequence[Floats]) -> dict[int, Floats]:
    """The values (rows, width) of the nodes of the outputs; the others are freed once no operation needs them."""
    values: dict[int, Floats] = {}
    with np.errstate(all="ignore"):
        for i, (node, last) in enumerate(zip(program.nodes, program.last_operands, strict=True)):
            values[i] = _value(node, inputs, values)
            for operand in last:
                del values[operand]
    return {position: values[position] for position in program.outputs.nodes}


def _value(node: Node, inputs: Sequence[Floats], values: Mapping[int, Floats]) -> Floats:
    match node:
        case Input():
            value: npt.NDArray[np.generic] = inputs[node.position]
        case Constant():
            value = node.values
        case Unary():
            value = UNARY[node.function](values[node.x])
        case Binary():
            value = BINARY[node.function](values[node.x], values[node.y])
        case Select():
            value = np.where(values[node.condition] != 0.0, values[node.x], values[node.y])
        case Join():
            value = np.concatenate([values[part] for part in node.parts], axis=1)
        case Columns():
            x = values[node.x]
            value = np.concatenate([x, np.zeros((len(x), 1))], axis=1)[:, list(node.positions)]
        case MatMul():
            value = values[node.x] @ values[node.weights]
        case GroupedMatMul():
            value = _grouped_matmul(values[node.x], values[node.weights])
        case LookUp():
            value = values[node.table][values[node.x][:, 0].astype(np.int64)]
        case CountUpTo():
            value = np.searchsorted(values[node.edges], values[node.x], "right")
        case RowReduction():
            reduce = np.sum if node.function == "sum" else np.max
            value = reduce(values[node.x], axis=1, keepdims=True)
        case Sort():
            x = values[node.x]
            value = np.sort(x.reshape(len(x), -1, node.size), axis=2).reshape(x.shape)
        case ArgMax():
            value = values[node.x].argmax(axis=1)[:, None]
        case SmallestSum():
            value = _smallest_sum(node, values)
    return value.astype(np.float64, copy=False)


def _grouped_matmul(X: Floats, W: Floats) -> Floats:
    groups, inputs, outputs = W.shape
    by_group = X.reshape(len(X), groups, inputs).transpose(1, 0, 2) @ W
    return by_group.transpose(1, 0, 2).reshape(len(X), groups * outputs)


def _smallest_sum(node: SmallestSum, values: Mapping[int, Floats]) -> Floats:
    group = np.repeat(np.arange(len(node.sizes)), node.sizes)
    scores = values[node.scores]
    if node.scales is not None:
        scores = values[node.scales][:, group] * scores
    sums = values[node.shifts][:, group] + scores
    return np.partition(sums, node.rank - 1, axis=1)[:, node.rank - 1 : node.rank]
