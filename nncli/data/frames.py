"""Frames of other libraries as Polars frames. Nothing is imported for it: whoever hands one over has its library."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import polars as pl

from nncli.errors import DataError, listed

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pl.DataFrame | pd.DataFrame


def is_pandas(data: object) -> bool:
    """Whether this is a pandas frame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def as_polars(data: Frame) -> pl.DataFrame:
    """The frame as one of Polars. Of a pandas frame the index is left out, and NaN, None and NA are missing cells.

    Raises:
        DataError: it is no frame, or two of its columns have the same name.
    """
    if isinstance(data, pl.DataFrame):
        return data
    if not is_pandas(data):
        raise DataError(
            f"expected a frame of Polars or pandas, found {type(data).__name__}",
            hint="Make one of it, such as polars.DataFrame(array, schema=[names]).",
        )
    names = [str(name) for name in data.columns]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise DataError(f"the frame has more than one column {listed(twice)}", hint="Give each a name of its own.")
    return pl.DataFrame([_column(name, data.iloc[:, j]) for j, name in enumerate(names)])


def _column(name: str, cells: pd.Series) -> pl.Series:
    """A column, without the detour through Arrow that Polars would take: it would need another library."""
    if isinstance(cells.dtype, np.dtype) and cells.dtype.kind in "iufbmM":
        column = pl.Series(name, cells.to_numpy(np.float64 if cells.dtype.kind == "f" else None))
        return column.fill_nan(None) if cells.dtype.kind == "f" else column
    values = [None if hole else cell for cell, hole in zip(cells.tolist(), cells.isna(), strict=True)]
    if len({type(value) for value in values} - {type(None)}) > 1:  # a column of anything
        values = [None if value is None else str(value) for value in values]
    return pl.Series(name, values)
