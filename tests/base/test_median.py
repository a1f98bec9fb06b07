"""Both medians are NumPy's, to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, floating_dtypes

from nncli.base import median as module
from nncli.base.median import MAX_SAMPLE, MIN_SAMPLE, MIN_SAMPLED_SIZE, fast_median, median

NUMBERS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, 1e300, -1e300, 5e-324]) | st.floats(allow_nan=False)


def is_numpys(x: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.float64(fast_median(x)).tobytes() == np.median(x).tobytes()


@pytest.mark.slow
@given(arrays(floating_dtypes(endianness="=", sizes=(32, 64)), array_shapes(min_dims=1, max_dims=1, max_side=9)))
def test_median_is_numpys(values: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        ours, theirs = median(values), float(np.median(values))
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.isnan(ours) or np.signbit(ours) == np.signbit(theirs)


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0]), min_size=1, max_size=200))
def test_median_of_zeros_has_numpys_sign(values: list[float]) -> None:
    assert np.signbit(median(np.array(values))) == np.signbit(np.median(values))


def test_median_does_not_import_masked_arrays() -> None:
    program = "import numpy as np; from nncli.base.median import median; median(np.arange(4.0)); import sys"
    program += "; assert 'numpy.ma' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


@given(numbers=st.lists(NUMBERS, min_size=9, max_size=80))
def test_fast_median_of_a_small_sample_is_numpys(numbers: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIN_SAMPLED_SIZE", 8)
        patch.setattr(module, "MIN_SAMPLE", 4)
        patch.setattr(module, "MAX_SAMPLE", 4)
        assert is_numpys(np.array(numbers))


@pytest.mark.slow
@pytest.mark.parametrize(
    "n", [MIN_SAMPLED_SIZE, MIN_SAMPLED_SIZE + 1, MIN_SAMPLED_SIZE + 2, 3 * MIN_SAMPLED_SIZE, 80 * MAX_SAMPLE]
)
def test_fast_median_is_numpys_in_any_order(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n).round(3)
    assert is_numpys(x)
    assert is_numpys(np.sort(x))
    assert is_numpys(np.sort(x)[::-1])
    assert is_numpys(np.floor(x))  # many equal numbers
    sample_size = MIN_SAMPLE if n < 80 * MAX_SAMPLE else MAX_SAMPLE
    assert is_numpys(np.where(np.arange(n) % (n // sample_size) == 0, 9.0, x))  # the sample holds only nines


def test_fast_median_of_zeros_has_numpys_sign() -> None:
    x = np.zeros(MIN_SAMPLED_SIZE + 3)
    x[::2] = -0.0
    assert is_numpys(x)
