"""The operations of a program. Each has one value: columns of float64 numbers, one number of each for every row.

Operands are the positions of earlier nodes, in the fields that `places` names. A value is (rows, width); a constant is
an array of the shape that its operation needs: (width,) beside a value, with one number for all columns if the width is
1. `value` computes an operation with NumPy from the values of nodes: the reference for other runtimes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

UnaryFunction: TypeAlias = Literal[
    "exp", "log", "sqrt", "tanh", "sin", "cos", "floor", "abs", "is_nan", "round_to_float32"
]
BinaryFunction: TypeAlias = Literal[
    "add", "subtract", "multiply", "divide", "minimum", "maximum", "greater", "greater_equal"
]
RowFunction: TypeAlias = Literal["sum", "max"]
Floats: TypeAlias = npt.NDArray[np.float64]
Numbers: TypeAlias = npt.NDArray[Any]
"""Numbers or truth values, which become float64."""
Values: TypeAlias = Mapping[int, Floats]

UNARY: dict[UnaryFunction, Callable[[Floats], Numbers]] = {
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
BINARY: dict[BinaryFunction, Callable[[Floats, Floats], Numbers]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}


class Operation:
    """The interface of nodes: `places` are the fields with operands, each a position, several of them, or None."""

    places: ClassVar[tuple[str, ...]] = ("x",)


@dataclass(frozen=True)
class InputNode(Operation):
    """The values of the input `position`: see inputs.py."""

    places: ClassVar = ()
    position: int


@dataclass(frozen=True, eq=False)
class ConstantNode(Operation):
    """Numbers that are known beforehand, in float32 where that is exact, else in float64."""

    places: ClassVar = ()
    values: npt.NDArray[np.floating[Any]]

    def value(self, of: Values) -> Numbers:
        return self.values

    @classmethod
    def of(cls, values: npt.ArrayLike) -> ConstantNode:
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
        return isinstance(other, ConstantNode) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclass(frozen=True)
class Unary(Operation):
    """A function of each number. `is_nan` is 1 for NaN and 0 for numbers; `round_to_float32` rounds to float32."""

    function: UnaryFunction
    x: int

    def value(self, of: Values) -> Numbers:
        return UNARY[self.function](of[self.x])


@dataclass(frozen=True)
class Binary(Operation):
    """A function of two numbers; comparisons are 1 or 0. One operand may be a constant, or have width 1."""

    places: ClassVar = ("x", "y")
    function: BinaryFunction
    x: int
    y: int

    def value(self, of: Values) -> Numbers:
        return BINARY[self.function](of[self.x], of[self.y])


@dataclass(frozen=True)
class Select(Operation):
    """x where the condition is not 0, else y. Each may be a constant, or have width 1."""

    places: ClassVar = ("condition", "x", "y")
    condition: int
    x: int
    y: int

    def value(self, of: Values) -> Numbers:
        return np.where(of[self.condition] != 0.0, of[self.x], of[self.y])


@dataclass(frozen=True)
class Join(Operation):
    """The columns of several values beside each other."""

    places: ClassVar = ("parts",)
    parts: tuple[int, ...]

    def value(self, of: Values) -> Numbers:
        return np.concatenate([of[part] for part in self.parts], axis=1)


@dataclass(frozen=True)
class Gather(Operation):
    """The columns of x at `positions`, which may repeat; at -1 a column of zeros."""

    x: int
    positions: tuple[int, ...]

    def value(self, of: Values) -> Numbers:
        x = of[self.x]
        padded = np.concatenate([x, np.zeros((len(x), 1))], axis=1) if -1 in self.positions else x
        return padded[:, list(self.positions)]


@dataclass(frozen=True)
class MatMul(Operation):
    """X W, for a constant W (inputs, outputs)."""

    places: ClassVar = ("x", "weights")
    x: int
    weights: int

    def value(self, of: Values) -> Numbers:
        return of[self.x] @ of[self.weights]


@dataclass(frozen=True)
class GroupedMatMul(Operation):
    """X_g W_g for each of g groups of adjacent columns, for a constant W (groups, inputs, outputs)."""

    places: ClassVar = ("x", "weights")
    x: int
    weights: int

    def value(self, of: Values) -> Numbers:
        X, W = of[self.x], of[self.weights]
        groups, inputs, outputs = W.shape
        by_group = X.reshape(len(X), groups, inputs).transpose(1, 0, 2) @ W
        return by_group.transpose(1, 0, 2).reshape(len(X), groups * outputs)


@dataclass(frozen=True)
class LookUp(Operation):
    """The rows of a constant table (codes, width) at the codes x (rows, 1), which are whole numbers within it."""

    places: ClassVar = ("x", "table")
    x: int
    table: int

    def value(self, of: Values) -> Numbers:
        return of[self.table][of[self.x][:, 0].astype(np.int64)]


@dataclass(frozen=True)
class CountUpTo(Operation):
    """How many of the constant edges (count,), in ascending order, are at most x (rows, 1)."""

    places: ClassVar = ("x", "edges")
    x: int
    edges: int

    def value(self, of: Values) -> Numbers:
        return np.searchsorted(of[self.edges], of[self.x], "right")


@dataclass(frozen=True)
class RowReduction(Operation):
    """The sum or the maximum of each row (rows, 1)."""

    function: RowFunction
    x: int

    def value(self, of: Values) -> Numbers:
        reduce: Callable[..., Numbers] = np.sum if self.function == "sum" else np.max
        return reduce(of[self.x], axis=1, keepdims=True)


@dataclass(frozen=True)
class Sort(Operation):
    """Every `size` adjacent columns in ascending order."""

    x: int
    size: int

    def value(self, of: Values) -> Numbers:
        x = of[self.x]
        return np.sort(x.reshape(len(x), -1, self.size), axis=2).reshape(x.shape)


@dataclass(frozen=True)
class ArgMax(Operation):
    """The position (rows, 1) of the largest number of each row, the first of several."""

    x: int

    def value(self, of: Values) -> Numbers:
        positions: Numbers = of[self.x].argmax(axis=1)
        return positions[:, None]


@dataclass(frozen=True)
class SmallestSum(Operation):
    """The `rank`-th smallest (rows, 1), from 1, of shift_g + scale_g · score over the scores of all groups g.

    Shifts and scales are (rows, groups); `scores` is a constant (n,), ascending in each group, which has as many of
    them as `sizes` says. `scales` is None if all are 1; no scale is negative.
    """

    places: ClassVar = ("shifts", "scales", "scores")
    shifts: int
    scales: int | None
    scores: int
    sizes: tuple[int, ...]
    rank: int

    def value(self, of: Values) -> Numbers:
        group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        scores = of[self.scores]
        if self.scales is not None:
            scores = of[self.scales][:, group] * scores
        sums = of[self.shifts][:, group] + scores
        return np.partition(sums, self.rank - 1, axis=1)[:, self.rank - 1 : self.rank]


def operands(node: Node) -> tuple[int, ...]:
    """The positions of the nodes that a node needs."""
    fields = [getattr(node, name) for name in node.places]
    return tuple(i for field in fields for i in (field if isinstance(field, tuple) else (field,)) if i is not None)


def renumbered(node: Node, new: Mapping[int, int]) -> Node:
    """A node with the new positions of its operands."""

    def moved(field: Any) -> Any:
        if isinstance(field, tuple):
            return tuple(new[i] for i in field)
        return None if field is None else new[field]

    fields: dict[str, Any] = {field.name: getattr(node, field.name) for field in dataclass_fields(node)}
    return type(node)(**fields | {name: moved(fields[name]) for name in node.places})


Node: TypeAlias = (
    InputNode
    | ConstantNode
    | Unary
    | Binary
    | Select
    | Join
    | Gather
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
