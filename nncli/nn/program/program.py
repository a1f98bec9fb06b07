"""A program: inputs, operations and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.nn.program.inputs import NumberInput, ProgramInput
from nncli.nn.program.nodes import ConstantNode, Floats, InputNode, Node, operands, renumbered
from nncli.nn.program.values import Builder

Precision: TypeAlias = Literal["float32", "float64"]
LabelType: TypeAlias = Literal["text", "integer", "float", "boolean"]
Role: TypeAlias = Literal["value", "class", "probability", "decided", "quantile", "sd", "curve", "lower", "upper"]


@dataclass(frozen=True)
class OutputColumn:
    """A column of what a program answers: its title as `nncli predict` prints it, its node, and its place there.

    `target` is the target or label that it is of, `level` that of a quantile or of the interval of a bound. The columns
    of a target with classes have `labels`, of `label_type` in predictions: a class all of them, of which its numbers
    are positions, or -1 if an input is infinite, and a probability its own. What is `decided` is 1 for yes, 0 for no.
    """

    title: str
    role: Role
    node: int
    place: int = 0
    target: str = ""
    level: float | None = None
    labels: tuple[str, ...] = ()
    label_type: LabelType = "text"

    @property
    def is_rounded(self) -> bool:
        """Whether its numbers are rounded to the precision of the program."""
        return self.role in ("probability", "decided")


@dataclass(frozen=True)
class Program:
    """What a model computes, as operations in an order in which each follows its operands.

    `widths` are the numbers of columns of the nodes; of a constant, its last axis. `missing_values` are the spellings
    of missing cells, `decimal` and `thousands` the marks of numbers in text. Predictions are rounded to `precision`.
    """

    inputs: tuple[ProgramInput, ...]
    nodes: tuple[Node, ...]
    widths: tuple[int, ...]
    outputs: tuple[OutputColumn, ...]
    precision: Precision
    missing_values: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None

    def marks_of(self, column: NumberInput) -> tuple[str, str | None]:
        """The decimal mark and the thousands separator of the texts of a column."""
        mark = column.decimal or self.decimal
        return mark, None if self.thousands == mark else self.thousands

    def missing_values_of(self, column: ProgramInput) -> tuple[str, ...]:
        """The spellings of a missing cell of a column."""
        return (*self.missing_values, *column.missing_words)

    @property
    def constants(self) -> tuple[tuple[int, ConstantNode], ...]:
        """The constants with their positions."""
        return tuple((i, node) for i, node in enumerate(self.nodes) if isinstance(node, ConstantNode))

    def constant(self, position: int) -> npt.NDArray[np.floating[Any]]:
        """The numbers of the constant at a position."""
        node = self.nodes[position]
        assert isinstance(node, ConstantNode)
        return node.values

    @cached_property
    def output_nodes(self) -> tuple[int, ...]:
        """The node of each output."""
        return tuple(column.node for column in self.outputs)

    @cached_property
    def last_operands(self) -> tuple[tuple[int, ...], ...]:
        """The operands of each node that no later node needs, and no output."""
        last_use = {operand: i for i, node in enumerate(self.nodes) for operand in operands(node)}
        wanted = {*self.output_nodes}
        return tuple(
            tuple({operand for operand in operands(node) if last_use[operand] == i} - wanted)
            for i, node in enumerate(self.nodes)
        )

    @property
    def constant_bytes(self) -> int:
        """The size of the constants."""
        return sum(node.values.nbytes for _, node in self.constants)


def run_nodes(program: Program, inputs: Sequence[Floats]) -> dict[int, Floats]:
    """The values (rows, width) of the nodes of the outputs; the others are freed once no operation needs them."""
    values: dict[int, Floats] = {}
    with np.errstate(all="ignore"):
        for i, (node, last) in enumerate(zip(program.nodes, program.last_operands, strict=True)):
            value = inputs[node.position] if isinstance(node, InputNode) else node.value(values)
            values[i] = value.astype(np.float64, copy=False)
            for operand in last:
                del values[operand]
    return {position: values[position] for position in program.output_nodes}


def build(
    builder: Builder,
    outputs: Sequence[OutputColumn],
    precision: Precision,
    missing_values: tuple[str, ...] = (),
    decimal: str = ".",
    thousands: str | None = None,
) -> Program:
    """The program of a builder, without the nodes that its outputs do not need."""
    program = Program(
        inputs=tuple(builder.inputs),
        nodes=tuple(builder.nodes),
        widths=tuple(builder.widths),
        outputs=tuple(outputs),
        precision=precision,
        missing_values=missing_values,
        decimal=decimal,
        thousands=thousands,
    )
    return without_unused_nodes(program)


def without_unused_nodes(program: Program) -> Program:
    """The program without the operations that no output needs. Its inputs are the same."""
    kept = _needed(program.nodes, program.output_nodes)
    new = {old: position for position, old in enumerate(kept)}
    return replace(
        program,
        nodes=tuple(renumbered(program.nodes[old], new) for old in kept),
        widths=tuple(program.widths[old] for old in kept),
        outputs=tuple(replace(column, node=new[column.node]) for column in program.outputs),
    )


def select_outputs(program: Program, role: Role) -> Program:
    """The program with the outputs of a role alone."""
    selected = tuple(column for column in program.outputs if column.role == role)
    return without_unused_nodes(replace(program, outputs=selected))


class OutputGroups(NamedTuple):
    """The columns of a program that media write each in its own way.

    There is one class at most. The probabilities of classes are all columns of one node, in their order.
    """

    numbers: tuple[OutputColumn, ...]
    classes: tuple[OutputColumn, ...]
    probabilities: tuple[OutputColumn, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes; none of numbers."""
        return tuple(dict.fromkeys(label for column in self.classes or self.probabilities for label in column.labels))

    @property
    def label_type(self) -> LabelType:
        """The type of the classes in predictions."""
        return (self.classes or self.probabilities)[0].label_type


def groups_of(outputs: Sequence[OutputColumn]) -> OutputGroups:
    """The columns apart."""
    numbers = tuple(column for column in outputs if not column.labels)
    classes = tuple(column for column in outputs if column.role == "class")
    return OutputGroups(numbers, classes, tuple(c for c in outputs if c.labels and c.role == "probability"))


def targets_of(outputs: Sequence[OutputColumn]) -> list[str]:
    """The targets that columns are of."""
    return list(dict.fromkeys(column.target for column in outputs))


def _needed(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """The positions, ascending, of the nodes that the outputs need."""
    needed, waiting = set[int](), [*outputs]
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting.extend(operands(nodes[position]))
    return sorted(needed)
