"""Frames of other libraries as Polars frames. Nothing is imported for it: whoever hands one over has its library."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from nncli.errors import DataError
from nncli.text import join_quoted

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
        raise DataError(f"the frame has more than one column {join_quoted(twice)}", hint="Give each a name of its own.")
    return pl.DataFrame({name: _from_pandas(name, data.iloc[:, j]) for j, name in enumerate(names)})


def from_array(X: npt.NDArray[Any], names: Sequence[str]) -> pl.DataFrame:
    """An array (rows, columns) as a frame. Columns of objects are of numbers where all that is there is a number."""
    columns = zip(names, X.T, strict=True)
    return pl.DataFrame({name: _from_vector(name, np.ascontiguousarray(x)) for name, x in columns})


def _from_pandas(name: str, cells: pd.Series) -> pl.Series:
    """A column, without the detour through Arrow that Polars would take: it would need another library."""
    if isinstance(cells.dtype, np.dtype):
        return _from_vector(name, cells.to_numpy())
    return _from_objects(
        name, [None if hole else cell for cell, hole in zip(cells.tolist(), cells.isna(), strict=True)]
    )


def _from_vector(name: str, x: npt.NDArray[Any]) -> pl.Series:
    if x.dtype.kind == "f":
        x = x if x.dtype.itemsize in (4, 8) else x.astype(np.float64)
        return pl.Series(name, x).fill_nan(None)
    if x.dtype.kind in "iubmM":
        return pl.Series(name, x)
    return _from_objects(name, [None if _is_missing(cell) else cell for cell in x.tolist()])


def _is_missing(cell: object) -> bool:
    """Whether a cell of an array of objects is None, NaN, NA or NaT."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and isnan(cell))


def _from_objects(name: str, cells: list[Any]) -> pl.Series:
    """A column of Python's own objects; of several kinds, other than numbers, it is one of text."""
    kinds = {type(cell) for cell in cells} - {type(None)}
    if kinds == {int, float}:
        return pl.Series(name, [None if cell is None else float(cell) for cell in cells])
    if len(kinds) > 1:
        cells = [None if cell is None else str(cell) for cell in cells]
    return pl.Series(name, cells)
