"""Type aliases of the arrays that carry data."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
"""Values of a column (rows,), or several columns of them."""
Matrix: TypeAlias = npt.NDArray[np.floating[Any]]
"""Encoded features (rows, width), float32 or float64."""
Codes: TypeAlias = npt.NDArray[np.int64]
"""Categories, classes, groups or folds as whole numbers (rows,)."""
RowIndices: TypeAlias = npt.NDArray[np.int64]
"""Positions of rows, from 0."""
BytePositions: TypeAlias = npt.NDArray[np.int64]
"""Positions in a text, in bytes from 0."""
ByteArray: TypeAlias = npt.NDArray[np.uint8]
"""A text as bytes."""
Mask: TypeAlias = npt.NDArray[np.bool_]
"""True for the selected elements of another array."""
Weights: TypeAlias = Floats
"""Sample weights (rows,) or class weights (classes,)."""
