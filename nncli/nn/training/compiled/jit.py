"""How the loops are compiled, and the types of their arguments. This module imports Numba."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from numba.extending import intrinsic

F = TypeVar("F")
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def compiled(function: F) -> F:
    """Compile a function, cache it on disk, and run it without Python's lock, so that shards run in parallel."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """Compile a function into its callers."""
    return cast("F", numba.njit(inline="always", error_model="numpy")(function))


def internal(function: F) -> F:
    """As `compiled`, for a function that only compiled ones call; without Python's call it compiles sooner."""
    options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))


def compiled_sum(function: F) -> F:
    """As `compiled`, for a function that adds up numbers and may do so in another order, several at a time."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})(function))


def _borrow(context: Any, array: Any) -> Any:
    """A view that holds no reference, in compiled code: its slices are then not counted. The caller holds the array.

    Counting takes a third of the time of a step of 3 µs.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(signature.args[0])(context, builder, value=arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


borrow: Any = intrinsic(_borrow)
