"""Numeric columns of few rows, encoded together with the bits of one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from nncli.data.columns.parsing import numbers_and_errors
from nncli.data.encoders.anomalies import ColumnAnomalies
from nncli.data.encoders.numeric import NumericColumn
from nncli.data.encoders.scaling import MIN_SHARE, clip_smoothly, normal_quantile, quantile_cdf
from nncli.data.table import Table
from nncli.nn.arrays import Floats, Matrix


class FewNumbers:
    """Fitted numeric columns with their places in X, and their constants as arrays (columns, 1)."""

    def __init__(self, placed: Sequence[tuple[int, NumericColumn]], dtype: str) -> None:
        self._columns, self._dtype = [column for _, column in placed], dtype
        self._read = tuple((column.name, column.unit, column.reads_booleans) for column in self._columns)
        self._center, self._fill = self._array(lambda c: c.center), self._array(lambda c: c.fill_value)
        self._scale = self._array(lambda c: c.scale or 1.0)
        self._low, self._high = self._array(lambda c: c.range[0]), self._array(lambda c: c.range[1])
        self._clipped_to_range = self._positions(lambda c: c.clip_range)
        self._ends = self._low[self._clipped_to_range], self._high[self._clipped_to_range]
        self._constant = self._positions(lambda c: c.scale == 0.0 and c.quantiles is None)
        self._smooth = self._positions(lambda c: c.clip == "smooth")
        self._ranked = self._positions(lambda c: c.quantiles is not None)
        self._distributions = [quantile_cdf(np.array(c.quantiles)) for c in self._columns if c.quantiles is not None]
        self._places = np.array([at for at, _ in placed], np.intp)
        self._marked = self._positions(lambda c: c.missing_indicator)
        self._mark_places = self._places[self._marked] + 1

    def _array(self, value: Callable[[NumericColumn], float]) -> Floats:
        return np.array([value(column) for column in self._columns], np.float64).reshape(-1, 1)

    def _positions(self, condition: Callable[[NumericColumn], bool]) -> list[int]:
        return [j for j, column in enumerate(self._columns) if condition(column)]

    def encode(self, table: Table, X: Matrix) -> list[tuple[str, ColumnAnomalies]] | None:
        """Fill the columns of X and return those with anomalies; None if `NumericColumn.encode` refuses a cell."""
        if not self._columns:
            return []
        x = table.once(("few numbers", self._read), lambda: read_numbers(table, self._read))
        if x is None:
            return None
        missing = np.isnan(x)
        some_missing = bool(missing.any())
        if some_missing:
            x = np.where(missing, self._fill, x)
        with np.errstate(over="ignore"):
            z = self._scaled(x).astype(self._dtype)
        if not np.isfinite(z).all():
            return None
        X[:, self._places] = z.T
        if self._marked:
            X[:, self._mark_places] = missing[self._marked].T
        if not some_missing and not ((x < self._low) | (x > self._high)).any():
            return []
        counts = zip(self._columns, x, missing.sum(axis=1).tolist(), strict=True)
        return [(c.name, c.count_anomalies(own, 0 if c.missing_indicator else n)) for c, own, n in counts]

    def _scaled(self, x: Floats) -> Floats:
        """The scaled values of x (columns, rows), as of `NumericColumn.scale_values`."""
        if self._clipped_to_range:
            x = x.copy()
            x[self._clipped_to_range] = x[self._clipped_to_range].clip(*self._ends) + 0.0  # see scale_values
        z: Floats = x - self._center
        z /= self._scale
        if self._constant:
            z[self._constant] = 0.0
        if self._ranked:
            p = np.stack([np.interp(x[j], *cdf) for j, cdf in zip(self._ranked, self._distributions, strict=True)])
            p = p.clip(MIN_SHARE, 1.0 - MIN_SHARE).reshape(-1)
            z[self._ranked] = normal_quantile(p).reshape(-1, x.shape[1])
        if len(self._smooth) == len(z):
            clip_smoothly(z)
        elif self._smooth:
            clipped = z[self._smooth]
            clip_smoothly(clipped)
            z[self._smooth] = clipped
        return z


def read_numbers(table: Table, columns: Sequence[tuple[str, str | None, bool]]) -> Floats | None:
    """The numbers (columns, rows), NaN for missing cells; None if a cell is to be refused.

    `columns` are names, units, and whether booleans are read.
    """
    x = np.empty((len(columns), len(table)))
    for j, (name, unit, booleans) in enumerate(columns):
        cells = table.frame.get_column(name)
        if cells.dtype in (pl.Float64, pl.Int64) and not cells.has_nulls():
            x[j] = cells.to_numpy()
            continue
        x[j], errors = numbers_and_errors(table, name, unit, alternatives=True, booleans=booleans)
        if errors:
            return None
    return None if np.isinf(x).any() else x
