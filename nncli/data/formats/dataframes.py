"""Convert pandas frames and NumPy arrays to Polars frames, without importing pandas."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.base.errors import DataError
from nncli.base.text import join_quoted

if TYPE_CHECKING:
    import pandas as pd

    Frame: TypeAlias = pl.DataFrame | pd.DataFrame


def is_pandas(data: object) -> bool:
    """Whether this is a pandas frame."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(data, pandas.DataFrame)


def as_polars(data: Frame) -> pl.DataFrame:
    """Convert to a Polars frame. The index of a pandas frame is dropped; NaN, None and NA are missing cells.

    Raises:
        DataError: `data` is not a frame, or two of its columns have the same name.
    """
    if isinstance(data, pl.DataFrame):
        return data
    if not is_pandas(data):
        raise DataError(
            f"expected a Polars or pandas frame, found {type(data).__name__}",
            hint="Convert it, for example with polars.DataFrame(array, schema=[names]).",
        )
    names = [str(name) for name in data.columns]
    repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if repeated:
        raise DataError(f"the frame has more than one column {join_quoted(repeated)}", hint="Rename one of them.")
    return pl.DataFrame({name: _from_pandas(name, data.iloc[:, j]) for j, name in enumerate(names)})


def from_array(X: npt.NDArray[Any], names: Sequence[str]) -> pl.DataFrame:
    """Convert an array (rows, columns) to a frame. A column of objects is numeric if all its values are numbers."""
    columns = zip(names, X.T, strict=True)
    return pl.DataFrame({name: _from_vector(name, np.ascontiguousarray(x)) for name, x in columns})


def _from_pandas(name: str, cells: pd.Series) -> pl.Series:
    """Convert a column without PyArrow, which polars.from_pandas would need."""
    if isinstance(cells.dtype, np.dtype):
        return _from_vector(name, cells.to_numpy())
    return _from_objects(
        name, [None if missing else cell for cell, missing in zip(cells.tolist(), cells.isna(), strict=True)]
    )


def _from_vector(name: str, x: npt.NDArray[Any]) -> pl.Series:
    if x.dtype.kind == "f":
        x = x if x.dtype.itemsize in (4, 8) else x.astype(np.float64)
        return pl.Series(x).fill_nan(None).alias(name)
    if x.dtype.kind in "iubmM":
        return pl.Series(name, x)
    return _from_objects(name, [None if _is_missing(cell) else cell for cell in x.tolist()])


def _is_missing(cell: object) -> bool:
    """Whether a cell of an array of objects is None, NaN, NA or NaT."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and isnan(cell))


def _from_objects(name: str, cells: list[Any]) -> pl.Series:
    """A column of Python objects; objects of several types, other than numbers, become text."""
    types = {type(cell) for cell in cells} - {type(None)}
    if types == {int, float}:
        return pl.Series(name, [None if cell is None else float(cell) for cell in cells])
    if len(types) > 1:
        cells = [None if cell is None else str(cell) for cell in cells]
    return pl.Series(name, cells)
