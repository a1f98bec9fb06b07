"""Outputs of programs, and what their operations compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import LabelType, OutputColumn, Program, build, run_nodes
from nncli.nn.program.values import Builder, Value, join
from nncli.targets.output_columns import OutputNodes, number_columns

Floats = npt.NDArray[np.float64]


def number(value: Value) -> tuple[OutputColumn, ...]:
    """One number."""
    return target_numbers(("y",), value)


def target_numbers(targets: Iterable[str], values: Value) -> tuple[OutputColumn, ...]:
    """A number for each target."""
    return number_columns(tuple(targets), OutputNodes(values.position, values.position))


def classes(
    target: str, labels: Sequence[str], codes: int, probabilities: int, label_type: LabelType = "text"
) -> tuple[OutputColumn, ...]:
    """A class and its probabilities, at these nodes."""
    shares = (
        OutputColumn(f"proba_{label}", "probability", probabilities, j, target, None, (label,), label_type)
        for j, label in enumerate(labels)
    )
    return OutputColumn("prediction", "class", codes, 0, target, None, tuple(labels), label_type), *shares


def answers_of(program: Program, values: Mapping[int, Floats]) -> dict[str, list[Any]]:
    """The columns of the outputs by title, from the values of their nodes; None for an unknown class."""
    columns = dict[str, list[Any]]()
    for column in program.outputs:
        cells: list[Any] = values[column.node][:, column.place].tolist()
        if column.role == "class":
            cells = [column.labels[int(code)] if code >= 0.0 else None for code in cells]
        columns[column.title] = cells
    return columns


def program_of(lower: Callable[[Value], Value], columns: int) -> Program:
    """A program of the operations that `lower` adds for x (rows, columns)."""
    builder = Builder()
    value = lower(join([builder.input(NumberInput(f"x{j}")) for j in range(columns)]))
    return build(builder, number(value), "float64")


def compute(lower: Callable[[Value], Value], X: npt.ArrayLike) -> Floats:
    """The value of the operations that `lower` adds for X (rows, columns)."""
    rows = np.asarray(X, np.float64)
    program = program_of(lower, rows.shape[1])
    positions = [int(column.name[1:]) for column in program.inputs]
    value = run_nodes(program, [rows[:, [j]] for j in positions])[program.output_nodes[0]]
    return np.broadcast_to(value, (len(rows), value.shape[-1]))
