"""Rows made of other rows by swapping some of their cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from nncli.data.table import Table

FEWEST, MOST = 0.1, 0.3
"""The shares of the cells of a row that are swapped: each row draws its own between these."""


def swap_cells(table: Table, random: np.random.Generator) -> Table:
    """A copy of a table in which each row has some cells of another row, drawn at random; it keeps its number.

    Each cell is replaced with a probability of 10 to 30 %, which is drawn for its row.

    Source: Fakoor, Mueller, Erickson, Chaudhari and Smola, "Fast, accurate, and simple models for tabular data via
    augmented distillation", 2020, and the swap noise of denoising autoencoders.
    """
    n = len(table)
    donors = random.integers(n, size=n)
    shares = random.uniform(FEWEST, MOST, n)
    columns = []
    for name in table.names:
        cells = table.frame.get_column(name)
        keeps = pl.Series(random.random(n) >= shares)
        columns.append(cells.zip_with(keeps, cells.gather(donors)))
    return replace(table, frame=pl.DataFrame(columns))
