"""Where arrays lie in memory."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from nncli.nn import arrays
from nncli.nn.arrays import CACHE_LINE_BYTES, zeros_aligned


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000, 300_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_aligned_vector_is_zero_without_gaps_and_begins_with_a_line_of_the_cache(size: int, dtype: type) -> None:
    vectors = [zeros_aligned(size, dtype) for _ in range(5)]
    for vector in vectors:
        assert vector.shape == (size,)
        assert vector.dtype == dtype
        assert vector.flags.c_contiguous
        assert not vector.any()
        assert vector.ctypes.data % CACHE_LINE_BYTES == 0


@pytest.mark.parametrize(
    ("alias", "scalar"),
    [
        (arrays.Floats, np.float64),
        (arrays.Codes, np.int64),
        (arrays.RowIndices, np.int64),
        (arrays.ByteArray, np.uint8),
        (arrays.Mask, np.bool_),
    ],
)
def test_aliases_have_the_element_type_of_the_arrays_they_name(alias: Any, scalar: type) -> None:
    assert scalar in get_args(get_args(alias)[1])
