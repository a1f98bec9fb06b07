"""Array types of the numeric code, and allocation of aligned arrays.

A training step allocates nothing. NumPy itself would: a ufunc that broadcasts an operand against a matrix, or converts
one from bool, works through a buffer that it allocates in every call. np.copyto broadcasts or converts into a buffer
of ours; the ufunc then gets operands of one shape and type, and the two calls are no slower than the one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
AnyArray: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
"""Values of a column (rows,), or several columns of them."""
Matrix: TypeAlias = npt.NDArray[np.floating[Any]]
"""Encoded features (rows, width), float32 or float64."""
Codes: TypeAlias = npt.NDArray[np.int64]
"""Categories, classes, groups or folds as whole numbers (rows,)."""
Counts: TypeAlias = npt.NDArray[np.int64]
"""How many there are of each."""
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
Sign: TypeAlias = Literal[-1, 0, 1]
"""The direction of a feature, or how an output changes as the monotone features change in their directions."""
RISING: Sign = 1
FALLING: Sign = -1
FIXED: Sign = 0
Direction: TypeAlias = Literal["increasing", "decreasing"]
DIRECTIONS: Mapping[Direction, Sign] = MappingProxyType({"increasing": RISING, "decreasing": FALLING})
"""How the prediction changes with a monotone column, and the sign of its feature."""
Signs: TypeAlias = npt.NDArray[np.int8]
"""Signs (units,) of the units of a layer: 1 for one that never falls, -1 for one that never rises, and 0 for one that
does not depend on any monotone feature."""
Precision: TypeAlias = Literal["float32", "float64"]
Backend: TypeAlias = Literal["numpy", "numba"]
"""NumPy, or compiled loops."""


def scalar(value: float, like: Array) -> Array:
    """`value` as a 0-d array of the dtype of `like`: beside a small array it costs half of what a float does."""
    return np.array(value, like.dtype)


CACHE_LINE_BYTES = 64
"""Size of a cache line, and of the widest vector register."""


def zeros_aligned(size: int, dtype: npt.DTypeLike) -> Array:
    """Zeros (size,) aligned to a cache line.

    NumPy's own arrays often begin 16 bytes into a line. Every vector that a compiled loop reads or writes may then
    span two lines, and Adam, which reads four arrays and writes three, takes half as long again.
    """
    item = np.dtype(dtype).itemsize
    room = np.zeros(size + CACHE_LINE_BYTES // item, dtype)
    start = -room.__array_interface__["data"][0] % CACHE_LINE_BYTES // item
    return room[start : start + size]


class BoundLayer(NamedTuple):
    """A layer, an activation or a network bound to its buffers.

    `forward()` reads the input buffer and fills `Y`, (rows, units). `backward(dY)` takes the gradient of the
    loss with respect to `Y`, fills the layer's parameter gradients, and returns the gradient with respect to
    the input. It may overwrite dY.
    """

    Y: Array
    forward: Callable[[], None]
    backward: Callable[[Array], Array]
