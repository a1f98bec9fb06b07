"""The problem of invalid cells has the first one with its value, and a list of more."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest

from nncli.base.errors import CellError
from nncli.data.table import Table
from nncli.serving.batching import MAX_CELLS, MAX_VALUE, problem_of_cells, shown_value
from nncli.serving.models.served_model import PredictionOptions, ServedModel
from nncli.serving.problems import Problem
from tests.serving.trained import TARGETS, table_of


def problem_with(model: ServedModel, cells: list[str]) -> Problem:
    """The problem of rows with these cells in the column of numbers x."""
    frame = table_of(seed=3).drop(TARGETS).head(len(cells)).with_columns(x=pl.Series(cells))
    table = Table(frame, "the request", dialect=model.model.spec.dialect)
    with pytest.raises(CellError) as caught:
        model.predict(table, PredictionOptions())
    return problem_of_cells(caught.value, model.model, table)


def test_invalid_cells_are_listed_with_their_values(models: Mapping[str, ServedModel]) -> None:
    problem = problem_with(models["number"], ["1", "abc", "2", "1,5x"])
    assert (problem.row, problem.column, problem.value) == (2, "x", "abc")
    assert [(cell.row, cell.column, cell.value) for cell in problem.errors] == [(2, "x", "abc"), (4, "x", "1,5x")]
    assert "abc" in problem.errors[0].detail


def test_the_list_is_bounded(models: Mapping[str, ServedModel]) -> None:
    assert len(problem_with(models["number"], ["abc"] * (MAX_CELLS + 5)).errors) == MAX_CELLS


def test_long_values_are_shortened() -> None:
    assert shown_value("a" * MAX_VALUE) == "a" * MAX_VALUE
    assert shown_value("a" * (MAX_VALUE + 1)) == "a" * (MAX_VALUE - 1) + "…"
