"""The median is NumPy's, to the bit."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays, floating_dtypes

from nncli.median import median


@given(arrays(floating_dtypes(endianness="=", sizes=(32, 64)), array_shapes(min_dims=1, max_dims=1, max_side=9)))
def test_it_is_the_median_of_numpy(values: np.ndarray) -> None:
    with np.errstate(all="ignore"):
        assert np.array_equal(median(values), float(np.median(values)), equal_nan=True)


def test_masked_arrays_are_not_imported_for_it() -> None:
    program = "import numpy as np; from nncli.median import median; median(np.arange(4.0)); import sys"
    program += "; assert 'numpy.ma' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
