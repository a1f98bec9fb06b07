"""A program: inputs, operations and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from nncli.base.text import percent_digits
from nncli.nn.program.inputs import NumberInput, ProgramInput
from nncli.nn.program.nodes import Constant, Floats, Input, Node, operands, renumbered
from nncli.nn.program.values import Builder

Precision: TypeAlias = Literal["float32", "float64"]
LabelType: TypeAlias = Literal["text", "integer", "float", "boolean"]


@dataclass(frozen=True)
class Bounds:
    """The nodes of the bounds (rows, targets) of prediction intervals of a level; `upper` is None if unknown."""

    level: float
    lower: int
    upper: int | None


class OutputColumn(NamedTuple):
    """A column of numbers: its title as `nncli predict` prints it, its node, and its place there."""

    title: str
    node: int
    place: int


@dataclass(frozen=True)
class Outputs:
    """What a program answers for a row: predicted numbers, or a class with its probabilities.

    `values` is the node of the numbers (rows, targets) in their own units, or of the probabilities (rows, classes);
    `quantiles` that of (rows, targets · levels), and `standard_deviations` that of (rows, targets). `labels` are the
    classes, none for numbers; of `label_type` in predictions. `codes` is the node of the code of the predicted class
    (rows, 1): its position in `labels`, or -1 if an input is infinite. Of a class, `values` or `codes` is None if only
    the other is asked for. Of several labels, `names`, `values` are their probabilities, and `decided` the node of 1
    for each that is predicted, 0 for others. Of a time to an event, `curve` is the node of the survival (rows, times),
    in the columns `curve_names`.
    """

    names: tuple[str, ...]
    values: int | None
    quantiles: int | None = None
    levels: tuple[float, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    labels: tuple[str, ...] = ()
    label_type: LabelType = "text"
    codes: int | None = None
    decided: int | None = None
    curve: int | None = None
    curve_names: tuple[str, ...] = ()
    standard_deviations: int | None = None

    @property
    def nodes(self) -> tuple[int, ...]:
        """The nodes that are computed."""
        of_bounds = [node for bounds in self.bounds for node in (bounds.lower, bounds.upper)]
        of_values = self.values, self.quantiles, self.standard_deviations
        return tuple(
            node for node in (self.codes, *of_values, self.decided, self.curve, *of_bounds) if node is not None
        )

    @property
    def probabilities(self) -> int | None:
        """The node of the probabilities; None if there are none."""
        return self.values if self.labels else None

    @property
    def numbers(self) -> list[OutputColumn]:
        """The columns of predicted numbers, in order; none of classes."""
        if self.labels or self.values is None:
            return []
        if self.decided is not None:
            parts = (("proba", self.values), ("prediction", self.decided))
            return [
                OutputColumn(f"{part}_{name}", node, j) for part, node in parts for j, name in enumerate(self.names)
            ]
        suffixes = [""] if len(self.names) == 1 else [f"_{name}" for name in self.names]
        columns = [OutputColumn(f"prediction{suffix}", self.values, j) for j, suffix in enumerate(suffixes)]
        if self.quantiles is not None:
            titles = [f"quantile_{percent_digits(level)}{suffix}" for suffix in suffixes for level in self.levels]
            columns += [OutputColumn(title, self.quantiles, k) for k, title in enumerate(titles)]
        if self.standard_deviations is not None:
            columns += [OutputColumn(f"sd{suffix}", self.standard_deviations, j) for j, suffix in enumerate(suffixes)]
        if self.curve is not None:
            columns += [OutputColumn(title, self.curve, k) for k, title in enumerate(self.curve_names)]
        for bounds in self.bounds:
            digits = percent_digits(bounds.level)
            for j, suffix in enumerate(suffixes):
                columns.append(OutputColumn(f"lower_{digits}{suffix}", bounds.lower, j))
                if bounds.upper is not None:
                    columns.append(OutputColumn(f"upper_{digits}{suffix}", bounds.upper, j))
        return columns

    @property
    def columns(self) -> list[OutputColumn]:
        """The columns of predicted numbers or of probabilities, in order."""
        if self.probabilities is None:
            return self.numbers
        return [OutputColumn(f"proba_{label}", self.probabilities, j) for j, label in enumerate(self.labels)]

    @property
    def titles(self) -> list[str]:
        """The titles of all columns, that of the predicted class included."""
        return [*["prediction"] * (self.codes is not None), *(column.title for column in self.columns)]

    def renumbered(self, new: Mapping[int, int]) -> Outputs:
        """The outputs with the new positions of their nodes."""

        def moved(node: int | None) -> int | None:
            return None if node is None else new[node]

        bounds = tuple(Bounds(bound.level, new[bound.lower], moved(bound.upper)) for bound in self.bounds)
        return replace(
            self,
            values=moved(self.values),
            quantiles=moved(self.quantiles),
            standard_deviations=moved(self.standard_deviations),
            codes=moved(self.codes),
            bounds=bounds,
            decided=moved(self.decided),
            curve=moved(self.curve),
        )


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

    def marks_of(self, column: NumberInput) -> tuple[str, str | None]:
        """The decimal mark and the thousands separator of the texts of a column."""
        mark = column.decimal or self.decimal
        return mark, None if self.thousands == mark else self.thousands

    def missing_values_of(self, column: ProgramInput) -> tuple[str, ...]:
        """The spellings of a missing cell of a column."""
        return (*self.missing_values, *column.missing_words)

    @property
    def constants(self) -> tuple[tuple[int, Constant], ...]:
        """The constants with their positions."""
        return tuple((i, node) for i, node in enumerate(self.nodes) if isinstance(node, Constant))

    def constant(self, position: int) -> npt.NDArray[np.floating[Any]]:
        """The numbers of the constant at a position."""
        node = self.nodes[position]
        assert isinstance(node, Constant)
        return node.values

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
    selected = replace(
        outputs, codes=outputs.codes if labels else None, values=outputs.values if probabilities else None
    )
    return without_unused_nodes(replace(program, outputs=selected))


def _needed(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """The positions, ascending, of the nodes that the outputs need."""
    needed, waiting = set[int](), [*outputs]
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting.extend(operands(nodes[position]))
    return sorted(needed)
