"""What the tests of compiled loops share: numbers to try, and how close results must be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st

Vector = npt.NDArray[np.float32]
EXTREMES = [0.0, -0.0, 1e30, -1e30, 1e-40, -1e-40, 3.4e38, -3.4e38, 88.4, -87.4, 0.625, -0.625, 17.0, -104.0]
BEYOND = [math.nan, math.inf, -math.inf]

compiling = settings(deadline=None)  # the first call compiles
numbers = st.floats(-50.0, 50.0, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(numbers | st.sampled_from(EXTREMES), min_size=1, max_size=40)
wild_vectors = st.lists(numbers | st.sampled_from(EXTREMES + BEYOND), min_size=1, max_size=40)
GRID = np.concatenate([np.linspace(-120.0, 120.0, 200_001), np.geomspace(1e-44, 1e38, 20_001)]).astype(np.float32)
NONE = np.empty(0, np.float32)


def array(values: Any, *shape: int) -> Vector:
    return np.array(values, np.float32).reshape(shape or (-1,))


def ulps(result: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """How many units in the last place of float32 two vectors are apart at the most."""
    unit = np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)
    return float((np.abs(result.astype(np.float64) - truth) / unit).max())


def close(result: Vector, expected: Vector, *, scale: npt.NDArray[Any] | float = 0.0) -> None:
    """Within 4 units in the last place of the expected, or of `scale` where that is larger; NaN and inf alike."""
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    np.testing.assert_array_equal(result[np.isinf(result)], expected[np.isinf(result)])
    np.testing.assert_array_equal(result[np.isinf(expected)], expected[np.isinf(expected)])
    finite = np.isfinite(expected)
    size = np.maximum(np.abs(expected), np.abs(scale)).astype(np.float32)[finite]
    unit = np.spacing(np.minimum(size, np.float32(3e38))).astype(np.float64)
    assert (np.abs(result[finite].astype(np.float64) - expected[finite]) <= 4.0 * unit).all()
