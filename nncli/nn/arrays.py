"""The array types that the whole package shares, and one rule about them.

A step allocates nothing. NumPy itself would: a ufunc that broadcasts an operand against a matrix, or converts one
from bool, works through a buffer that it allocates anew in every call. np.copyto spreads or converts into a buffer
of ours; the ufunc then meets operands of one shape and type, and the two together are no slower than the one was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]
Precision: TypeAlias = Literal["float32", "float64"]
Backend: TypeAlias = Literal["numpy", "numba"]
"""What computes with them: NumPy, or compiled loops."""


def scalar(value: float, like: Array) -> Array:
    """`value` as a 0-d array of the dtype of `like`: beside a small array it costs half of what a float does."""
    return np.array(value, like.dtype)


CACHE_LINE_BYTES = 64
"""Bytes of a line of the cache, and of the widest vector that a processor reads at once."""


def zeros_aligned(size: int, dtype: npt.DTypeLike) -> Array:
    """Zeros (size,) that begin with a line of the cache.

    NumPy's own begin 16 bytes into one more often than not. Every second or every vector that a compiled loop reads
    or writes then lies in two lines, and Adam, which reads four arrays and writes three, takes half as long again.
    """
    item = np.dtype(dtype).itemsize
    room = np.zeros(size + CACHE_LINE_BYTES // item, dtype)
    start = -room.__array_interface__["data"][0] % CACHE_LINE_BYTES // item
    return room[start : start + size]


class BoundLayer(NamedTuple):
    """A layer, an activation or a network tied to its buffers.

    `forward()` reads the input buffer and fills `Y`, (rows, units). `backward(dY)` takes the gradient of the
    loss with respect to `Y`, fills the layer's parameter gradients, and returns the gradient with respect to
    the input. It owns the buffer it is given and may overwrite it.
    """

    Y: Array
    forward: Callable[[], None]
    backward: Callable[[Array], Array]
