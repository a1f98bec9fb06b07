"""A random sample of the rows of a table."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import polars as pl
from pydantic import BeforeValidator, Field

from nncli.base.spec import NonNegativeInt, PositiveInt, Spec
from nncli.data.splitting.holdout import stratified_split
from nncli.nn.arrays import RowIndices

MAX_CLASSES = 1_000
"""Distinct targets above which the rows are not stratified: the target is a quantity then."""


class Sample(Spec):
    """A random sample of the rows of a table, stratified by a target of few distinct values.

    The same seed gives the same rows.
    """

    rows: PositiveInt = Field(description="Number of rows; a table of fewer rows is used whole.")
    seed: NonNegativeInt = Field(0, description="Random seed of the sample; independent of the top-level `seed`.")

    def draw(self, target: pl.Series) -> RowIndices:
        """The positions (rows,) of the sample in ascending order, from the target (n,) of each row."""
        n = len(target)
        if n <= self.rows:
            return np.arange(n)
        is_class = target.n_unique() <= min(MAX_CLASSES, self.rows)
        classes = target.rank("dense").to_numpy().astype(np.int64) if is_class else None
        rng = np.random.default_rng(self.seed)
        return stratified_split(n, 1.0 - self.rows / n, rng, classes).training


def _expand(value: Any) -> Any:
    """A bare number is the number of rows."""
    return {"rows": value} if isinstance(value, int) and not isinstance(value, bool) else value


RowSample = Annotated[Sample, BeforeValidator(_expand, json_schema_input_type=PositiveInt | Sample)]
"""A sample, or its number of rows."""
