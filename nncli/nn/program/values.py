"""Values of a program that is being written: arithmetic with them adds operations to the program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.program import nodes as ops
from nncli.nn.program.inputs import ProgramInput

Operand: TypeAlias = "Value | npt.ArrayLike"
"""A value, or numbers: one, or one for each column."""


@dataclass
class Builder:
    """The nodes of a program that is being written. Equal nodes are one."""

    inputs: list[ProgramInput] = field(default_factory=list)
    nodes: list[ops.Node] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    _positions: dict[ops.Node, int] = field(default_factory=dict)
    _input_positions: dict[ProgramInput, int] = field(default_factory=dict)

    def add(self, node: ops.Node, width: int) -> Value:
        """The value of a node of `width` columns, at least one."""
        assert width > 0
        position = self._positions.get(node)
        if position is None:
            position = self._positions[node] = len(self.nodes)
            self.nodes.append(node)
            self.widths.append(width)
        return Value(self, position)

    def input(self, column: ProgramInput) -> Value:
        """The value of an input (rows, width)."""
        position = self._input_positions.get(column)
        if position is None:
            position = self._input_positions[column] = len(self.inputs)
            self.inputs.append(column)
        return self.add(ops.InputNode(position), column.width)

    def constant(self, values: npt.ArrayLike) -> Value:
        """Numbers that are known beforehand; the last axis is the columns."""
        node = ops.ConstantNode.of(values)
        return self.add(node, node.values.shape[-1])

    def operand(self, x: Operand) -> Value:
        """A value as it is, and numbers as a constant."""
        return x if isinstance(x, Value) else self.constant(x)


@dataclass(frozen=True, eq=False)
class Value:
    """The value (rows, width) of a node. `+ - * /` take values and numbers, as with NumPy arrays."""

    builder: Builder
    position: int

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.builder.widths[self.position]

    def __add__(self, other: Operand) -> Value:
        return _binary("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Value:
        return _binary("subtract", self, other)

    def __rsub__(self, other: Operand) -> Value:
        return _binary("subtract", self.builder.operand(other), self)

    def __mul__(self, other: Operand) -> Value:
        return _binary("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Value:
        return _binary("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Value:
        return _binary("divide", self.builder.operand(other), self)

    def __gt__(self, other: Operand) -> Value:
        return _binary("greater", self, other)

    def __ge__(self, other: Operand) -> Value:
        return _binary("greater_equal", self, other)

    def __lt__(self, other: Operand) -> Value:
        return _binary("greater", self.builder.operand(other), self)

    def __le__(self, other: Operand) -> Value:
        return _binary("greater_equal", self.builder.operand(other), self)

    def __matmul__(self, W: npt.ArrayLike) -> Value:
        """X W, for weights (inputs, outputs)."""
        weights = self.builder.constant(W)
        return self.builder.add(ops.MatMul(self.position, weights.position), weights.width)

    def columns(self, positions: Iterable[int]) -> Value:
        """The columns at positions, which may repeat; at -1 a column of zeros."""
        places = tuple(int(i) for i in positions)
        if places == tuple(range(self.width)):
            return self
        return self.builder.add(ops.Gather(self.position, places), len(places))

    def grouped_matmul(self, W: npt.ArrayLike) -> Value:
        """X_g W_g for each group of adjacent columns, for weights (groups, inputs, outputs)."""
        weights = self.builder.constant(W)
        groups = np.shape(W)[0]
        return self.builder.add(ops.GroupedMatMul(self.position, weights.position), groups * weights.width)

    def look_up(self, table: npt.ArrayLike) -> Value:
        """The rows of a table (codes, width) at codes (rows, 1)."""
        constant = self.builder.constant(table)
        return self.builder.add(ops.LookUp(self.position, constant.position), constant.width)

    def count_up_to(self, edges: npt.ArrayLike) -> Value:
        """How many of the ascending edges (count,) are at most x (rows, 1)."""
        return self.builder.add(ops.CountUpTo(self.position, self.builder.constant(edges).position), 1)

    def sum(self) -> Value:
        """The sum of each row (rows, 1)."""
        return self.builder.add(ops.RowReduction("sum", self.position), 1)

    def max(self) -> Value:
        """The maximum of each row (rows, 1)."""
        return self.builder.add(ops.RowReduction("max", self.position), 1)

    def sort(self, size: int) -> Value:
        """Every `size` adjacent columns in ascending order."""
        return self.builder.add(ops.Sort(self.position, size), self.width)

    def argmax(self) -> Value:
        """The position (rows, 1) of the largest number of each row, the first of several."""
        return self.builder.add(ops.ArgMax(self.position), 1)


def _binary(function: ops.BinaryFunction, x: Value, y: Operand) -> Value:
    y = x.builder.operand(y)
    return x.builder.add(ops.Binary(function, x.position, y.position), max(x.width, y.width))


def _unary(function: ops.UnaryFunction, x: Value) -> Value:
    return x.builder.add(ops.Unary(function, x.position), x.width)


def exp(x: Value) -> Value:
    """e to the power of each number."""
    return _unary("exp", x)


def expm1(x: Value) -> Value:
    """eˣ - 1 without cancellation near 0. Kahan's formula, in Higham, "Accuracy and stability of numerical algorithms".

    For u = eˣ it is (u - 1) x / log u; the errors of u - 1 and of log u cancel. It is x where u is 1, and -1 where u
    is so small that u - 1 is -1.
    """
    u = exp(x)
    return select(absolute(u - 1.0) > 0.5, u - 1.0, select(absolute(u - 1.0) > 0.0, (u - 1.0) * x / log(u), x))


def log1p(x: Value) -> Value:
    """log(1 + x) without cancellation near 0, for x above -1. Kahan's formula, as `expm1`.

    For u = 1 + x it is log(u) x / (u - 1), and x where u is 1.
    """
    u = x + 1.0
    return select(absolute(u - 1.0) > 0.0, log(u) * x / (u - 1.0), x)


def log(x: Value) -> Value:
    """The natural logarithm of each number."""
    return _unary("log", x)


def sqrt(x: Value) -> Value:
    """The square root of each number."""
    return _unary("sqrt", x)


def tanh(x: Value) -> Value:
    """The hyperbolic tangent of each number."""
    return _unary("tanh", x)


def sin(x: Value) -> Value:
    """The sine of each number."""
    return _unary("sin", x)


def cos(x: Value) -> Value:
    """The cosine of each number."""
    return _unary("cos", x)


def floor(x: Value) -> Value:
    """The largest whole number that is at most each number."""
    return _unary("floor", x)


def absolute(x: Value) -> Value:
    """Each number without its sign."""
    return _unary("abs", x)


def is_nan(x: Value) -> Value:
    """1 for NaN, 0 for numbers."""
    return _unary("is_nan", x)


def round_to(precision: str, x: Value) -> Value:
    """Each number rounded to a precision: float32, or as it is."""
    return _unary("round_to_float32", x) if precision == "float32" else x


def minimum(x: Value, y: Operand) -> Value:
    """The smaller of two numbers, neither NaN."""
    return _binary("minimum", x, y)


def maximum(x: Value, y: Operand) -> Value:
    """The larger of two numbers, neither NaN."""
    return _binary("maximum", x, y)


def select(condition: Value, x: Operand, y: Operand) -> Value:
    """x where the condition is not 0, else y."""
    builder = condition.builder
    x, y = builder.operand(x), builder.operand(y)
    width = max(condition.width, x.width, y.width)
    return builder.add(ops.Select(condition.position, x.position, y.position), width)


def join(parts: Sequence[Value]) -> Value:
    """The columns of several values beside each other."""
    if len(parts) == 1:
        return parts[0]
    builder = parts[0].builder
    return builder.add(ops.Join(tuple(part.position for part in parts)), sum(part.width for part in parts))


def smallest_sum(shifts: Value, scales: Value | None, scores: Sequence[npt.NDArray[np.float64]], rank: int) -> Value:
    """The `rank`-th smallest (rows, 1), from 1, of shift_g + scale_g · score, for ascending scores of each group."""
    constant = shifts.builder.constant(np.concatenate([*scores]))
    sizes = tuple(len(part) for part in scores)
    scale = None if scales is None else scales.position
    return shifts.builder.add(ops.SmallestSum(shifts.position, scale, constant.position, sizes, rank), 1)
