"""The problem of rows some cells of which cannot be read: the first cell, and a list of more of them."""

from __future__ import annotations

import logging
from dataclasses import replace

import polars as pl

from nncli.base.errors import CellError, NncliError
from nncli.base.text import quote
from nncli.data.table import Table
from nncli.models.ensemble import AnyModel
from nncli.serving.batching.job import FAILURES
from nncli.serving.problems.problem import CellProblem, Problem, problem_of

MAX_CELLS = 20
MAX_VALUE = 200
"""Characters of a value that are shown."""


def problem_of_cells(error: CellError, model: AnyModel, table: Table) -> Problem:
    """The problem of the cell that an error names, with its value, and `MAX_CELLS` invalid cells of the table."""
    problem = problem_of(error)
    try:
        cells = model.invalid_cells(table).frame
        first = cells.filter((pl.col("row") == problem.row) & (pl.col("column") == problem.column))
        value = shown_value(first["value"][0]) if len(first) else None
        return replace(problem, value=value, errors=tuple(map(_cell_problem, cells[:MAX_CELLS].rows())))
    except NncliError:
        return problem
    except FAILURES as fault:
        logging.getLogger(__name__).error("the invalid cells of a request were not found", exc_info=fault)
        return problem


def _cell_problem(cell: tuple[int, str, str, str]) -> CellProblem:
    row, column, value, reason = cell
    return CellProblem(row, column, shown_value(value), f"{quote(value)} is {reason}")


def shown_value(value: str) -> str:
    """The value of a cell, shortened."""
    return value if len(value) <= MAX_VALUE else f"{value[: MAX_VALUE - 1]}…"
