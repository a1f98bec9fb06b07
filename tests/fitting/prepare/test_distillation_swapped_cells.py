"""Rows with swapped cells: every cell is one of its column, and as many are swapped as should be."""

from __future__ import annotations

import numpy as np
import polars as pl

from nncli.data.table import Table
from nncli.fitting.prepare.distillation import FEWEST, MOST, swap_cells

N, COLUMNS = 2_000, 20


def made() -> Table:
    cells = {f"c{j}": [f"{i},{j}" for i in range(N)] for j in range(COLUMNS)}
    return Table(pl.DataFrame(cells), "t")


def test_a_cell_is_its_own_or_that_of_one_other_row_in_the_same_column() -> None:
    frame = swap_cells(made(), np.random.default_rng(0)).frame
    parts = [[cell.split(",") for cell in frame[name]] for name in frame.columns]
    assert all(int(j) == column for column, cells in enumerate(parts) for _, j in cells)
    for i, row in enumerate(zip(*parts, strict=True)):
        assert len({int(origin) for origin, _ in row} - {i}) <= 1


def test_between_a_tenth_and_three_tenths_of_the_cells_are_swapped() -> None:
    before, after = made().frame, swap_cells(made(), np.random.default_rng(0)).frame
    swapped = np.mean([(before[name] != after[name]).mean() for name in before.columns])
    assert abs(float(swapped) - (FEWEST + MOST) / 2) < 0.01


def test_the_same_seed_gives_the_same_rows_and_missing_cells_stay_missing() -> None:
    table = Table(pl.DataFrame({"x": [1.0, None, 3.0, None] * 50, "y": ["a", "b", None, "c"] * 50}), "t")
    first, second = (swap_cells(table, np.random.default_rng(3)) for _ in range(2))
    assert first.frame.equals(second.frame, null_equal=True)
    assert first.frame.schema == table.frame.schema
    assert first.frame["x"].null_count() > 0
