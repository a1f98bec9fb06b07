"""The operations of a program. Each has one value: columns of float64 numbers, one number of each for every row.

Operands are the positions of earlier nodes. A value is (rows, width); a constant is an array of the shape that its
operation needs: (width,) beside a value, with one number for all columns if the width is 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

UnaryFunction: TypeAlias = Literal[
    "exp", "log", "sqrt", "tanh", "sin", "cos", "floor", "abs", "is_nan", "round_to_float32"
]
BinaryFunction: TypeAlias = Literal[
    "add", "subtract", "multiply", "divide", "minimum", "maximum", "greater", "greater_equal"
]
RowFunction: TypeAlias = Literal["sum", "max"]


@dataclass(frozen=True)
class Input:
    """The values of the input `position`: see inputs.py."""

    position: int


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers that are known beforehand, in float32 where that is exact, else in float64."""

    values: npt.NDArray[np.floating[Any]]

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Constant:
        """The constant of an array."""
        exact = np.array(values, np.float64, ndmin=1)
        with np.errstate(over="ignore"):
            rounded = exact.astype(np.float32)
        fits = bool(((rounded.astype(np.float64) == exact) | np.isnan(exact)).all())
        return cls(np.ascontiguousarray(rounded if fits else exact))

    @cached_property
    def _key(self) -> tuple[str, tuple[int, ...], bytes]:
        return self.values.dtype.str, self.values.shape, self.values.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True)
class Unary:
    """A function of each number. `is_nan` is 1 for NaN and 0 for numbers; `round_to_float32` rounds to float32."""

    function: UnaryFunction
    x: int


@dataclass(frozen=True)
class Binary:
    """A function of two numbers; comparisons are 1 or 0. One operand may be a constant, or have width 1."""

    function: BinaryFunction
    x: int
    y: int


@dataclass(frozen=True)
class Select:
    """x where the condition is not 0, else y. Each may be a constant, or have width 1."""

    condition: int
    x: int
    y: int


@dataclass(frozen=True)
class Join:
    """The columns of several values beside each other."""

    parts: tuple[int, ...]


@dataclass(frozen=True)
class Columns:
    """The columns of x at `positions`, which may repeat; at -1 a column of zeros."""

    x: int
    positions: tuple[int, ...]


@dataclass(frozen=True)
class MatMul:
    """X W, for a constant W (inputs, outputs)."""

    x: int
    weights: int


@dataclass(frozen=True)
class GroupedMatMul:
    """X_g W_g for each of g groups of adjacent columns, for a constant W (groups, inputs, outputs)."""

    x: int
    weights: int


@dataclass(frozen=True)
class LookUp:
    """The rows of a constant table (codes, width) at the codes x (rows, 1), which are whole numbers within it."""

    x: int
    table: int


@dataclass(frozen=True)
class CountUpTo:
    """How many of the constant edges (count,), in ascending order, are at most x (rows, 1)."""

    x: int
    edges: int


@dataclass(frozen=True)
class RowReduction:
    """The sum or the maximum of each row (rows, 1)."""

    function: RowFunction
    x: int


@dataclass(frozen=True)
class Sort:
    """Every `size` adjacent columns in ascending order."""

    x: int
    size: int


@dataclass(frozen=True)
class ArgMax:
    """The position (rows, 1) of the largest number of each row, the first of several."""

    x: int


@dataclass(frozen=True)
class SmallestSum:
    """The `rank`-th smallest (rows, 1), from 1, of shift_g + scale_g · score over the scores of all groups g.

    Shifts and scales are (rows, groups); `scores` is a constant (n,), ascending in each group, which has as many of
    them as `sizes` says. `scales` is None if all are 1; no scale is negative.
    """

    shifts: int
    scales: int | None
    scores: int
    sizes: tuple[int, ...]
    rank: int


def operands(node: Node) -> tuple[int, ...]:
    """The positions of the nodes that a node needs."""
    match node:
        case Input() | Constant():
            return ()
        case Unary() | Columns() | RowReduction() | Sort() | ArgMax():
            return (node.x,)
        case Binary():
            return node.x, node.y
        case Select():
            return node.condition, node.x, node.y
        case Join():
            return node.parts
        case MatMul() | GroupedMatMul():
            return node.x, node.weights
        case LookUp():
            return node.x, node.table
        case CountUpTo():
            return node.x, node.edges
        case SmallestSum():
            return tuple(i for i in (node.shifts, node.scales, node.scores) if i is not None)


Node: TypeAlias = (
    Input
    | Constant
    | Unary
    | Binary
    | Select
    | Join
    | Columns
    | MatMul
    | GroupedMatMul
    | LookUp
    | CountUpTo
    | RowReduction
    | Sort
    | ArgMax
    | SmallestSum
)
NODE_TYPES: tuple[type, ...] = get_args(Node)
