"""Compute the operations of a program for rows of numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nncli.nn.program.inputs import NumberInput
from nncli.nn.program.program import Outputs, Program, build, run
from nncli.nn.program.values import Builder, Value, join

Floats = npt.NDArray[np.float64]


def program_of(lower: Callable[[Value], Value], columns: int) -> Program:
    """A program of the operations that `lower` adds for x (rows, columns)."""
    builder = Builder()
    value = lower(join([builder.input(NumberInput(f"x{j}")) for j in range(columns)]))
    return build(builder, Outputs(("y",), value.position), "float64")


def compute(lower: Callable[[Value], Value], X: npt.ArrayLike) -> Floats:
    """The value of the operations that `lower` adds for X (rows, columns)."""
    rows = np.asarray(X, np.float64)
    program = program_of(lower, rows.shape[1])
    positions = [int(column.name[1:]) for column in program.inputs]
    value = run(program, [rows[:, [j]] for j in positions])[program.outputs.nodes[0]]
    return np.broadcast_to(value, (len(rows), value.shape[-1]))
