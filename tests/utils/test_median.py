"""The median is NumPy's, to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, floating_dtypes

from nncli.utils.median import median


@given(arrays(floating_dtypes(endianness="=", sizes=(32, 64)), array_shapes(min_dims=1, max_dims=1, max_side=9)))
def test_it_is_the_median_of_numpy(values: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        ours, theirs = median(values), float(np.median(values))
    assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.isnan(ours) or np.signbit(ours) == np.signbit(theirs)


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0]), min_size=1, max_size=200))
def test_of_two_zeros_it_takes_the_one_that_numpy_takes(values: list[float]) -> None:
    assert np.signbit(median(np.array(values))) == np.signbit(np.median(values))


def test_masked_arrays_are_not_imported_for_it() -> None:
    program = "import numpy as np; from nncli.utils.median import median; median(np.arange(4.0)); import sys"
    program += "; assert 'numpy.ma' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
