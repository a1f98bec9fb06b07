"""The points of a column at which partial dependence is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from nncli.nn.arrays import Floats, RowIndices

QUANTILES = 21
"""Quantiles of a numeric column, from the lowest value to the highest."""
MAX_LABELS = 12


@dataclass(frozen=True)
class Grid:
    """Values (points,) in ascending order, or labels, or both; and for each point the position of a row that has it."""

    values: Floats | None
    labels: tuple[str | None, ...] | None
    rows: RowIndices

    @classmethod
    def of_quantiles(cls, x: Floats, texts: pl.Series | None = None) -> Grid:
        """Distinct quantiles of x (rows,), NaN left out; `texts` (rows,) are how the cells are spelled."""
        order = np.argsort(x, kind="stable")[: np.count_nonzero(~np.isnan(x))]  # NaN is sorted last
        at = np.unique(np.round(np.linspace(0, len(order) - 1, QUANTILES)).astype(np.int64)) if len(order) else order
        values, first = np.unique(x[order[at]], return_index=True)
        rows = order[at][first]
        return cls(values, None if texts is None else tuple(texts.gather(rows).to_list()), rows)

    @classmethod
    def of_labels(cls, texts: pl.Series) -> Grid:
        """The most frequent cells, the most frequent one first; None stands for a missing cell."""
        frame = pl.DataFrame({"label": texts, "row": np.arange(len(texts))})
        counted = frame.group_by("label", maintain_order=True).agg(pl.len(), pl.col("row").first())
        frequent = counted.sort("len", descending=True, maintain_order=True).head(MAX_LABELS)
        return cls(None, tuple(frequent["label"].to_list()), frequent["row"].to_numpy().astype(np.int64))
