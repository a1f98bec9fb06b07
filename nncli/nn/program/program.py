"""A program: inputs, operations and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from nncli.base.text import percent_digits
from nncli.nn.program.inputs import ProgramInput
from nncli.nn.program.nodes import Constant, Floats, Input, Node, operands, renumbered
from nncli.nn.program.values import Builder

Precision: TypeAlias = Literal["float32", "float64"]
LabelType: TypeAlias = Literal["text", "integer", "float", "boolean"]


@dataclass(frozen=True)
class Bounds:
    """The nodes of the bounds (rows, targets) of prediction intervals of a level."""

    level: float
    lower: int
    upper: int


@dataclass(frozen=True)
class NumberOutputs:
    """The node of the predictions (rows, targets), in the units of the targets.

    `quantiles`, if there are any, is the node of (rows, targets · levels).
    """

    names: tuple[str, ...]
    values: int
    quantiles: int | None = None
    levels: tuple[float, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    labels: ClassVar[tuple[str, ...]] = ()

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes that are computed."""
        of_bounds = [node for bounds in self.bounds for node in (bounds.lower, bounds.upper)]
        return (self.values, *([] if self.quantiles is None else [self.quantiles]), *of_bounds)

    def renumbered(self, new: Mapping[int, int]) -> NumberOutputs:
        """The outputs with the new positions of their nodes."""
        bounds = tuple(Bounds(one.level, new[one.lower], new[one.upper]) for one in self.bounds)
        quantiles = None if self.quantiles is None else new[self.quantiles]
        return replace(self, values=new[self.values], quantiles=quantiles, bounds=bounds)


@dataclass(frozen=True)
class ClassOutputs:
    """The nodes of the code of the predicted class (rows, 1), and of the probabilities (rows, classes).

    The code is the position in `labels`, or -1 if an input is infinite. Labels are of `label_type` in predictions.
    One of the two is None if only the other is asked for.
    """

    name: str
    labels: tuple[str, ...]
    label_type: LabelType
    codes: int | None
    probabilities: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """The name of the target, in a tuple as of numbers."""
        return (self.name,)

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes that are computed."""
        return tuple(node for node in (self.codes, self.probabilities) if node is not None)

    def renumbered(self, new: Mapping[int, int]) -> ClassOutputs:
        """The outputs with the new positions of their nodes."""
        codes = None if self.codes is None else new[self.codes]
        return replace(self, codes=codes, probabilities=None if self.probabilities is None else new[self.probabilities])


Outputs: TypeAlias = NumberOutputs | ClassOutputs


@dataclass(frozen=True)
class Program:
    """What a model computes, as operations in an order in which each follows its operands.

    `widths` are the numbers of columns of the nodes; of a constant, its last axis. `missing_values` are the spellings
    of missing cells, `decimal` and `thousands` the marks of numbers in text. Predictions are rounded to `precision`.
    """

    inputs: tuple[ProgramInput, ...]
    nodes: tuple[Node, ...]
    widths: tuple[int, ...]
    outputs: Outputs
    precision: Precision
    missing_values: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None

    @property
    def constants(self) -> tuple[tuple[int, Constant], ...]:
        """The constants with their positions."""
        return tuple((i, node) for i, node in enumerate(self.nodes) if isinstance(node, Constant))

    @cached_property
    def last_operands(self) -> tuple[tuple[int, ...], ...]:
        """The operands of each node that no later node needs, and no output."""
        last_use = {operand: i for i, node in enumerate(self.nodes) for operand in operands(node)}
        wanted = {*self.outputs.nodes}
        return tuple(
            tuple({operand for operand in operands(node) if last_use[operand] == i} - wanted)
            for i, node in enumerate(self.nodes)
        )

    @property
    def constant_bytes(self) -> int:
        """The size of the constants."""
        return sum(node.values.nbytes for _, node in self.constants)


def run(program: Program, inputs: Sequence[Floats]) -> dict[int, Floats]:
    """The values (rows, width) of the nodes of the outputs; the others are freed once no operation needs them."""
    values: dict[int, Floats] = {}
    with np.errstate(all="ignore"):
        for i, (node, last) in enumerate(zip(program.nodes, program.last_operands, strict=True)):
            value = inputs[node.position] if isinstance(node, Input) else node.value(values)
            values[i] = value.astype(np.float64, copy=False)
            for operand in last:
                del values[operand]
    return {position: values[position] for position in program.outputs.nodes}


def build(
    builder: Builder,
    outputs: Outputs,
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
        outputs=outputs,
        precision=precision,
        missing_values=missing_values,
        decimal=decimal,
        thousands=thousands,
    )
    return without_unused_nodes(program)


def without_unused_nodes(program: Program) -> Program:
    """The program without the operations that no output needs. Its inputs are the same."""
    kept = _needed(program.nodes, program.outputs.nodes)
    new = {old: position for position, old in enumerate(kept)}
    return replace(
        program,
        nodes=tuple(renumbered(program.nodes[old], new) for old in kept),
        widths=tuple(program.widths[old] for old in kept),
        outputs=program.outputs.renumbered(new),
    )


def select_class_outputs(program: Program, *, labels: bool, probabilities: bool) -> Program:
    """The program of a classification with its labels, its probabilities, or both."""
    outputs = program.outputs
    assert isinstance(outputs, ClassOutputs)
    selected = replace(
        outputs,
        codes=outputs.codes if labels else None,
        probabilities=outputs.probabilities if probabilities else None,
    )
    return without_unused_nodes(replace(program, outputs=selected))


def _needed(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """The positions, ascending, of the nodes that the outputs need."""
    found, waiting = set[int](), [*outputs]
    while waiting:
        position = waiting.pop()
        if position not in found:
            found.add(position)
            waiting.extend(operands(nodes[position]))
    return sorted(found)


class OutputColumn(NamedTuple):
    """A column of predictions: its title, its node, and its place there."""

    title: str
    node: int
    place: int


def number_columns(outputs: NumberOutputs) -> list[OutputColumn]:
    """The columns of predicted numbers, in order."""
    suffixes = [""] if len(outputs.names) == 1 else [f"_{name}" for name in outputs.names]
    found = [OutputColumn(f"prediction{suffix}", outputs.values, j) for j, suffix in enumerate(suffixes)]
    if outputs.quantiles is not None:
        n = len(outputs.levels)
        for j, suffix in enumerate(suffixes):
            for k, level in enumerate(outputs.levels):
                found.append(OutputColumn(f"quantile_{percent_digits(level)}{suffix}", outputs.quantiles, j * n + k))
    for bounds in outputs.bounds:
        digits = percent_digits(bounds.level)
        for j, suffix in enumerate(suffixes):
            found.append(OutputColumn(f"lower_{digits}{suffix}", bounds.lower, j))
            found.append(OutputColumn(f"upper_{digits}{suffix}", bounds.upper, j))
    return found


def probability_columns(outputs: ClassOutputs) -> list[OutputColumn]:
    """The columns of probabilities, in order."""
    if outputs.probabilities is None:
        return []
    return [OutputColumn(f"proba_{label}", outputs.probabilities, j) for j, label in enumerate(outputs.labels)]
